"""Detect a file's format from its whole content, except for what the user has set."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from mtft.data.cutting import RawRecord, cut
from mtft.data.dialect import AS_FOUND, DELIMITERS, Dialect, Layout, form_of
from mtft.data.foreign import foreign_kind, is_json_record
from mtft.data.json_rows import ARRAY, json_array, json_cells, json_lines
from mtft.data.storage import SAMPLE, Stored, likely_encoding
from mtft.data.table_tally import ColumnTally, TableTally, decimal_columns, tally

EMPTY = "no header line"
"""The doubt about a table without any content."""

_SEPARATOR = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)
_COMMA_NUMBERS = re.compile(r':\s*"[+-]?[0-9]+,[0-9]+"')


def dialect_of(path: Path, layout: Layout = AS_FOUND) -> Dialect:
    """Return a file's dialect; the same file is read only once. OSError if it cannot be opened."""
    found = path.stat()
    return _remembered(path, found.st_size, found.st_mtime_ns, found.st_ino, layout)


@functools.lru_cache(maxsize=256)
def _remembered(path: Path, _size: int, _time: int, _inode: int, layout: Layout) -> Dialect:
    return find_dialect(Stored(path), layout)


def find_dialect(stored: Stored, layout: Layout = AS_FOUND) -> Dialect:
    """Read a whole file and detect its dialect; if it is unreadable, the result's `doubt` says why."""
    encoding = layout.encoding or stored.encoding()
    form = layout.form or form_of(stored.path.name)
    found = Dialect(
        form if form in ("json", "jsonl") else "table",
        encoding,
        stored.compression(),
        header=layout.header,
        any_decimal=layout.decimal == ",",
    )
    if kind := foreign_kind(stored.head()):
        return replace(found, doubt=f"the file is {kind}", check="encoding")
    try:
        found = replace(found, line_end=stored.line_end(encoding))
    except UnicodeError as error:
        return replace(found, doubt=f"not {encoding} text: {error}", check="encoding")
    return _table(stored, layout, found) if found.form == "table" else _json(stored, layout, found)


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _json(stored: Stored, layout: Layout, found: Dialect) -> Dialect:
    """Distinguish an array from JSON Lines by its beginning; check for decimal commas if a line seems to have one."""
    lines = iter(stored.lines(found.encoding, found.line_end))
    head = list(islice((line for line in lines if line.strip()), 2))
    begin = "".join(head)[:SAMPLE]
    if ARRAY.match(begin):
        found = replace(found, form="json")
    elif found.form == "json" and begin.lstrip().startswith("{") and (len(head) == 1 or _whole(head[0])):
        found = replace(found, form="jsonl")
    elif found.form == "json" and head:
        doubt = "neither an array of objects, [{...}, ...], nor one object a line"
        return replace(found, doubt=doubt, check="json")
    seen = any(_COMMA_NUMBERS.search(line) for line in chain(head, lines)) and not layout.decimal
    return replace(found, decimal=frozenset(_json_decimals(stored, found))) if seen else found


def _whole(line: str) -> bool:
    return not next(iter(json_lines([line]))).fault


def _json_decimals(stored: Stored, found: Dialect) -> Iterator[str]:
    columns: dict[str, ColumnTally] = {}
    for record in (json_array if found.form == "json" else json_lines)(stored.lines(found.encoding, found.line_end)):
        try:
            cells = json_cells(record.value)
        except ValueError:
            continue
        for name, value in cells.items():
            columns.setdefault(name, ColumnTally()).add(value)
    for column in columns.values():
        column.finish()
    yield from decimal_columns(list(columns), list(columns.values()))


# ---- tables ----------------------------------------------------------------------------------------------------------


def _table(stored: Stored, layout: Layout, found: Dialect) -> Dialect:
    """Try each delimiter in the first line; choose the one for which all rows have as many fields as the header."""

    def lines() -> Iterator[str]:
        return stored.lines(found.encoding, found.line_end)

    first = next(lines(), "")
    skipped, delimiter = 0, layout.delimiter
    if separator := _SEPARATOR.fullmatch(first):
        delimiter, skipped = delimiter or separator[1], 1
        if delimiter not in DELIMITERS:
            return replace(found, doubt=f"line 1 says sep={separator[1]}, which is not a supported delimiter")
        first = next(islice(lines(), 1, None), "")
    if not (first.strip() if layout.header else first.strip("\r\n")):  # a row may be a space
        return replace(found, doubt=_blank_start(lines(), skipped, layout))
    if trouble := _unreadable(first, stored):
        return replace(found, doubt=trouble, check="encoding")
    if is_json_record(first):
        return replace(found, doubt="the first line is JSON, not a header; name the file .jsonl, or .json for an array")
    headers = _headers(lambda: islice(lines(), skipped, None), first, delimiter, layout, skipped)
    if not headers:
        (record, *_) = cut(islice(lines(), skipped, None), delimiter or ",", quotes=True)
        return replace(found, doubt=record.fault)
    if twice := column_twice(headers[0][1].fields if layout.header else layout.columns):
        return replace(found, doubt=twice)
    tallies = [
        tally(islice(lines(), before, None), sign, record, before, quotes=layout.quotes is not False)
        for sign, record, before in headers
    ]
    chosen, doubt = _choose(tallies)
    if doubt:
        return replace(found, doubt=doubt)
    quotes = (chosen.quotes and _reads_quotes(chosen)) if layout.quotes is None else layout.quotes
    decimal = frozenset(decimal_columns(chosen.names, chosen.columns)) if not layout.decimal else frozenset()
    return replace(
        found,
        delimiter=chosen.delimiter,
        quotes=quotes,
        quotes_seen=chosen.quotes or layout.quotes is not None,
        names=tuple(chosen.names),
        first=chosen.first,
        decimal=decimal,
        several=chosen.several - len(chosen.swallowing) if quotes else 0,
        blank=chosen.blank,
        swallowing=chosen.swallowing if layout.quotes is None and quotes else frozenset(),
    )


