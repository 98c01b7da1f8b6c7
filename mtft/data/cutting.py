"""Split the lines of a delimited table into records; after an unreadable record, the next line begins a new one."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

MAX_FIELD = 10_000_000
"""Most characters in one field: more than any text has, and far less than would fill the memory."""

REREADS = 20
"""Most times, on average, that a line is read again after an unreadable record; this keeps the time linear."""


@dataclass(slots=True)
class RawRecord:
    """The lines of one record with their line ends, and its fields or its `fault`.

    `line` is the number of the first line, from 1. `quoted` holds the numbers of the quoted fields. `proven` is true if
    one of these needed its quotes: it holds a delimiter, a doubled quote or a line end. A blank line is a record
    without fields.
    """

    line: int
    texts: list[str]
    fields: list[str]
    fault: str = ""
    quoted: tuple[int, ...] = ()
    proven: bool = False


def without_end(line: str) -> str:
    r"""Return a line without its end: "\n", "\r\n" or "\r"."""
    return line[:-2] if line.endswith("\r\n") else line[:-1] if line.endswith(("\n", "\r")) else line


def cut(
    lines: Iterable[str],
    delimiter: str,
    quotes: bool,
    first: int = 1,
    swallowing: Set[int] = frozenset(),
    *,
    quick: bool = False,
) -> Iterator[RawRecord]:
    """Yield the records of some lines; `first` is the number of the first line.

    With `quotes`, a field that begins with a quote ends at the next quote that is not doubled, possibly on a later
    line; a delimiter or the end of the line must follow. Quotes inside other fields are text. Without `delimiter`, a
    record is one field. After a fault, reading continues with the line after the one where the record began. The same
    happens for records that begin on one of the lines `swallowing`, whose quote is known to swallow other rows. With
    `quick`, records of one line do not report which fields were quoted.
    """
    source = _Source(lines)
    number, inner = first, f'{delimiter}"'
    for line in source:
        if not quotes or not (line.startswith('"') or (delimiter and inner in line)):  # no field begins with a quote
            body = without_end(line)
            fields = (body.split(delimiter) if delimiter else [body]) if body else []
            if len(line) > MAX_FIELD and max(map(len, fields)) > MAX_FIELD:
                yield RawRecord(number, [line], [], f"a field of more than {MAX_FIELD:,} characters")
            else:
                yield RawRecord(number, [line], fields)
            number += 1
            continue
        if quick and (found := _by_csv(line, delimiter)):
            yield RawRecord(number, [line], found)
            number += 1
            continue
        record = _quoted(number, line, source, delimiter)
        if number in swallowing and len(record.texts) > 1:
            source.put_back(record.texts[1:])
            fault = (
                f"a quote opened here swallows {_count(len(record.texts) - 1)} of other rows; double or remove "
                "it, or say quotes = true if the text is right, quotes = false if quotes are text"
            )
            record = RawRecord(number, record.texts[:1], [], fault)
        yield record
        number += len(record.texts)
        if source.spent and (rest := list(source)):
            fault = "too many rows before cannot be read; the rest of the file is not tried"
            yield RawRecord(number, rest, [], fault)
            return


def _count(lines: int) -> str:
    return f"{lines} line{'s' if lines > 1 else ''}"


def _by_csv(line: str, delimiter: str) -> list[str] | None:
    """Split a record of one line as `_Cutter` would, but faster; None if the line needs `_Cutter`."""
    if not delimiter or len(line) > 100_000 or line.count("\r") > line.endswith("\r\n"):
        return None
    try:
        return next(csv.reader((line,), delimiter=delimiter, strict=True))
    except csv.Error:
        return None


class _Source:
    """An iterator of lines that takes lines back; `spent` is true if that happened too often."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self._back, self._spare = iter(lines), deque[str](), 1000

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._back:
            return self._back.popleft()
        self._spare += REREADS
        return next(self._lines)

    def put_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self._spare -= len(lines)

    @property
    def spent(self) -> bool:
        return self._spare < 0


def _quoted(number: int, line: str, source: _Source, delimiter: str) -> RawRecord:
    """Split a record whose first line holds quotes."""
    cutter, texts = _Cutter(delimiter), [line]
    try:
        while cutter.add(texts[-1]):
            following = next(source, None)
            if following is None:
                raise ValueError("the quote is never closed")
            texts.append(following)
    except ValueError as error:
        source.put_back(texts[1:])
        swallowed = f"a quote opened here swallows {_count(len(texts) - 1)}: " if len(texts) > 1 else ""
        return RawRecord(number, texts[:1], [], f"{swallowed}{error}")
    return RawRecord(number, texts, cutter.fields, "", tuple(cutter.quoted), cutter.proven)


class _Cutter:
    """Splits one record, line by line."""

    def __init__(self, delimiter: str) -> None:
        self.fields: list[str] = []
        self.quoted: list[int] = []
        self.proven = False
        self._delimiter = delimiter
        self._open: list[str] | None = None
        self._size = 0

    def add(self, line: str) -> bool:
        """Add a line; return whether a quote is still open at its end. ValueError if the line is malformed."""
        body, at = without_end(line), 0
        while True:
            if self._open is None and not body.startswith('"', at):
                end = body.find(self._delimiter, at) if self._delimiter else -1
                self._put(body[at:] if end < 0 else body[at:end])
                if end < 0:
                    return False
                at = end + 1
                continue
            if self._open is None:
                self._open, self._size, at = [], 0, at + 1
            end = _closing(body, at)
            self._keep(body[at:] + line[len(body) :] if end < 0 else body[at:end])
            if end < 0:
                self.proven = True
                return True
            self._close()
            at = end + 1
            if at == len(body):
                return False
            if not self._delimiter or body[at] != self._delimiter:
                raise ValueError(_behind_quote(body, at, self._delimiter))
            at += 1

    def _put(self, field: str) -> None:
        if len(field) > MAX_FIELD:
            raise ValueError(f"a field of more than {MAX_FIELD:,} characters")
        self.fields.append(field)

    def _keep(self, piece: str) -> None:
        assert self._open is not None
        self._open.append(piece)
        self._size += len(piece)
        if self._size > MAX_FIELD:
            raise ValueError(f"a field of more than {MAX_FIELD:,} characters")

    def _close(self) -> None:
        text = "".join(self._open or ())
        self.proven = self.proven or '""' in text or "\r" in text or bool(self._delimiter and self._delimiter in text)
        self.quoted.append(len(self.fields))
        self.fields.append(text.replace('""', '"'))
        self._open = None


def _closing(body: str, at: int) -> int:
    """Return the index of the quote that closes a field, one that is not doubled; -1 if this line has none."""
    while True:
        end = body.find('"', at)
        if end < 0 or body[end + 1 : end + 2] != '"':
            return end
        at = end + 2


def _behind_quote(body: str, at: int, delimiter: str) -> str:
    """Describe the text found after a closing quote instead of a delimiter, and its possible cause."""
    name = {"\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a bar"}.get(delimiter, repr(delimiter))
    wanted = f"{name} or the end of the line" if delimiter else "the end of the line"
    found = body[at : at + 20]
    hint = '; quotes inside a quoted field are doubled (""), or say quotes = false if quotes are text'
    if found[:1] in "\t,;|":
        hint = f"; fields may be cut at {found[0]!r}: set delimiter"
    return f"{wanted} expected after a closing quote, found {found!r}{hint}"
