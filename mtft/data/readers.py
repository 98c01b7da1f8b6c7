"""Read tables, JSON Lines and JSON arrays into examples; every error names file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mtft.data.dialect import AS_FOUND, COMMA_NUMBER, NUMBER, CommaNumber, Dialect, Layout
from mtft.data.example import Example
from mtft.data.json_rows import Nested
from mtft.data.labels import LOOK, appearance
from mtft.data.rows import Row, rows_of
from mtft.data.sniff import dialect_of
from mtft.data.storage import Stored
from mtft.errors import DataError
from mtft.outputs import Output

BLOCK = 4096
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Consecutive rows of one file: the line on which each begins, and column -> text of each."""

    path: Path
    numbers: list[int]
    rows: list[dict[str, str]]


def read_blocks(path: Path, layout: Layout = AS_FOUND, size: int = BLOCK) -> Iterator[RowBlock]:
    """Yield the rows of a file in blocks of at most `size`.

    The suffix decides between a table and JSON; everything else is detected in the file or set by `layout`. A null or
    missing value is "". Rows before an unreadable row are yielded before the DataError is raised.
    """
    _, rows = open_file(path, layout)
    while True:
        block = RowBlock(path, [], [])
        try:
            for row in islice(rows, size):
                if row.trouble:
                    raise DataError(f"{path}:{row.line}: {row.trouble.text}")
                block.numbers.append(row.line)
                block.rows.append(row.fields)
        except DataError:
            if block.rows:
                yield block
            raise
        except OSError as error:
            raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
        if not block.rows:
            return
        yield block


def read_rows(path: Path, layout: Layout = AS_FOUND) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, column -> text) of a file, as `read_blocks` reads it."""
    for block in read_blocks(path, layout):
        yield from zip(block.numbers, block.rows, strict=True)


def open_file(path: Path, layout: Layout = AS_FOUND) -> tuple[Dialect, Iterator[Row]]:
    """Return a file's dialect and its rows, bad rows included; DataError if the file as a whole cannot be read."""
    try:
        dialect = dialect_of(path, layout)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if dialect.doubt:
        raise DataError(f"{path}:1: {dialect.doubt}")
    return dialect, rows_of(Stored(path), dialect)


class RowError(DataError):
    """A row that cannot become an example; `check` is the kind of fault, `text` the message without the location.

    `column` is the one that is missing, if one is, and `remedy` says what to change.
    """

    def __init__(self, check: str, origin: str, text: str, *, column: str = "", remedy: str = "") -> None:
        super().__init__(f"{origin}: {text}{f'; {remedy}' if remedy else ''}")
        self.check, self.origin, self.text, self.column, self.remedy = check, origin, text, column, remedy


@dataclass(frozen=True)
class TableReader:
    """Reads one task's examples from a file per split; `pattern` holds ``{split}``.

    A label is parsed by `output`; an empty label gives target None, an invalid one raises an error. With `above`, only
    rows with a greater target, or without a target, are read (consistency sources use near-identical pairs). Files
    shipped with the code are in `directory`, whatever the user's data directory. `layout` sets the parts of the files'
    form that need not be detected.
    """

    pattern: str
    texts: tuple[str, ...]
    label: str
    output: Output
    above: float | None = None
    directory: Path | None = None
    layout: Layout = AS_FOUND

    def files(self, split: str, data_dir: Path) -> list[Path]:
        return [(self.directory or data_dir) / self.pattern.format(split=split)]

    def __call__(self, split: str, data_dir: Path) -> Iterator[Example]:
        (path,) = self.files(split, data_dir)
        for line, row in read_rows(path, self.layout):
            if example := self.example(path, line, row):
                yield example

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Example | None:
        """Make an example from one row of a file, None if it is not for this source; RowError if it is bad."""
        found = make_example(f"{path}:{line}", line, row, self.texts, self.label, self.output, self.layout)
        if self.above is not None and found.target is not None and found.target <= self.above:
            return None
        return found


def make_example(
    origin: str,
    line: int | str,
    row: Mapping[str, str],
    texts: Sequence[str],
    label: str,
    output: Output,
    layout: Layout = AS_FOUND,
) -> Example:
    """Make an example from one row; its id is its column "id" or its line. RowError if the row is bad.

    An empty label gives target None. `layout` sets the parts of the file's form that need not be detected.
    """
    for name in (*texts, label):
        if name not in row:
            raise RowError("columns", origin, no_column(name, list(row)), column=name)
        if isinstance(row[name], Nested):
            raise RowError("nested", origin, f"column {name!r} is {row[name][:80]}, not a text")
    try:
        target = _target(row[label], output, layout)
    except ValueError as error:
        raise RowError("label-invalid", origin, f"column {label!r}: {error}") from None
    own = row.get("id")
    return Example(own or str(line), tuple(row[name] for name in texts), target, origin, numbered=not own)


def _target(cell: str, output: Output, layout: Layout) -> float | None:
    """Parse a label, None if it is empty; a decimal comma is accepted if the text is not a label as written."""
    label = cell.strip()
    if not label:
        return None
    try:
        return output.parse(label)
    except ValueError as error:
        if isinstance(cell, CommaNumber):
            return output.parse(cell.number.strip())
        if COMMA_NUMBER.fullmatch(label) and not layout.decimal:
            raise ValueError(f'{error}; if it has a decimal comma, set decimal = ","') from None
        raise


def no_column(name: str, columns: Sequence[str]) -> str:
    """Return the error for a missing column: the columns that exist, and a likely cause."""
    return f"no column {name!r}{near_column(name, columns)} (columns: {', '.join(columns)}){row_hint(columns)}"


def near_column(name: str, columns: Sequence[str]) -> str:
    """Return a hint at a column that has the same look, "" if none has."""
    near = [other for other in columns if other != name and _folded(other) == _folded(name)]
    return f"; {near[0]!r} differs only in {LOOK}" if near else ""


def _folded(name: str) -> str:
    plain = appearance(name)
    return "".join(letter for letter in plain if letter.isalnum()) or plain


def row_hint(columns: Sequence[str]) -> str:
    """Return a remedy if the names of columns look like the values of a row, "" if they do not."""
    values = [name for name in columns if NUMBER.fullmatch(name) or len(name.split()) > 3 or len(name) > 60]
    if not values:
        return ""
    return f"; if the first line is a row, as {values[0][:60]!r} suggests, set header = false and columns = [...]"
