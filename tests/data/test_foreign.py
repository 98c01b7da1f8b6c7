"""Files that are not what their names say are named, in every command that reads tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.data.dialect import AS_FOUND
from mtft.data.foreign import SIGNATURES, foreign_kind, is_json_record
from mtft.data.readers import read_rows
from mtft.data.record_files import file_records
from mtft.data.stream_records import Wanted
from mtft.errors import DataError

PAGE = b"\n<!DOCTYPE html>\n<html><body>text,label</body></html>\n"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04\x14\0", "Excel workbook"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (PAGE, "HTML"),
        (b"BZh91AY", "bzip2"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_kind(head: bytes, kind: str, tmp_path: Path) -> None:
    for name in ("x.csv", "x.tsv", "x.jsonl"):
        path = tmp_path / name
        path.write_bytes(head + b"\n1,2\n")
        with pytest.raises(DataError, match=rf"{name}:1: the file is .*{kind}"):
            list(read_rows(path))
    with pytest.raises(DataError, match=kind):
        list(file_records(tmp_path / "x.csv", "auto", Wanted(), AS_FOUND, lambda line: None))


def test_tables_are_of_no_other_kind() -> None:
    for text in (b"", b"text,label\n", b'"PK",label\n', b"PARTY,label\n", b"<a> text,label\n", "größe;x\n".encode()):
        assert foreign_kind(text) == ""
    assert all(foreign_kind(signature) for signature, _ in SIGNATURES)


@pytest.mark.parametrize("line", ['{"text": "a", "label": 0}\n', ' {"a": 1}\r\n', '[{"text": "a"},\n', '[ {"a": 1}]'])
def test_json_under_the_name_of_a_table_is_refused(line: str, tmp_path: Path) -> None:
    assert is_json_record(line)
    path = tmp_path / "x.csv"
    path.write_text(line + '{"text": "b", "label": 1}\n', encoding="utf-8", newline="")
    with pytest.raises(DataError, match=r"x\.csv:1: the first line is JSON, not a header; name the file \.jsonl"):
        list(read_rows(path))


@pytest.mark.parametrize("line", ["text,label\n", "{text},label\n", '"{""a"": 1}",label\n', "[text],label\n", "{}x\n"])
def test_a_header_is_no_json(line: str) -> None:
    assert not is_json_record(line)


def test_blank_lines_before_the_header_are_refused_and_nothing_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\n \ntext,label\na,1\n", encoding="utf-8")
    message = r"x\.csv:1: no header line: line 1 is blank, and line 3 is not; remove the blank lines"
    with pytest.raises(DataError, match=message):
        list(read_rows(path))
    wanted = Wanted(keys=(("text",),))
    with pytest.raises(DataError, match=message):
        list(file_records(path, "auto", wanted, AS_FOUND, lambda line: None))
    path.write_text("\n\n", encoding="utf-8")
    assert list(file_records(path, "auto", wanted, AS_FOUND, lambda line: None)) == []
