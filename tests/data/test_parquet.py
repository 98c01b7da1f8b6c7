"""Parquet files: only what is asked for is read, and nothing else can fail."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from mtft.data.declared_reader import DeclaredReader
from mtft.data.formats import named_rows
from mtft.data.json_rows import Nested
from mtft.data.parquet import Null, parquet_columns, parquet_rows
from mtft.errors import DataError
from mtft.outputs import Binary

arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
import pyarrow.parquet as pq  # noqa: E402 - behind the check

YES = Binary(("0", "1"))


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(arrow.table(columns), path)
    return path


AWKWARD = {
    "out of range": lambda: arrow.array([2**62, 1], arrow.timestamp("us")),
    "far date": lambda: arrow.array([2**30, 1], arrow.date32()),
    "unknown zone": lambda: arrow.array([1, 2], arrow.timestamp("us", "Nowhere/Land")),
    "nanoseconds": lambda: arrow.array([1_000_000_001, 2], arrow.timestamp("ns")),
    "duration": lambda: arrow.array([2**62, 1], arrow.duration("s")),
    "bytes": lambda: arrow.array([b"\xff", b"a"]),
    "struct": lambda: arrow.array([{"a": 1}, None]),
    "dictionary": lambda: arrow.array(["x", "y"]).dictionary_encode(),
    "decimal": lambda: arrow.array([1, 2], arrow.decimal128(9, 2)),
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_columns_that_nobody_needs_never_matter(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["a", "b"], label=[0, 1], other=AWKWARD[kind]())
    reader = DeclaredReader((("train", "a.parquet"),), ("text",), "label", YES)
    assert [(row.texts, row.target) for row in reader("train", tmp_path)] == [(("a",), 0.0), (("b",), 1.0)]
    found = [row for _, _, row in named_rows("a.parquet", tmp_path)]  # all of them, as a guess needs
    assert [(row["text"], row["label"]) for row in found] == [("a", "0"), ("b", "1")]
    assert all(isinstance(row["other"], str) for row in found)
    assert [list(row) for _, row in parquet_rows(path, ["label", "gone"])] == [["label"], ["label"]]


def test_a_column_that_is_needed_and_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", text=AWKWARD["out of range"](), label=[0, 1])
    reader = DeclaredReader((("train", "a.parquet"),), ("text",), "label", YES)
    with pytest.raises(DataError, match=r"a\.parquet:1: column 'text' is a timestamp\[us\] that cannot be read"):
        list(reader("train", tmp_path))


def test_a_name_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    table = arrow.Table.from_arrays(
        [arrow.array(["a"]), arrow.array(["b"]), arrow.array([1])], ["text", "text", "label"]
    )
    pq.write_table(table, tmp_path / "a.parquet")
    for read in (parquet_columns, lambda path: list(parquet_rows(path, ["label"]))):
        with pytest.raises(DataError, match=r"a\.parquet: column 'text' appears twice"):
            read(tmp_path / "a.parquet")


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", Text=["a"], label=[0], when=[datetime.datetime(2020, 1, 1)])
    reader = DeclaredReader((("train", "a.parquet"),), ("text",), "label", YES)
    with pytest.raises(
        DataError, match=r"no column 'text'; 'Text' differs only in case.* \(columns: Text, label, when\)"
    ):
        list(reader("train", tmp_path))


def test_null_is_no_empty_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["", None, "x"], list=[["a"], None, []])
    cells = [(row["text"], row["list"]) for _, row in parquet_rows(path)]
    assert [text for text, _ in cells] == ["", "", "x"]
    assert [isinstance(text, Null) for text, _ in cells] == [False, True, False]
    assert [isinstance(value, Nested) for _, value in cells] == [True, False, True]


@pytest.mark.parametrize("damage", [slice(0, 100), slice(4, None), slice(0, -12)])
def test_a_damaged_file_is_named(damage: slice, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["a"] * 100)
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file that can be read: "):
        list(parquet_rows(path))
