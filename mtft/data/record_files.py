"""Input records of a file for prediction: its suffix, or a given format, decides the form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from mtft.data.dialect import Layout, form_of
from mtft.data.json_rows import Nested
from mtft.data.lines import decoded_lines
from mtft.data.parquet import Null, parquet_columns, parquet_rows
from mtft.data.rows import rows_of
from mtft.data.sniff import EMPTY, dialect_of
from mtft.data.storage import Stored
from mtft.data.stream_records import MAX_BLANK, Record, Wanted, other_form, read_records
from mtft.errors import DataError, setting

FORMS = {"csv": "table", "tsv": "table", "txt": "lines"}
"""Values of the setting `format`, and the form that each means."""


def file_records(
    path: Path, form: str, wanted: Wanted, layout: Layout, notify: Callable[[str], None]
) -> Iterator[Record]:
    """Yield the records of a file; DataError if the whole file cannot be read, or if columns are missing.

    A table's dialect is detected from the whole file and reported. Anything but a regular file is read as a stream.
    """
    by_suffix = form == "auto"
    form = form_of(str(path)) or "auto" if by_suffix else form
    form = FORMS.get(form, form)
    try:
        regular = path.is_file()
        if by_suffix and regular and form == "lines":
            _report_other_form(path, wanted, layout, notify)
        if form == "parquet":
            return _parquet(path, wanted)
        if regular and form == "table":
            return _table(path, wanted, replace(layout, form=form), notify)
        return _streamed(path, form, wanted, layout)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _report_other_form(path: Path, wanted: Wanted, layout: Layout, notify: Callable[[str], None]) -> None:
    """Tell the user if a text file looks like a table or JSON, or has no line feed but carriage returns."""
    stored = Stored(path)
    try:
        if stored.line_end(layout.encoding or stored.encoding()) == "\r":
            notify(f"{path}: only a line feed ends a line; the file has carriage returns alone, and is one text")
        looks = other_form(islice(stored.lines(layout.encoding or stored.encoding(), "\n"), MAX_BLANK), wanted)
    except (DataError, UnicodeError):  # reading the records says why
        return
    if looks:
        choices = " or ".join(setting("format", form) for form in ("csv", "jsonl", "json"))
        notify(
            f"{path}: each line is one text, as the suffix says, but the first looks like {looks}; {choices} reads it"
        )


def _table(path: Path, wanted: Wanted, layout: Layout, notify: Callable[[str], None]) -> Iterator[Record]:
    dialect = dialect_of(path, layout)
    if dialect.doubt == EMPTY:
        return iter(())
    if reason := dialect.doubt or wanted.check(dialect.names):
        raise DataError(f"{path}:{max(dialect.first - 1, 1)}: {reason}")
    notify(f"{path}: read as {dialect.describe()}")
    wanted.report(dialect.names)
    rows = rows_of(Stored(path), dialect)
    return (
        wanted.record(row.line, row.fields)
        if row.trouble is None
        else Record(row.line, {}, row.line, f"input line {row.line}: {row.trouble.text}")
        for row in rows
    )


def _parquet(path: Path, wanted: Wanted) -> Iterator[Record]:
    if reason := wanted.check(names := parquet_columns(path)):
        raise DataError(f"{path}: {reason}")
    wanted.report(names)

    def record(number: int, row: dict[str, str]) -> Record:
        cells = {name: None if isinstance(cell, Null) else cell for name, cell in row.items()}
        found = wanted.record(number, cells)
        nested = [name for name in chain(*wanted.keys) if isinstance(cells.get(name), Nested)]
        if nested and not found.error:
            return replace(found, texts={}, error=f"input line {number}: {nested[0]} is {cells[nested[0]]}, not a text")
        return found

    columns = [name for name in wanted.columns if name in names]
    return (record(number, row) for number, row in parquet_rows(path, columns))


def _streamed(path: Path, form: str, wanted: Wanted, layout: Layout) -> Iterator[Record]:
    """Read a file as a stream, like standard input."""
    stored = Stored(path)
    regular = path.is_file()
    encoding = layout.encoding or (stored.encoding() if regular else "utf-8")
    try:
        with stored.open() if regular else path.open("rb") as file:
            lines = decoded_lines(file, encoding)
            try:
                yield from read_records(lines, form, wanted, replace(layout, encoding=""))
            finally:
                lines.detach()
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
