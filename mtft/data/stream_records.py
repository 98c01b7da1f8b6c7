"""Records of a stream: JSON, a table, or plain lines. An unreadable record carries an error, and reading goes on."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mtft.data.cutting import RawRecord, cut, without_end
from mtft.data.dialect import AS_FOUND, DELIMITERS, Layout
from mtft.data.json_rows import ARRAY, JsonRecord, json_array, json_lines
from mtft.data.lines import MAX_LINE, BoundedLines
from mtft.data.readers import near_column, row_hint
from mtft.data.rows import repeats_header
from mtft.data.sniff import column_twice
from mtft.errors import DataError, setting
from mtft.io.text import show

TEXTS = {"single": ("sentence",), "pair": ("sentence1", "sentence2")}
"""Keys that a record needs for each kind of input."""

MAX_PARTS = 100
"""Lists and objects in an id."""

MAX_BLANK = 1000
"""Most blank lines that are skipped before the line by which the form is guessed."""

NAMES = frozenset({"id", "idx", "index", "text", "label", "sentence", "title", "question", "answer", "class", "target"})
"""Usual column names: input whose first line has one of them is read as a table."""

_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""The characters that the error handler ``surrogateescape`` puts in place of bytes that are not UTF-8."""


@dataclass(frozen=True)
class Record:
    """One input: its id, its texts by key, and its line; `error` says why it has no prediction.

    `origin` names the input in errors, by default by its line. `kept` holds the columns that are copied to the output.
    """

    id: Any
    texts: Mapping[str, str]
    line: int
    error: str = ""
    origin: str = ""
    kept: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return sum(map(len, self.texts.values()))


@dataclass(frozen=True)
class Wanted:
    """What is read from records: texts under `keys`, the `id` (by default the line), and the columns to keep.

    `needs` returns what is missing from some columns for the tasks, "" if nothing, and `report` tells the user what a
    table with these columns leaves unanswered. With `no_blanks` a blank plain line is not a text.
    """

    keys: Collection[tuple[str, ...]] = tuple(TEXTS.values())
    id: str = ""
    keep: tuple[str, ...] = ()
    needs: Callable[[Collection[str]], str] = lambda _: ""
    report: Callable[[Collection[str]], None] = lambda _: None
    no_blanks: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return tuple(dict.fromkeys([*itertools.chain(*self.keys), self.id or "id", *self.keep]))

    def check(self, names: Collection[str]) -> str:
        """Return what is missing from a table with these columns, "" if nothing."""
        lacking = [name for name in ((self.id,) if self.id else ()) + self.keep if name not in names]
        reason = f"there is no column {lacking[0]!r}" if lacking else self.needs(names)
        if not reason:
            return ""
        wanted = lacking or list(itertools.chain(*self.keys))
        near = next(filter(None, (near_column(name, list(names)) for name in wanted)), "")
        return f"{reason}; the columns are {', '.join(names)}{near}{row_hint(list(names))}"

    def record(self, number: int, row: Mapping[str, Any]) -> Record:
        """Make a record from a row and check its texts."""
        name = row.get(self.id or "id", number)
        kept = {key: row[key] for key in self.keep if key in row}
        texts = {key: row[key] for each in self.keys for key in each if key in row}
        lacking = [key for key in ((self.id,) if self.id else ()) + self.keep if key not in row]
        error = f"no {lacking[0]!r}" if lacking else next(filter(None, map(_text_error, texts, texts.values())), "")
        if error:
            return Record(name, {}, number, f"input line {number}: {error}", kept=kept)
        return Record(name, texts, number, kept=kept)


def _text_error(key: str, text: Any) -> str:
    if not isinstance(text, str):
        return f"{key} is {show(text)}, not a text"
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return f"{key} holds half of a surrogate pair, which is not a character"
    return ""


ANY = Wanted()


