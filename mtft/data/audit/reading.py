"""One pass over a file, row by row: what must be known of it afterwards, without its rows."""

from __future__ import annotations

import io
import stat
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mtft.data.audit.scan import is_as_stored
from mtft.data.dialect import AS_FOUND, Dialect, Layout
from mtft.data.rows import Row, Trouble, rows_of
from mtft.data.sniff import dialect_of
from mtft.data.storage import Stored
from mtft.errors import DataError


@dataclass
class SplitReading:
    """A file that `all_rows` reads once: its dialect, and counts that are complete after its last row.

    With `trouble`, the file as a whole cannot be read; a trouble found on the way makes the rows before it void. `keys`
    are those of the readable rows of JSON.
    """

    path: Path
    layout: Layout
    dialect: Dialect | None = None
    trouble: Trouble | None = None
    rows: int = 0
    lines: int = 0
    readable: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    _several: array[int] = field(default_factory=lambda: array("q"))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a table."""
        return self.dialect.names if self.dialect and not self.trouble else ()

    def all_rows(self) -> Iterator[Row]:
        """Yield the rows, bad ones included."""
        if not self.dialect:
            return
        stored, json = Stored(self.path), self.dialect.form != "table"
        lines = self._counted(stored.lines(self.dialect.encoding, self.dialect.line_end))
        try:
            for row in () if self.trouble else rows_of(stored, self.dialect, lines):
                self.rows += 1
                if not row.trouble:
                    self.readable += 1
                    if json:
                        self.keys.update(dict.fromkeys(row.fields))
                    if row.lines > 1:
                        self._several.extend((row.line, row.begin, row.end))
                yield row
            for _ in lines:
                pass
        except OSError as error:
            self._void(Trouble("file", (error.strerror or str(error)).lower()))
        except DataError as error:
            self._void(Trouble("encoding", str(error).removeprefix(f"{self.path}: ")))

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.lines += 1
            yield line

    def _void(self, trouble: Trouble) -> None:
        self.trouble, self.rows, self.lines, self.readable = trouble, 0, 0, 0
        del self._several[:]

    def rows_of_several_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the first line and the bytes of each readable row that spans several lines."""
        spans = zip(*(iter(self._several),) * 3, strict=True)
        if self._several:
            with self._text() as (file, first):
                for line, begin, end in spans:
                    file.seek(first + begin)
                    yield line, file.read(end - begin)

    def beginning(self, begin: int, count: int) -> bytes:
        """Return at most `count` bytes from the `begin` of a row."""
        with self._text() as (file, first):
            file.seek(first + begin)
            return file.read(count)

    @contextmanager
    def _text(self) -> Iterator[tuple[BinaryIO, int]]:
        """Open the text in UTF-8, and tell where it begins: behind a byte-order mark. DataError if it is gone."""
        if self.dialect and not is_as_stored(self.dialect):
            lines = Stored(self.path).lines(self.dialect.encoding, self.dialect.line_end)
            yield io.BytesIO("".join(lines).encode("utf-8", "surrogateescape")), 0
            return
        try:
            with self.path.open("rb") as file:
                yield file, len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
        except OSError as error:
            raise DataError(f"{self.path}: {(error.strerror or str(error)).lower()}") from None


def open_reading(path: Path, layout: Layout = AS_FOUND) -> SplitReading:
    """Return a file that is ready to be read; faults are part of the result and are never raised."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a device may never end
            return SplitReading(path, layout, trouble=Trouble("file", "not a regular file"))
        dialect = dialect_of(path, layout)
    except OSError as error:
        return SplitReading(path, layout, trouble=Trouble("file", (error.strerror or str(error)).lower()))
    except DataError as error:
        return SplitReading(path, layout, trouble=Trouble("file", str(error).removeprefix(f"{path}: ")))
    doubt = Trouble(dialect.check, dialect.doubt) if dialect.doubt else None
    return SplitReading(path, layout, dialect, doubt)
