"""Examples of declared tasks: a file per split, and rows held out by their texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.data.declared_reader import DeclaredReader, SplitColumn, position
from mtft.data.dialect import Layout
from mtft.errors import DataError
from mtft.outputs import Binary, Bounded

YES = Binary(("no", "yes"))


def write(path: Path, rows: int) -> Path:
    lines = [f"text {row % (rows // 2)},{'yes' if row % 3 else ''}" for row in range(rows)]
    path.write_text("\n".join(["t,l", *lines]) + "\n", encoding="utf-8")
    return path


def test_train_and_the_rows_held_out_are_all_rows_and_share_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 1000)
    reader = DeclaredReader((("train", path.name),), ("t",), "l", YES, held_out=0.2)
    train, dev = (list(reader(split, tmp_path)) for split in ("train", "dev"))
    assert sorted(int(row.id) for row in (*train, *dev)) == list(range(2, 1002))
    assert not {row.texts for row in train} & {row.texts for row in dev}
    assert 0.14 < len(dev) / 1000 < 0.26
    assert {row.target for row in dev} == {1.0, None}
    for split, rows in (("train", train), ("dev", dev)):  # row by row, as the audit and training read
        assert list(read_split("x", split, reader, tmp_path, 1).examples) == rows


def test_a_row_stays_where_it_is_when_others_come(tmp_path: Path) -> None:
    few, many = write(tmp_path / "few.csv", 100), write(tmp_path / "many.csv", 400)
    kept = [
        {row.texts for row in DeclaredReader((("train", path.name),), ("t",), "l", YES, held_out=0.3)("dev", tmp_path)}
        for path in (few, many)
    ]
    assert kept[0] == {texts for texts in kept[1] if int(texts[0].split()[1]) < 50}


@given(st.lists(st.text(), min_size=1, max_size=2))
def test_a_position_does_not_depend_on_case_space_and_order(texts: list[str]) -> None:
    assert 0 <= position(texts) < 1
    assert position(texts) == position([f"  {' '.join(text.split())}\t" for text in reversed(texts)])
    assert position(["A b"]) == position(["a  B"]) != position(["ab"])


def test_a_split_that_is_not_declared_is_named(tmp_path: Path) -> None:
    reader = DeclaredReader((("train", "a.csv"), ("dev", "b.csv")), ("t",), "l", YES)
    assert reader.files("test", tmp_path) == []
    with pytest.raises(DataError, match=r"no file is declared for split 'test' \(declared: train, dev\)"):
        list(reader("test", tmp_path))


def test_a_wrong_label_is_named_with_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,l\nx,yes\ny,perhaps\n", encoding="utf-8")
    reader = DeclaredReader((("train", "a.csv"), ("dev", "a.csv")), ("t",), "l", YES)
    with pytest.raises(DataError, match=r"a\.csv:3: column 'l': label 'perhaps' is not one of no, yes"):
        list(reader("train", tmp_path))


def test_a_row_of_json_lines_without_the_key_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "a", "l": "yes"}\n{"t": "b"}\n{"l": "no"}\n', encoding="utf-8")
    reader = DeclaredReader((("train", "a.jsonl"),), ("t",), "l", YES)
    found = read_split("x", "train", reader, tmp_path, 1)
    assert [row.target for row in found.examples] == [1.0, None]
    assert [problem.text for problem in found.problems] == ["no column 't' (columns: l)"]
    (tmp_path / "a.csv").write_text("t\na\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'l'"):
        list(DeclaredReader((("train", "a.csv"),), ("t",), "l", YES)("train", tmp_path))


def test_a_column_missing_in_every_row_is_one_fault_of_the_file(tmp_path: Path) -> None:
    table = "[tasks.x] of run.toml"
    (tmp_path / "a.jsonl").write_text('{"t": "a", "l": "yes"}\n{"t": "b", "l": "no"}\n', encoding="utf-8")
    (tmp_path / "a.csv").write_text("t,l\na,yes\nb,no\n", encoding="utf-8")
    for file in ("a.jsonl", "a.csv"):
        reader = DeclaredReader((("train", file),), ("u",), "l", YES, table=table)
        found = read_split("x", "train", reader, tmp_path, 1)
        (problem,) = found.problems
        assert problem.whole
        assert problem.text.startswith("no column 'u' (columns: t, l)")
        for skipped in (False, True):
            with pytest.raises(
                DataError, match=r"no column 'u'.*; change text = \.\.\. in \[tasks\.x\] of run"
            ) as caught:
                usable_examples(found, skip_bad_rows=skipped)
            assert "skip_bad_rows" not in str(caught.value)


def test_a_label_that_no_json_object_has_is_no_missing_label(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t": "a", "m": "yes"}\n{"t": "b"}\n', encoding="utf-8")
    reader = DeclaredReader((("train", "a.jsonl"),), ("t",), "l", YES, table="[tasks.x] of run.toml")
    (problem,) = read_split("x", "train", reader, tmp_path, 1).problems
    assert (problem.whole, problem.text) == (True, "no column 'l' (columns: t, m); all 2 rows lack it")
    assert problem.remedy == "change label = ... in [tasks.x] of run.toml"


@pytest.mark.parametrize(("column", "key"), [("t", "text"), ("l", "label"), ("part", "split")])
def test_the_key_of_each_column(column: str, key: str) -> None:
    split = SplitColumn("part", (("a", "train"), ("b", "dev")))
    reader = DeclaredReader((("train", "a.csv"),), ("t",), "l", YES, column=split, table="[tasks.x] of run.toml")
    assert reader.column_remedy(column) == f"change {key} = ... in [tasks.x] of run.toml"
    assert reader.file_remedy("dev") == "change train = ... in [tasks.x] of run.toml"
    plain = DeclaredReader((("train", "a.csv"), ("dev", "b.csv")), ("t",), "l", YES)
    assert (plain.column_remedy(column), plain.file_remedy("dev")) == ("", "")


# ---- Several files, and how they are written


def test_several_files_and_patterns_are_read_one_after_another(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a-{number}.csv").write_text(f"t,l\nx{number},yes\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"t": "y", "l": "no"}\n', encoding="utf-8")
    (tmp_path / "c.json").write_text('[{"t": "z", "l": "no"},\n {"t": "no label"}]', encoding="utf-8")
    reader = DeclaredReader((("train", ("a-*.csv", "b.jsonl", "c.json")),), ("t",), "l", YES)
    found = list(reader("train", tmp_path))
    assert [row.texts[0] for row in found] == ["x0", "x1", "x2", "y", "z", "no label"]
    assert [row.id for row in found] == ["a-0.csv:2", "a-1.csv:2", "a-2.csv:2", "b.jsonl:1", "c.json:1", "c.json:2"]
    assert [row.origin.removeprefix(f"{tmp_path}/") for row in found] == [row.id for row in found]
    assert [row.target for row in found] == [1, 1, 1, 0, 0, None]
    assert list(read_split("x", "train", reader, tmp_path, 1).examples) == found


def test_text_and_parquet_of_one_split_are_read_together(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    import pyarrow.parquet as parquet

    (tmp_path / "a.csv").write_text("t,l\nx,yes\n", encoding="utf-8")
    parquet.write_table(arrow.table({"t": ["y"], "l": ["no"]}), tmp_path / "b.parquet")
    reader = DeclaredReader((("train", ("b.parquet", "a.csv")),), ("t",), "l", YES)
    found = {(row.texts, row.target) for row in read_split("x", "train", reader, tmp_path, 1).examples}
    assert found == {(("x",), 1.0), (("y",), 0.0)}


def test_an_error_in_one_of_several_files_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,l\nx,yes\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("t,l\nx,yes\nx\n", encoding="utf-8")
    reader = DeclaredReader((("train", ("a.csv", "b.csv")),), ("t",), "l", YES)
    with pytest.raises(DataError, match=r"b\.csv:3: 1 fields where the header has 2"):
        list(reader("train", tmp_path))
    for files, message in (
        (("a.csv", "a.*"), "a.csv: given twice for one split"),
        (("z-*.csv",), r"z-\*\.csv: no such"),
    ):
        with pytest.raises(DataError, match=message):
            list(DeclaredReader((("train", files),), ("t",), "l", YES)("train", tmp_path))


def test_labels_that_mean_no_label_are_those_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,l\na,yes\nb, NA \nc,-1\nd,\ne,-1.0\n", encoding="utf-8")
    reader = DeclaredReader((("train", "a.csv"),), ("t",), "l", YES, missing=("NA", "-1"))
    assert [row.target for row in reader("train", tmp_path)] == [1.0, None, None, None, None]
    with pytest.raises(DataError, match=r"a\.csv:3: column 'l': label 'NA' is not one of no, yes"):
        list(DeclaredReader((("train", "a.csv"),), ("t",), "l", YES)("train", tmp_path))


def test_numbers_with_a_decimal_comma_are_labels_and_texts_stay(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("t\tl\n1,5\t0,5\n2,5\t5,0\n", encoding="utf-8")
    reader = DeclaredReader((("train", "a.tsv"),), ("t",), "l", Bounded(0, 5))
    assert [(row.texts, row.target) for row in reader("train", tmp_path)] == [(("1,5",), 0.5), (("2,5",), 5.0)]
    (tmp_path / "a.tsv").write_text("t\tl\na\t2\nb\t3\nc\t0,5\n", encoding="utf-8")  # mostly without a comma
    with pytest.raises(DataError, match=r'label \'0,5\' is not a number from 0 to 5; .* set decimal = ","'):
        list(reader("train", tmp_path))
    said = DeclaredReader((("train", "a.tsv"),), ("t",), "l", Bounded(0, 5), layout=Layout(decimal=","))
    assert [row.target for row in said("train", tmp_path)] == [2.0, 3.0, 0.5]


def test_a_name_that_is_nearly_right_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t, Label\nx,yes\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no column 'Label'; ' Label' differs only in case, spaces, punctuation"):
        list(DeclaredReader((("train", "a.csv"),), ("t",), "Label", YES)("train", tmp_path))
    (tmp_path / "a.csv").write_text("It was a great film,good\nx,yes\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"if the first line is a row, as 'It was a great film' suggests, set header"):
        list(DeclaredReader((("train", "a.csv"),), ("t",), "l", YES)("train", tmp_path))
