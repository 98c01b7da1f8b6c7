"""Records of JSON Lines and of JSON arrays, each with its line; after an unreadable record, reading goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

CHUNK = 65536
"""Fewest characters of an array that are read at once."""

ARRAY = re.compile(r"\s*\[\s*(\{|\]|$)")
"""The beginning of a file that is an array of objects."""


@dataclass(slots=True)
class JsonRecord:
    """One record: its first line (from 1), the text `before` it, its own `text`, and its value or fault.

    The text before it is what was skipped since the last record.
    """

    line: int
    before: str
    text: str
    value: dict[str, Any]
    fault: str = ""


class Nested(str):
    """The text of a JSON list or object, which is not a text of the data."""


class TwiceError(ValueError):
    """A JSON object with a repeated key."""


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise TwiceError(f"key {twice!r} appears twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def json_object(line: str) -> dict[str, Any]:
    """Parse one line of JSON Lines; ValueError if it is malformed."""
    try:
        record = _DECODER.decode(line)
    except TwiceError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    return _object(record)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__} where an object is needed")
    return value


def json_cells(record: dict[str, Any]) -> dict[str, str]:
    """Return a record as column -> text, empty for null and NaN; ValueError for a text with half a surrogate pair."""
    row = {key: _cell(value) for key, value in record.items()}
    try:
        "".join([*row, *row.values()]).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a surrogate pair: {error}") from None
    return row


def _cell(value: Any) -> str:
    if isinstance(value, list | dict):
        return Nested(json.dumps(value, ensure_ascii=False))
    return "" if value is None or value != value else str(value)


def json_lines(lines: Iterable[str]) -> Iterator[JsonRecord]:
    """Read JSON Lines; blank lines are skipped."""
    before = ""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            before += line
            continue
        try:
            yield JsonRecord(number, before, line, json_object(line))
        except ValueError as error:
            yield JsonRecord(number, before, line, {}, str(error))
        before = ""


def json_array(lines: Iterable[str], line_end: str = "\n") -> Iterator[JsonRecord]:
    """Read the objects of an array one by one; reading ends at text that is not JSON."""
    text = _Text(lines, line_end)
    text.skip("")
    if text.peek() != "[":
        yield text.failure("not JSON: no array")
        return
    text.skip("[")
    first = True
    while True:
        text.skip("")
        if text.peek() == "]":
            break
        if not first and text.peek() != ",":
            yield text.failure("a comma or ] expected")
            return
        if not first:
            text.skip(",")
        first = False
        try:
            found = text.value()
        except (ValueError, RecursionError) as error:
            yield text.failure(str(error) if str(error).startswith("not JSON") else f"not JSON: {error}")
            return
        yield found
    text.skip("]")
    if text.peek():
        yield text.failure("text after the end of the array")


class _Text:
    """The text of an array, read in pieces; text that was used is released."""

    def __init__(self, lines: Iterable[str], line_end: str) -> None:
        self._lines, self._line_end, self._line = iter(lines), line_end, 1
        self._text, self._at, self._before = "", 0, ""

    def _more(self, least: int = CHUNK) -> bool:
        pieces, size = [], 0
        for line in self._lines:
            pieces.append(line)
            size += len(line)
            if size >= least:
                break
        if pieces:
            self._text = self._text[self._at :] + "".join(pieces)
            self._at = 0
        return bool(pieces)

    def peek(self) -> str:
        """Return the next character, "" at the end."""
        if self._at >= len(self._text) and not self._more():
            return ""
        return self._text[self._at]

    def skip(self, sign: str) -> None:
        """Skip white space, and one `sign` with the white space after it."""
        while (found := self.peek()) and (found.isspace() or found == sign):
            sign = "" if found == sign else sign
            self._before += found
            self._line += found == self._line_end
            self._at += 1

    def value(self) -> JsonRecord:
        """Read one value; ValueError if it is not JSON."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more(max(CHUNK, len(self._text))):
                    continue
                line = self._line + self._text.count(self._line_end, self._at, error.pos)
                raise ValueError(f"not JSON: {error.msg} (line {line})") from None
            except TwiceError as error:
                value, end, fault = None, self._end(), str(error)
            else:
                fault = "" if isinstance(value, dict) else f"found {type(value).__name__} where an object is needed"
            if end < len(self._text) or not self._more(max(CHUNK, len(self._text))):
                break
        record = JsonRecord(
            self._line, self._before, self._text[self._at : end], value if isinstance(value, dict) else {}, fault
        )
        self._before, self._at = "", end
        self._line += record.text.count(self._line_end)
        return record

    def _end(self) -> int:
        """Return the end of a value that is valid JSON but repeats a key."""
        return json.JSONDecoder().raw_decode(self._text, self._at)[1]

    def failure(self, fault: str) -> JsonRecord:
        """Return the remaining text, which cannot be read."""
        while self._more():
            pass
        return JsonRecord(self._line, self._before, self._text[self._at :], {}, fault)
