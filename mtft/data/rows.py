"""The rows of a text file in order, each with its lines and bytes, bad rows included; all commands read with this."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mtft.data.cutting import RawRecord, cut
from mtft.data.dialect import Dialect
from mtft.data.json_rows import json_array, json_cells, json_lines
from mtft.data.sniff import likely_of
from mtft.data.storage import Stored

LONGEST_NAME = 200
"""Most characters of a column's name; a longer first field does not repeat the header."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of a row or a file: the name of the `check`, and a description."""

    check: str
    text: str


@dataclass(slots=True)
class Row:
    """One row: its first `line` (from 1), its number of `lines`, its bytes [begin, end), and its fields or its trouble.

    Byte positions refer to the text in UTF-8, without a byte-order mark.
    """

    line: int
    lines: int
    begin: int
    end: int
    fields: dict[str, str]
    trouble: Trouble | None = None


def rows_of(stored: Stored, dialect: Dialect, lines: Iterable[str] | None = None) -> Iterator[Row]:
    """Yield the rows of a file without a `doubt`; `lines` are its lines if they were already read.

    Memory holds the lines of one row at most, and about 64 KiB of an array.
    """
    lines = stored.lines(dialect.encoding, dialect.line_end) if lines is None else lines
    likely = functools.cache(lambda: likely_of(stored))
    read = {"table": _table_rows, "jsonl": _json_rows, "json": _array_rows}[dialect.form]
    return read(iter(lines), dialect, likely)


Likely = Callable[[], str]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _trouble_of(text: str, likely: Likely) -> Trouble | None:
    """Return the fault in a row's characters, if any."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            byte = ord(text[error.start]) - 0xDC00
            name = likely()
            hint = f"; the file looks like {name}: set encoding = {name!r}" if name else ""
            return Trouble("encoding", f"not UTF-8 text (byte 0x{byte:02x}){hint}")
    return Trouble("nul", "holds a NUL character") if "\0" in text else None


def _table_rows(lines: Iterator[str], dialect: Dialect, likely: Likely) -> Iterator[Row]:
    at = sum(map(_size, islice(lines, dialect.first - 1)))
    names, width = dialect.names, len(dialect.names)
    marked = dialect.any_decimal or dialect.decimal
    for record in cut(lines, dialect.delimiter, dialect.quotes, dialect.first, dialect.swallowing, quick=True):
        text = record.texts[0] if len(record.texts) == 1 else "".join(record.texts)
        begin, at = at, at + _size(text)
        if not record.fields and not record.fault:
            continue  # a blank line
        trouble = _trouble_of(text, likely) or _misfit(record, dialect)
        fields = {} if trouble else dict(zip(names, record.fields[:width], strict=True))
        if marked:
            fields = {name: dialect.cell(name, value) for name, value in fields.items()}
        yield Row(record.line, len(record.texts), begin, at, fields, trouble)


def _misfit(record: RawRecord, dialect: Dialect) -> Trouble | None:
    """Return the fault in a record's fields, if any."""
    width = len(dialect.names)
    if record.fault:
        return Trouble("quotes" if any('"' in text for text in record.texts) else "row", record.fault)
    if len(record.fields) != width:
        wanted = "header" if dialect.header else "setting columns"
        return Trouble("ragged", f"{len(record.fields)} fields where the {wanted} has {width}")
    if not dialect.delimiter and not record.quoted and "\t" in record.fields[0]:
        return Trouble("ragged", f"{record.fields[0].count(chr(9)) + 1} fields where the header has 1")
    if dialect.header and repeats_header(record.fields, dialect.names):
        return Trouble("header", "repeats the header line")
    return None


def repeats_header(fields: Sequence[str], names: tuple[str, ...]) -> bool:
    """Return whether a row of several fields is the header again, in any order, case and spacing."""
    if len(names) < 2 or len(fields[0]) > LONGEST_NAME:
        return False
    wanted = _plain_names(names)
    return _plain_name(fields[0]) in wanted and sorted(map(_plain_name, fields)) == wanted


@functools.lru_cache(maxsize=64)
def _plain_names(names: tuple[str, ...]) -> list[str]:
    return sorted(map(_plain_name, names))


def _plain_name(name: str) -> str:
    return name.removeprefix("\ufeff").strip().casefold()


def _json_rows(lines: Iterator[str], dialect: Dialect, likely: Likely) -> Iterator[Row]:
    end = 0
    for record in json_lines(lines):
        begin = end + _size(record.before)
        end = begin + _size(record.text)
        yield _json_row(record.line, 1, begin, end, (record.text, record.value, record.fault), dialect, likely)


def _array_rows(lines: Iterator[str], dialect: Dialect, likely: Likely) -> Iterator[Row]:
    end = 0
    for record in json_array(lines, dialect.line_end):
        begin = end + _size(record.before)
        end = begin + _size(record.text)
        count = record.text.count(dialect.line_end) + (not record.text.endswith(dialect.line_end))
        yield _json_row(record.line, count, begin, end, (record.text, record.value, record.fault), dialect, likely)


def _json_row(
    line: int,
    lines: int,
    begin: int,
    end: int,
    found: tuple[str, dict[str, object], str],
    dialect: Dialect,
    likely: Likely,
) -> Row:
    text, value, fault = found
    cells: dict[str, str] = {}
    trouble = Trouble("json", fault) if fault else None
    if not fault:
        try:
            cells = json_cells(value)
        except ValueError as error:
            trouble = Trouble("json", str(error))
    if bad := _trouble_of(text, likely) or (_trouble_of("".join(cells.values()), likely) if cells else None):
        trouble = bad
    if dialect.any_decimal or dialect.decimal:
        cells = {name: dialect.cell(name, cell) for name, cell in cells.items()}
    return Row(line, lines, begin, end, {} if trouble else cells, trouble)
