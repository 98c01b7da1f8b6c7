"""Every row of a file with its line and its bytes, bad ones too: the reader's rules, but nothing stops it."""

from __future__ import annotations

import csv
import stat
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from mtft.data.readers import MAX_FIELD, column_twice, json_record

BOM = b"\xef\xbb\xbf"

REREADS = 20
"""How often, on average, a line may be read again after a row that cannot be read: keeps the scan linear."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a row or a file: the name of the `check`, and what was found."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its first `line` (from 1), its number of `lines`, its bytes [begin, end), its fields or its trouble."""

    line: int
    lines: int
    begin: int
    end: int
    fields: dict[str, str]
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Scan:
    """A file's rows in order; `names` are a table's columns (none for JSON Lines).

    With `trouble` the file as a whole cannot be read, and has no rows.
    """

    path: Path
    data: bytes = field(repr=False)
    lines: int = 0
    names: tuple[str, ...] = ()
    rows: tuple[Row, ...] = field(default=(), repr=False)
    trouble: Trouble | None = None


def scan_file(path: Path) -> Scan:
    """Read a file; whatever it holds, the result says what is wrong instead of raising."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
            return Scan(path, b"", trouble=Trouble("file", "not a regular file"))
        data = path.read_bytes()
    except OSError as error:
        return Scan(path, b"", trouble=Trouble("file", (error.strerror or str(error)).lower()))
    return scan_bytes(path, data)


def scan_bytes(path: Path, data: bytes) -> Scan:
    """Read the bytes of a file as `mtft.data.readers.read_rows` would, row by row."""
    lines = _Lines(data)
    if path.suffix == ".jsonl":
        return Scan(path, data, len(lines), rows=tuple(_json_rows(lines)))
    records = _records(lines.texts)
    _, end, names, fault = next(records, (0, 0, [], ""))
    if fault or not lines.texts or not lines.texts[0].strip():
        return Scan(path, data, len(lines), trouble=Trouble("header", fault or "no header line"))
    if lines.undecodable(0, end):
        return Scan(path, data, len(lines), trouble=Trouble("encoding", "the header is not UTF-8 text"))
    if twice := column_twice(names):
        return Scan(path, data, len(lines), trouble=Trouble("header", twice))
    rows = tuple(_table_rows(lines, records, names))
    return Scan(path, data, len(lines), tuple(names), rows)


class _Lines:
    """A file cut at its line ends: `texts`, where each begins in bytes, and which are not UTF-8."""

    def __init__(self, data: bytes) -> None:
        raw = data.splitlines(keepends=True)
        self.begins = [0, *accumulate(map(len, raw))]
        if raw and raw[0].startswith(BOM):
            raw[0] = raw[0][len(BOM) :]
        self.texts = [line.decode("utf-8", "surrogateescape") for line in raw]
        try:
            data.decode()
            self._bad: list[int] = []
        except UnicodeDecodeError:
            self._bad = [number for number, text in enumerate(self.texts) if not _is_text(text)]
        self._nul = [number for number, text in enumerate(self.texts) if "\0" in text] if b"\0" in data else []

    def __len__(self) -> int:
        return len(self.texts)

    def undecodable(self, begin: int, end: int) -> bool:
        return _any_within(self._bad, begin, end)

    def has_nul(self, begin: int, end: int) -> bool:
        return _any_within(self._nul, begin, end)

    def row(self, begin: int, end: int, fields: dict[str, str], trouble: Trouble | None) -> Row:
        """Make a row of the lines [begin, end), with what is wrong with its bytes before anything else."""
        if self.undecodable(begin, end):
            trouble = Trouble("encoding", "not UTF-8 text")
        elif self.has_nul(begin, end) or any("\0" in text for text in fields.values()):
            trouble = Trouble("nul", "holds a NUL character")
        return Row(begin + 1, end - begin, self.begins[begin], self.begins[end], {} if trouble else fields, trouble)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _any_within(numbers: Sequence[int], begin: int, end: int) -> bool:
    place = bisect_left(numbers, begin)
    return place < len(numbers) and numbers[place] < end


def _json_rows(lines: _Lines) -> Iterator[Row]:
    for number, text in enumerate(lines.texts):
        if not text.strip():
            continue
        fields: dict[str, str] = {}
        trouble = None
        try:
            fields = json_record(text)
        except ValueError as error:
            trouble = Trouble("json", str(error))
        yield lines.row(number, number + 1, fields, trouble)


Record = tuple[int, int, list[str], str]
"""Lines [begin, end) of one row, its fields, and what the csv module says of it if it cannot be read."""


def _records(texts: Sequence[str]) -> Iterator[Record]:
    """Cut a table into rows; after one that cannot be read, go on with the line behind the one where it begins."""
    csv.field_size_limit(MAX_FIELD)
    delimiter = "\t" if texts and "\t" in texts[0] else ","
    base, spare = 0, REREADS * len(texts) + 1000
    while base < len(texts):
        reader = csv.reader((texts[i] for i in range(base, len(texts))), delimiter=delimiter, strict=True)
        begin = base
        try:
            for fields in reader:
                end = base + reader.line_num
                yield begin, end, fields, ""
                begin = end
            return
        except csv.Error as error:
            reached = base + reader.line_num
            swallowed = f"; a quote opened here swallows {reached - begin - 1} lines" if reached > begin + 1 else ""
            yield begin, begin + 1, [], f"{error}{swallowed}"
            spare -= reached - begin
            base = begin + 1
        if spare < 0 and base < len(texts):
            yield base, len(texts), [], "too many rows before cannot be read; the rest of the file is not tried"
            return


def _table_rows(lines: _Lines, records: Iterator[Record], names: Sequence[str]) -> Iterator[Row]:
    for begin, end, fields, fault in records:
        trouble = None
        if fault:
            quoted = any('"' in lines.texts[number] for number in range(begin, end))
            trouble = Trouble("quotes" if quoted else "row", fault)
        elif not fields:
            continue  # a blank line
        elif len(fields) != len(names):
            trouble = Trouble("ragged", f"{len(fields)} fields where the header has {len(names)}")
        row = {} if trouble else dict(zip(names, fields, strict=True))
        yield lines.row(begin, end, row, trouble)
