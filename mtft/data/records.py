"""Records of a stream: JSON Lines, a table, or plain lines; one that cannot be read says why, and stops nothing."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from mtft.data.readers import MAX_FIELD, column_twice, json_object
from mtft.errors import DataError
from mtft.io.text import show

TEXTS = {"single": ("sentence",), "pair": ("sentence1", "sentence2")}
"""Keys that a record needs for each kind of input."""

DELIMITERS = {"tsv": "\t", "csv": ","}
"""What parts the fields of each form of table."""

MAX_LINE = 1_000_000
"""Characters in one line; far above what a model reads, far below what would fill the memory."""

MAX_PARTS = 100
"""Lists and objects in an id."""

_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""What the error handler ``surrogateescape`` makes of bytes that are not UTF-8."""


@dataclass(frozen=True)
class Record:
    """One input: its id, its texts by key, and the line that it stood on; `error` says why it cannot be answered.

    `origin` is what errors call it, by default its line.
    """

    id: Any
    texts: Mapping[str, str]
    line: int
    error: str = ""
    origin: str = ""

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return sum(map(len, self.texts.values()))


def bounded_lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines of a stream as they come, of one beyond `MAX_LINE` the beginning alone, however long it is."""
    while line := stream.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith("\n"):
            line = stream.readline(MAX_LINE + 1)


def read_records(
    lines: Iterable[str], form: str = "auto", keys: Collection[tuple[str, ...]] = tuple(TEXTS.values())
) -> Iterator[Record]:
    """Read JSON Lines, a table with a header, TSV or CSV, whose rows take a line each, or plain lines.

    "auto" takes the first line that is not empty: an object means JSON Lines, a header with known names, parted by tabs
    or commas, a table. A plain line is one text, or a pair around a tab. `keys` are the columns of all tasks.
    A line that is no record gives one with an `error` that names it; a table's header must be right (DataError).
    """
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1))
    rows = ((number, line.removeprefix("\ufeff") if number == 1 else line) for number, line in numbered)
    filled: Iterator[tuple[int, str]] = ((number, line) for number, line in rows if line.strip())
    first = next(filled, None)
    if first is None:
        return
    form = _guess(first[1], keys) if form == "auto" else form
    header: list[str] = []
    delimiter = DELIMITERS.get(form, "")
    if delimiter:
        try:
            header = _fields(_readable(first[1]), delimiter)
            if twice := column_twice(header):
                raise ValueError(twice)
        except ValueError as error:
            raise DataError(f"input line {first[0]}: {error}") from None
    else:
        filled = itertools.chain([first], filled)
    for number, line in filled:
        try:
            line = _readable(line)
            if form == "jsonl":
                yield _from_json(number, line, keys)
            elif delimiter:
                yield _from_table(number, line, delimiter, header, keys)
            else:
                yield _from_line(number, line)
        except ValueError as error:
            yield Record(number, {}, number, f"input line {number}: {error}")


def _guess(line: str, keys: Collection[tuple[str, ...]]) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    for form, delimiter in DELIMITERS.items():
        with suppress(ValueError):
            names = set(_fields(line[:MAX_LINE], delimiter))
            if any(names >= set(each) for each in keys):
                return form
    return "lines"


# ---- one line each; ValueError says what is wrong with it -------------------------------------------------------


def _readable(line: str) -> str:
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE:,} characters")
    if found := _UNDECODABLE.search(line):
        raise ValueError(f"not UTF-8 text (byte 0x{ord(found[0]) - 0xDC00:02x})")
    return line


def _from_json(number: int, line: str, keys: Collection[tuple[str, ...]]) -> Record:
    record = json_object(line)
    texts = {key: record[key] for each in keys for key in each if key in record}
    name = record.get("id", number)
    if isinstance(name, list | dict) and sum(map(json.dumps(name).count, "[{")) > MAX_PARTS:
        raise ValueError(f"id holds more than {MAX_PARTS} lists and objects")
    for key, text in texts.items():
        if not isinstance(text, str):
            return Record(name, {}, number, f"input line {number}: {key} is {show(text)}, not a text")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            reason = f"{key} holds half of a surrogate pair, which is no character"
            return Record(name, {}, number, f"input line {number}: {reason}")
    return Record(name, texts, number)


def _fields(line: str, delimiter: str) -> list[str]:
    csv.field_size_limit(MAX_FIELD)
    if delimiter == "," and line.count('"') % 2:
        raise ValueError("a quoted field that does not end on its line")
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _from_table(number: int, line: str, delimiter: str, header: list[str], keys: Collection[tuple[str, ...]]) -> Record:
    fields = _fields(line, delimiter)
    if len(fields) != len(header):
        raise ValueError(f"{len(fields)} fields where the header has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    texts = {key: row[key] for each in keys for key in each if key in row}
    return Record(row.get("id", number), texts, number)


def _from_line(number: int, line: str) -> Record:
    parts = line.split("\t")
    if len(parts) > 2:
        raise ValueError(f"{len(parts)} tab-separated texts where one or two are needed")
    return Record(number, dict(zip(TEXTS["single" if len(parts) == 1 else "pair"], parts, strict=True)), number)
