"""Every row of a file with its line and bytes, by the reader's rules; a bad row does not end the scan."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from mtft.data.dialect import AS_FOUND, Dialect, Layout
from mtft.data.rows import Row, Trouble, rows_of
from mtft.data.sniff import dialect_of, find_dialect
from mtft.data.storage import Stored
from mtft.errors import DataError


@dataclass(frozen=True)
class Scan:
    """A file's rows in order, its dialect, and its text in UTF-8 as `data`; `names` are a table's columns.

    With `trouble`, the file as a whole cannot be read and has no rows.
    """

    path: Path
    data: bytes = field(repr=False)
    lines: int = 0
    names: tuple[str, ...] = ()
    rows: tuple[Row, ...] = field(default=(), repr=False)
    trouble: Trouble | None = None
    dialect: Dialect | None = None

    @property
    def as_stored(self) -> bool:
        """Return whether `data` are the file's own bytes."""
        return is_as_stored(self.dialect)


def scan_file(path: Path, layout: Layout = AS_FOUND) -> Scan:
    """Read a file; faults are part of the result and are never raised."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
            return Scan(path, b"", trouble=Trouble("file", "not a regular file"))
        return _scan(Stored(path, path.read_bytes()), dialect_of(path, layout))
    except OSError as error:
        return Scan(path, b"", trouble=Trouble("file", (error.strerror or str(error)).lower()))
    except DataError as error:
        return Scan(path, b"", trouble=Trouble("file", str(error).removeprefix(f"{path}: ")))


def is_as_stored(dialect: Dialect | None) -> bool:
    """Return whether a file's rows are ranges of its own bytes."""
    return dialect is not None and dialect.encoding in ("utf-8", "utf-8-sig") and not dialect.compression


def scan_bytes(path: Path, data: bytes, layout: Layout = AS_FOUND) -> Scan:
    """Read the bytes of a file as `mtft.data.readers.read_rows` would, row by row."""
    stored = Stored(path, data)
    return _scan(stored, find_dialect(stored, layout))


def _scan(stored: Stored, dialect: Dialect) -> Scan:
    try:
        lines = [*stored.lines(dialect.encoding, dialect.line_end)]
    except DataError as error:
        return Scan(stored.path, b"", trouble=Trouble("encoding", str(error).removeprefix(f"{stored.path}: ")))
    data = stored.data or b""
    if dialect.compression or dialect.encoding not in ("utf-8", "utf-8-sig"):
        data = "".join(lines).encode("utf-8", "surrogateescape")
    if dialect.doubt:
        trouble = Trouble(dialect.check, dialect.doubt)
        return Scan(stored.path, data, len(lines), trouble=trouble, dialect=dialect)
    rows = tuple(rows_of(stored, dialect, lines))
    if data.startswith(b"\xef\xbb\xbf"):
        rows = tuple(Row(row.line, row.lines, row.begin + 3, row.end + 3, row.fields, row.trouble) for row in rows)
    return Scan(stored.path, data, len(lines), dialect.names, rows, dialect=dialect)