def read_records(
    lines: Iterable[str], form: str = "auto", wanted: Wanted = ANY, layout: Layout = AS_FOUND
) -> Iterator[Record]:
    r"""Read JSON Lines, a JSON array, a table with a header, or plain lines, as they come.

    "auto" decides by the first line that is not blank: an object means JSON Lines, an array of objects a JSON array, a
    header with known names a table. A plain line ends in "\n" or "\r\n"; it holds one text, or a pair separated by a
    tab. A line that cannot be read gives a record with an `error` that names the line. A wrong table header raises a
    DataError.
    """
    rest: Iterator[str] = (line.removeprefix("\ufeff") if number == 1 else line for number, line in enumerate(lines, 1))
    head, first, second = _begin(rest)
    if form == "auto":
        form = _guess(first, second, wanted, layout)
    if form == "json" and not first.lstrip().startswith("["):
        form = "jsonl"
        if first and next(iter(json_lines([first]))).fault:
            raise DataError("input line 1: neither an array of objects, [{...}, ...], nor one object a line")
    if form != "json":
        rest = itertools.chain(head, rest)
    if form == "jsonl":
        yield from _json(json_lines(rest), wanted)
    elif form == "json":
        pieces = lines.pieces() if isinstance(lines, BoundedLines) else ()
        yield from _json(json_array(itertools.chain(head, pieces or rest)), wanted, by_line=False)
    elif form in ("csv", "tsv", "table"):
        yield from _table(rest, form, wanted, layout)
    else:
        yield from (_from_line(number, line, wanted) for number, line in enumerate(rest, 1))


def _begin(lines: Iterator[str]) -> tuple[list[str], str, str]:
    """Return the lines up to and including the first that is not blank; if that is "[" alone, also the next line."""
    head, first, second = [], "", ""
    for line in itertools.islice(lines, MAX_BLANK):
        head.append(line)
        if line.strip():
            first = line
            break
    if first.strip() == "[" and (second := next(lines, "")):
        head.append(second)
    return head, first, second


def _guess(line: str, second: str, wanted: Wanted, layout: Layout) -> str:
    """Guess the form from the first line; DataError if it looks like a header without the needed columns."""
    if line.lstrip().startswith("{"):
        return "jsonl"
    if ARRAY.match(line) and (line.strip() != "[" or second.lstrip()[:1] in ("{", "]")):
        return "json"
    if layout != AS_FOUND:
        return "table"
    headers = [_fields(line[:MAX_LINE], sign) for sign in DELIMITERS if sign in line] or [_fields(line[:MAX_LINE], "")]
    if any(set(each) <= set(names) for names in headers for each in wanted.keys):
        return "table"
    columns = {name.casefold() for name in itertools.chain(*wanted.keys)}
    for names in headers:
        plain = {name.strip().casefold() for name in names}
        if len(names) > 1 and (NAMES & plain or columns & plain) and (reason := wanted.check(names)):
            advice = f"{setting('format', 'txt')} takes every line for a text"
            raise DataError(f"input line 1 looks like the header of a table: {reason}; {advice}")
    return "lines"


def other_form(lines: Iterable[str], wanted: Wanted) -> str:
    """Return what the lines of a plain text look like instead, judged by the first that is not blank; "" if nothing."""
    _, first, second = _begin(iter(lines))
    try:
        found = _guess(first.removeprefix("\ufeff"), second, wanted, AS_FOUND)
    except DataError:
        found = "table"
    return {"table": "the header of a table", "json": "a JSON array", "jsonl": "JSON Lines"}.get(found, "")


def _fields(line: str, delimiter: str) -> list[str]:
    record = next(cut([line], delimiter, quotes=True), RawRecord(1, [], []))
    return record.fields if not record.fault else without_end(line).split(delimiter or None)


# ---- one form each ---------------------------------------------------------------------------------------------------


def _readable(line: str) -> str:
    """Return the line; ValueError if its characters are invalid."""
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE:,} characters")
    if not line.isascii() and (found := _UNDECODABLE.search(line)):
        raise ValueError(f"not UTF-8 text (byte 0x{ord(found[0]) - 0xDC00:02x})")
    return line


