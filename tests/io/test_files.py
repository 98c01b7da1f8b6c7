"""Files are complete or not there."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from mtft.errors import CheckpointError
from mtft.io.files import append_json_line, read_json, read_json_lines, write_bytes, write_json, write_json_lines


@pytest.fixture
def _disk_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)


def test_bytes_are_written_and_replaced(tmp_path: Path) -> None:
    for data in (b"first", b"", b"the second"):
        write_bytes(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("_disk_full")
def test_a_write_that_fails_leaves_the_former_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"first")
    with pytest.raises(OSError, match="disk full"):
        write_bytes(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"


@pytest.mark.usefixtures("_disk_full")
def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"):
        write_json(tmp_path / "file", {"a": 1})
    assert not (tmp_path / "file").exists()


def test_json_comes_back_in_order(tmp_path: Path) -> None:
    value = {"b": [1, 0.1 + 0.2, None], "a": {"text": "é ☃", "true": True}}
    write_json(tmp_path / "file", value)
    assert read_json(tmp_path / "file") == value
    assert list(read_json(tmp_path / "file")) == ["b", "a"]


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    write_json(tmp_path / "file", {"nan": math.nan, "list": [math.inf, (1.5, -math.inf)]})
    assert read_json(tmp_path / "file") == {"nan": None, "list": [None, [1.5, None]]}


def test_json_lines_come_back_and_grow(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"a": 1}, {"b": "x\u2028y\n"}]
    write_json_lines(tmp_path / "log", records)
    append_json_line(tmp_path / "log", {"c": None})
    append_json_line(tmp_path / "new", {"c": None})
    assert read_json_lines(tmp_path / "log") == [*records, {"c": None}]
    assert read_json_lines(tmp_path / "new") == [{"c": None}]
    write_json_lines(tmp_path / "log", [])
    assert read_json_lines(tmp_path / "log") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "holds list, not an object"),
        (b"null", "holds NoneType, not an object"),
    ],
)
def test_what_is_no_json_object_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(CheckpointError, match=f"file: {message}"):
        read_json(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b'{}\n{"a"\n', ":2: not JSON"), (b"{}\n{}\n3\n", ":3: not an object"), (b"\xff", ": not readable")],
)
def test_a_line_that_is_no_json_object_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(CheckpointError, match=f"log{message}"):
        read_json_lines(tmp_path / "log")


def test_missing_files_and_directories_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing: no such file"):
        read_json(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="nothing: not readable"):
        read_json_lines(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="not JSON"):
        read_json(tmp_path)


@pytest.mark.parametrize("depth", [99, 100, 101, 900, 100_000])
def test_documents_that_are_nested_too_deeply_to_be_written_again_are_refused(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a":' * depth + "1" + "}" * depth)
    for read in (read_json, read_json_lines):
        if depth <= 100:
            assert read(path)
        else:
            with pytest.raises(CheckpointError, match=r"nested deeper than 100 levels|recursion"):
                read(path)
