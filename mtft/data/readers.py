"""Read CSV, TSV and JSON Lines files into examples; every error names file and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mtft.data.example import Example
from mtft.errors import DataError
from mtft.outputs import Output

MAX_FIELD = 10_000_000
"""Characters in one field; far above any text, far below what would fill the memory."""


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, column -> text) of a table with a header line, or of JSON Lines.

    The suffix decides: ``.jsonl`` is JSON Lines, anything else is delimited by what its header holds (a tab if
    there is one, else a comma), with doubled quotes inside quoted fields. A null or missing value is "".
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _json_rows(path, file) if path.suffix == ".jsonl" else _table_rows(path, file)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{_undecodable_line(path)}: not UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def _undecodable_line(path: Path) -> int:
    """Find the first line that is not UTF-8: the decoder's own count starts anew with every buffer."""
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        data = data[: error.start]
    return len((data + b"?").splitlines())


def _table_rows(path: Path, file: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header = next(file, "")
    if not header.strip():
        raise DataError(f"{path}:1: no header line")
    delimiter = "\t" if "\t" in header else ","
    csv.field_size_limit(MAX_FIELD)
    rows = csv.reader(chain([header], file), delimiter=delimiter, strict=True)
    start = 1
    try:
        names = next(rows)
        if twice := column_twice(names):
            raise DataError(f"{path}:1: {twice}")
        start = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(names):
                raise DataError(f"{path}:{start}: {len(row)} fields where the header has {len(names)}")
            if row:
                yield start, dict(zip(names, row, strict=True))
            start = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{start}: {error}") from None


def _json_rows(path: Path, file: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield number, json_record(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from None


def column_twice(names: Sequence[str]) -> str:
    """Say which column a header names twice, if any."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            return f"column {name!r} appears twice"
        seen.add(name)
    return ""


def json_object(line: str) -> dict[str, Any]:
    """Read one line of JSON Lines; ValueError says what is wrong."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"found {type(record).__name__} where an object is needed")
    return record


class Nested(str):
    """The text of a list or an object of JSON, which is no text that anyone wrote."""


def _cell(value: Any) -> str:
    """Return a value of JSON as text, nothing for null and NaN."""
    if isinstance(value, list | dict):
        return Nested(json.dumps(value, ensure_ascii=False))
    return "" if value is None or value != value else str(value)


def json_record(line: str) -> dict[str, str]:
    """Read one line of JSON Lines as column -> text; ValueError says what is wrong."""
    row = {key: _cell(value) for key, value in json_object(line).items()}
    try:
        "".join([*row, *row.values()]).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a surrogate pair: {error}") from None
    return row


class RowError(DataError):
    """One row that cannot become an example; `check` is the kind of its fault, `text` the words without the place."""

    def __init__(self, check: str, origin: str, text: str) -> None:
        super().__init__(f"{origin}: {text}")
        self.check, self.origin, self.text = check, origin, text


@dataclass(frozen=True)
class TableReader:
    """Reads one task's examples from a file per split; `pattern` holds ``{split}``.

    A label is parsed by `output`; an empty one gives target None, an invalid one is an error. With `above`, only
    rows whose target is greater are read, beside those without one (consistency sources want near-identical pairs).
    Files that come with the code are in `directory`, whatever data directory the user has.
    """

    pattern: str
    texts: tuple[str, ...]
    label: str
    output: Output
    above: float | None = None
    directory: Path | None = None

    def files(self, split: str, data_dir: Path) -> list[Path]:
        return [(self.directory or data_dir) / self.pattern.format(split=split)]

    def __call__(self, split: str, data_dir: Path) -> Iterator[Example]:
        (path,) = self.files(split, data_dir)
        for line, row in read_rows(path):
            if example := self.example(path, line, row):
                yield example

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Example | None:
        """Make an example of one row of a file, None if it is not for this source; RowError if it cannot be one."""
        found = make_example(f"{path}:{line}", line, row, self.texts, self.label, self.output)
        if self.above is not None and found.target is not None and found.target <= self.above:
            return None
        return found


def make_example(
    origin: str, line: int, row: Mapping[str, str], texts: Sequence[str], label: str, output: Output
) -> Example:
    """Make an example of one row, whose id is its column "id" or its line; RowError if it cannot be one.

    An empty label gives target None.
    """
    for name in (*texts, label):
        if name not in row:
            raise RowError("columns", origin, f"no column {name!r} (columns: {', '.join(row)})")
        if isinstance(row[name], Nested):
            raise RowError("nested", origin, f"column {name!r} is {row[name][:80]}, not a text")
    try:
        target = output.parse(row[label].strip()) if row[label].strip() else None
    except ValueError as error:
        raise RowError("label-invalid", origin, f"column {label!r}: {error}") from None
    own = row.get("id")
    return Example(own or str(line), tuple(row[name] for name in texts), target, origin, numbered=not own)