def _json(records: Iterable[JsonRecord], wanted: Wanted, *, by_line: bool = True) -> Iterator[Record]:
    """Make records; those without an id have their line, or their number, since an array may be one line."""
    for number, found in enumerate(records, 1):
        default = found.line if by_line else number
        try:
            _readable(found.text)
            if found.fault:
                raise ValueError(found.fault)
            name = found.value.get(wanted.id or "id")
            if isinstance(name, list | dict) and sum(map(json.dumps(name).count, "[{")) > MAX_PARTS:
                raise ValueError(f"id holds more than {MAX_PARTS} lists and objects")
        except ValueError as error:
            yield Record(default, {}, found.line, f"input line {found.line}: {error}")
        else:
            record = wanted.record(found.line, found.value)
            yield record if (wanted.id or "id") in found.value else replace(record, id=default)


def _table(lines: Iterator[str], form: str, wanted: Wanted, layout: Layout) -> Iterator[Record]:
    """Read a table from a stream: its first line decides the delimiter."""
    number = 1
    first = next(lines, None)
    while first is not None and not first.strip():
        number, first = number + 1, next(lines, None)
    if first is None:
        return
    lines = itertools.chain([first], lines)
    try:
        delimiter = layout.delimiter or _delimiter(_readable(first), form)
        quotes = layout.quotes
        names = list(layout.columns)
        if layout.header:
            record = next(cut(lines, delimiter, quotes is not False, number))
            if record.fault and (delimiter != "\t" or quotes):
                raise ValueError(record.fault)
            names = record.fields or without_end(first).split("\t")
            quotes = True if record.quoted and len(record.quoted) == len(names) else quotes
        if problem := column_twice(names) or wanted.check(names):
            raise ValueError(problem)
    except ValueError as error:
        raise DataError(f"input line {number}: {error}") from None
    wanted.report(names)
    number += len(record.texts) if layout.header else 0
    if quotes is None:
        quotes = delimiter != "\t"
    by_line = delimiter == "\t" and not quotes and layout.quotes is None
    for each in cut(lines, delimiter, quotes, number):
        if each.fields or each.fault:
            yield _row(_unquoted(each) if by_line else each, names, wanted, header=layout.header)


def _delimiter(header: str, form: str) -> str:
    signs = {"csv": [",", ";", "|"], "tsv": ["\t"]}.get(form, list(DELIMITERS))
    return next((sign for sign in signs if len(_fields(header, sign)) > 1), "\t" if form == "tsv" else "")


def _unquoted(record: RawRecord) -> RawRecord:
    """Remove the quotes that a tab-separated line needs: those that are closed and enclose a tab or a doubled quote."""
    if '"' not in record.texts[0]:
        return record
    found = next(cut(record.texts, "\t", quotes=True, first=record.line))
    return found if found.proven and not found.fault else record


def _row(record: RawRecord, names: list[str], wanted: Wanted, *, header: bool) -> Record:
    number = record.line
    try:
        for text in record.texts:
            _readable(text)
        if record.fault:
            raise ValueError(record.fault)
        if len(names) == 1 and not record.quoted and "\t" in record.fields[0]:
            raise ValueError(f"{record.fields[0].count(chr(9)) + 1} fields where the header has 1")
        if len(record.fields) != len(names):
            raise ValueError(f"{len(record.fields)} fields where the header has {len(names)}")
        if header and repeats_header(record.fields, tuple(names)):
            raise ValueError("repeats the header line")
    except ValueError as error:
        return Record(number, {}, number, f"input line {number}: {error}")
    return wanted.record(number, dict(zip(names, record.fields, strict=True)))


def _from_line(number: int, line: str, wanted: Wanted) -> Record:
    text = line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")
    try:
        _readable(text)
        if wanted.no_blanks and not text.strip():
            raise ValueError("a blank line")
        parts = text.split("\t")
        if len(parts) > 2:
            raise ValueError(f"{len(parts)} tab-separated texts where one or two are needed")
    except ValueError as error:
        return Record(number, {}, number, f"input line {number}: {error}")
    return Record(number, dict(zip(TEXTS["single" if len(parts) == 1 else "pair"], parts, strict=True)), number)
