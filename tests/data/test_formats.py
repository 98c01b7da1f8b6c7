"""Rows of Parquet files and Hugging Face datasets, and what is said without their libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mtft.data.formats import can_read, is_text, named_rows
from mtft.data.readers import Nested
from mtft.errors import DataError


@pytest.mark.parametrize(
    ("name", "reads", "text"),
    [
        ("a.csv", True, True),
        ("b/c.jsonl", True, True),
        ("a.parquet", True, False),
        ("hub:owner/name:train", True, False),
        ("hub:glue@cola:train", True, False),
        ("hub:glue", False, False),
        ("hub::train", False, False),
        ("hub:@cola:train", False, False),
        ("a.json", True, True),
        ("a.csv.gz", True, True),
        ("a.TSV.zst", True, True),
        ("a.parquet.gz", False, False),
        ("a.txt", False, False),
        ("csv", False, False),
    ],
)
def test_the_form_of_a_name(name: str, reads: bool, text: bool) -> None:
    assert (can_read(name), is_text(name)) == (reads, text)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("a.parquet", "pyarrow.parquet", "parquet"), ("hub:glue@cola:train", "datasets", "hub")],
)
def test_without_its_library_the_extra_is_named(
    name: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"{name}: needs: pip install 'multitask-finetuning\[{extra}\]'"):
        list(named_rows(name, tmp_path))


def test_parquet_gives_the_rows_of_the_table(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    import pyarrow.parquet as parquet

    table = arrow.table({"t": ["a", None, "c"], "l": [1, 0, None], "x": [0.5, float("nan"), 2.0]})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    assert [row for _, _, row in named_rows("a.parquet", tmp_path)] == [
        {"t": "a", "l": "1", "x": "0.5"},
        {"t": "", "l": "0", "x": ""},
        {"t": "c", "l": "", "x": "2.0"},
    ]
    table = arrow.table({"t": [["a", "b"]], "l": [b"caf\xc3\xa9"], "x": [{"k": 1}]})
    parquet.write_table(table, tmp_path / "nested.parquet")
    ((_, _, row),) = named_rows("nested.parquet", tmp_path)
    assert all(isinstance(value, Nested) for value in row.values())  # no text that anyone wrote
    assert [(location, number) for location, number, _ in named_rows("a.parquet", tmp_path)][2] == (
        f"{tmp_path}/a.parquet:3",
        3,
    )


def test_a_parquet_file_that_is_none_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    with pytest.raises(DataError, match=r"a\.parquet: no such file"):
        list(named_rows("a.parquet", tmp_path))
    (tmp_path / "a.parquet").write_text("t,l\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file that can be read: "):
        list(named_rows("a.parquet", tmp_path))


@pytest.mark.filterwarnings("ignore")  # whatever the library's own imports warn of
def test_a_dataset_gives_labels_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs the extra hub")
    features = datasets.Features({"t": datasets.Value("string"), "l": datasets.ClassLabel(names=["no", "yes"])})
    made = datasets.Dataset.from_dict({"t": ["a", "b"], "l": [1, -1]}, features=features)
    (tmp_path / "own").mkdir()
    made.to_parquet(tmp_path / "own" / "train-0.parquet")
    found = [row for _, _, row in named_rows(f"hub:{tmp_path / 'own'}:train", tmp_path)]
    assert found == [{"t": "a", "l": "yes"}, {"t": "b", "l": ""}]
    with pytest.raises(DataError, match=r"hub:no/such:train: not in the local cache, or not a dataset: "):
        list(named_rows("hub:no/such:train", tmp_path))
