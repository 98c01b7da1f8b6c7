"""Examples of declared tasks: a file per split, and rows held out by their texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.audit.split_reader import read_split
from mtft.data.declared_reader import DeclaredReader, position
from mtft.errors import DataError
from mtft.outputs import Binary

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