def _blank_start(lines: Iterable[str], skipped: int, layout: Layout) -> str:
    """Return the message for a blank first line: the file is empty, or its first line with content comes later."""
    number = next((number for number, line in enumerate(lines, 1) if number > skipped and line.strip()), 0)
    if not number:
        return EMPTY
    lacking = "no header line: " if layout.header else ""
    return f"{lacking}line {skipped + 1} is blank, and line {number} is not; remove the blank lines"


def _unreadable(header: str, stored: Stored) -> str:
    """Return why the first line is not text; "" if it is."""
    if "\0" not in header and _is_text(header):
        return ""
    likely = likely_of(stored)
    what = "holds NUL characters" if "\0" in header else "is not UTF-8 text"
    return f"the header {what}; it looks like {likely}: set encoding = {likely!r}" if likely else f"the header {what}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def likely_of(stored: Stored) -> str:
    """Return the file's likely encoding, judged by its first lines that are not ASCII."""
    picked, size = [], 0
    with stored.open() as file:
        for line in islice(iter(lambda: file.readline(SAMPLE), b""), 1_000_000):
            if not line.isascii() or b"\0" in line:
                picked.append(line)
                size += len(line)
            if size > SAMPLE:
                break
    return likely_encoding(b"".join(picked))


Header = tuple[str, RawRecord, int]
"""A delimiter, the first record that it gives, and the number of lines before the first row."""


def _headers(
    lines: Callable[[], Iterator[str]], first: str, delimiter: str, layout: Layout, skipped: int
) -> list[Header]:
    """Return the first record for each delimiter that splits it, or for none; nothing if its quotes are broken."""
    found: list[Header] = []
    signs = [delimiter] if delimiter else [sign for sign in DELIMITERS if sign in first]
    for sign in [*signs, ""] if not delimiter else signs:
        record = next(cut(lines(), sign, layout.quotes is not False))
        if record.fault and sign == "\t" and layout.quotes is None:
            record = next(cut(lines(), sign, quotes=False))
        if record.fault or (not sign and found) or (len(record.fields) == 1 and sign and not delimiter):
            continue
        found.append((sign, record, skipped + len(record.texts)))
    if layout.header:
        return found
    fitting = [each for each in found if len(each[1].fields) == len(layout.columns)] or found[:1]
    return [(sign, replace(record, fields=list(layout.columns), quoted=()), skipped) for sign, record, _ in fitting]


def _choose(tallies: Sequence[TableTally]) -> tuple[TableTally, str]:
    """Return the tally of the best delimiter, and a message if two fit equally well."""
    if len(tallies) == 1:
        return tallies[0], _one_column_doubt(tallies[0])
    fitting = [each for each in tallies if not _unfit(each)]
    if fitting and (fitting[0].delimiter == "\t" or len(fitting) == 1 or not fitting[0].rows):
        return fitting[0], ""
    if len({each.stray for each in fitting}) > 1:  # quotes enclose fields and are not inside them
        return min(fitting, key=lambda each: each.stray), ""
    labelled = [each for each in fitting if any(column.few for column in each.columns)]
    if len(labelled) == 1:
        return labelled[0], ""
    if len(fitting) > 1:
        readings = " or ".join(
            f"at {DELIMITERS[each.delimiter]}s ({' | '.join(name.strip() for name in each.names)})" for each in fitting
        )
        keys = " or ".join(repr(each.delimiter) for each in fitting)
        return fitting[0], f"all rows can be cut {readings}; set delimiter = {keys}"
    return min(tallies, key=_unfit), ""


def _unfit(found: TableTally) -> float:
    """Return the share of rows that do not fit the header, whether quotes are read or are text."""
    if found.delimiter == "\t":
        return min(found.bad, found.raw_bad) / max(found.rows, 1)
    return found.bad / max(found.rows, 1)


def _one_column_doubt(found: TableTally) -> str:
    """Return a message if the header has one field but all rows have the same larger number of fields."""
    for (sign, width), count in found.widths.items():
        if width > 1 and count == found.rows >= 3:
            name = found.names[0][:60]
            return f"the header has one column, {name!r}, but all rows have {width} fields cut at {DELIMITERS[sign]}s"
    return ""


def _reads_quotes(found: TableTally) -> bool:
    """Decide whether quotes enclose fields or are text.

    In tables separated by commas, semicolons or bars they enclose fields. Tables separated by tabs come in two forms:
    with quotes around the fields that need them, or around whole columns; or without quoting (as in GLUE), where a
    quote is text.
    """
    if found.delimiter != "\t":
        return True
    if found.header_quoted and found.bad <= found.raw_bad:
        return True
    if found.torn:
        return found.proven >= 9 * found.torn or found.quoted_columns or found.raw_bad > found.bad
    return found.bad < found.raw_bad or (found.bad == found.raw_bad and (found.proven > 0 or found.whole_columns))


def column_twice(names: Iterable[str]) -> str:
    """Return a message if a header names a column twice."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            return f"column {name!r} appears twice"
        seen.add(name)
    return ""
