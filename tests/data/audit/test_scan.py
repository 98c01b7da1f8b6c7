"""The scanner: the reader's rows with their bytes, whatever a file holds, and a trouble for each of the others."""

from __future__ import annotations

import codecs
import csv
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtft.data.audit.scan import Scan, scan_bytes, scan_file
from mtft.data.readers import read_rows
from mtft.errors import DataError

some = settings(max_examples=150, deadline=None)
GONE, NO_FILE = "no such file or directory", "not a regular file"
NAMES = (Path("x.csv"), Path("x.jsonl"))
broken = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\t", b"\n", b"\r", b"\r\n", b"a", b"b,c", b"\xff", b"\0", b"\xef\xbb\xbf"])
    | st.sampled_from([b'{"a": "b"}', b"{", b"\xc3\xa9", b"\xe2\x80\xa8", b"1", b" ", b"[]", b'"\\ud800"']),
    max_size=30,
).map(b"".join)


def troubles(found: Scan) -> list[tuple[int, str]]:
    return [(row.line, row.trouble.check) for row in found.rows if row.trouble]


def scan(text: str | bytes, name: str = "x.csv") -> Scan:
    return scan_bytes(Path(name), text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n3\n4,5\n", [(3, "ragged")]),
        ("a,b\n1,2\n\n3,4,5\n", [(4, "ragged")]),
        ("a\tb\n1\t2\n  \n", [(3, "ragged")]),
        ('a,b\n"x"y,2\n3,4\n', [(2, "quotes")]),
        ('a,b\n1,2\n3,"x\n4,5\n6,7\n', [(3, "quotes")]),
        (b"a,b\n1,\xff\n3,4\n", [(2, "encoding")]),
        (b'a,b\n1,"x\n\xe9"\n3,4\n', [(2, "encoding")]),
        ("a,b\n1,\0\n3,4\n", [(2, "nul")]),
        ("a,b\n1," + "x" * 10_000_001 + "\n3,4\n", [(2, "row")]),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(content: str | bytes, expected: list[tuple[int, str]]) -> None:
    found = scan(content)
    assert troubles(found) == expected
    assert found.trouble is None
    assert found.rows[-1].fields or expected[-1][0] == found.rows[-1].line


@pytest.mark.parametrize(
    ("content", "check"),
    [
        ("", "header"),
        ("\n\n", "header"),
        ("a,b,a\n1,2,3\n", "header"),
        ('"a,b\n1,2\n', "header"),
        (b"a,\xff\n1,2\n", "encoding"),
        ("a,b\n1,2\n".encode("utf-16-le"), "encoding"),
    ],
)
def test_a_file_without_a_header_has_no_rows(content: str | bytes, check: str) -> None:
    found = scan(content)
    assert found.trouble is not None
    assert (found.trouble.check, found.rows) == (check, ())


def test_json_lines_are_judged_one_by_one() -> None:
    found = scan(b'{"a": 1}\n{"a": }\n\n[1]\n{"a": "\\u0000"}\n{"a": "\xff"}\n{"a": "\\ud800"}\n{"a": null}', "x.jsonl")
    assert troubles(found) == [(2, "json"), (4, "json"), (5, "nul"), (6, "encoding"), (7, "json")]
    assert [row.fields for row in found.rows if not row.trouble] == [{"a": "1"}, {"a": ""}]
    assert found.lines == 8


def test_a_quote_that_is_never_closed_costs_one_row_and_says_how_many_lines_it_swallows() -> None:
    found = scan('a,b\n1,"x\n' + "3,4\n" * 50)
    assert len(found.rows) == 51
    assert troubles(found) == [(2, "quotes")]
    assert found.rows[0].trouble is not None
    assert "a quote opened here swallows 50 lines" in found.rows[0].trouble.text


def test_many_quotes_that_are_never_closed_are_given_up_on_in_linear_time() -> None:
    found = scan("a,b,c,d\n" + 'a",c,"b\n' * 30_000)
    assert len(found.rows) < 30_000
    last = found.rows[-1]
    assert last.trouble is not None
    assert "the rest of the file is not tried" in last.trouble.text
    assert (last.line + last.lines - 1, last.end) == (30_001, len(found.data))


def test_a_file_that_is_not_there_or_no_file_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for name, text in (("gone.csv", GONE), ("", NO_FILE), ("pipe.csv", NO_FILE)):
        trouble = scan_file(tmp_path / name).trouble
        assert trouble is not None
        assert (trouble.check, trouble.text) == ("file", text)


@some
@given(broken, st.sampled_from(NAMES), st.booleans())
@example(body=b'\r[]"', name=Path("x.jsonl"), header=False)
@example(body=b'[]"\r"', name=Path("x.jsonl"), header=False)
def test_any_bytes_give_rows_in_order_that_own_their_bytes(body: bytes, name: Path, header: bool) -> None:
    data = (b"a,b\n" if header else b"") + body
    found = scan_bytes(name, data)
    ends = 0
    end = 10 if b"\n" in data else 13  # a carriage return alone is text where lines end in a line feed
    for row in found.rows:
        assert ends <= row.begin < row.end <= len(data)
        assert row.line == 1 + naive_lines(data[: row.begin], end)
        assert row.lines == naive_lines(data[row.begin : row.end], end) + (data[row.end - 1] != end)
        assert bool(row.fields) != bool(row.trouble) or name.suffix == ".jsonl"
        ends = row.end
    text = data.removeprefix(codecs.BOM_UTF8)
    assert found.lines == naive_lines(text, end) + (bool(text) and text[-1] != end)


def naive_lines(data: bytes, end: int) -> int:
    """Count line ends one byte at a time."""
    count = 0
    for byte in data:
        count += byte == end
    return count


@some
@given(broken, st.sampled_from(NAMES), st.booleans())
def test_what_the_reader_reads_the_scanner_reads_and_what_it_refuses_is_trouble(
    body: bytes, name: Path, header: bool
) -> None:
    data = (b"a,b\n" if header else b"") + body
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        found = scan_file(path)
        good = [(row.line, row.fields) for row in found.rows if not row.trouble]
        rows, error = attempt(path)
    if b"\0" in data or b"u0000" in data:
        return  # the scanner takes no NUL, the reader does
    assert bool(error) == bool(found.trouble or troubles(found))
    if not error:
        assert rows == good
    elif found.trouble is None:
        line = int(error.removeprefix(f"{path}:").partition(":")[0])
        assert any(row.line <= line < row.line + row.lines for row in found.rows if row.trouble)


def attempt(path: Path) -> tuple[list[tuple[int, dict[str, str]]], str]:
    try:
        return list(read_rows(path)), ""
    except DataError as error:
        return [], str(error)


@some
@given(
    st.lists(st.tuples(st.text(max_size=8), st.text('a",\t\r\n', max_size=8)), max_size=6),
    st.sampled_from(["\t", ","]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_bytes_of_a_row_alone_hold_the_row(rows: list[tuple[str, str]], delimiter: str, end: str) -> None:
    buffer = io.StringIO(newline="")
    writer: Any = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    rows = [row for row in rows if "\0" not in "".join(row) and "".join(row).isprintable()]
    writer.writerows([("text", "label"), *rows])
    found = scan(buffer.getvalue())
    assert len(found.rows) == len(rows)
    for row, expected in zip(found.rows, rows, strict=True):
        alone = found.data[row.begin : row.end].decode()
        assert next(csv.reader(io.StringIO(alone, newline=""), delimiter=delimiter)) == list(expected)
