"""The lines of a stream, which may be endless, each up to a limit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from mtft.errors import DataError

MAX_LINE = 1_000_000
"""Most characters in one line: more than a model reads, and far less than would fill the memory."""

PIECE = 65536
"""Characters of a JSON array that are read at once."""


class BoundedLines:
    """The lines of a stream as they arrive; of a line longer than `MAX_LINE`, only the beginning."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream, self._open, self._encoding = stream, False, getattr(stream, "encoding", "")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while self._open:
            self._read()
        line = self._read()
        if not line:
            raise StopIteration
        return line

    def _read(self) -> str:
        try:
            line = self._stream.readline(MAX_LINE + 1)
        except UnicodeError as error:
            raise DataError(f"input is not {self._encoding} text ({getattr(error, 'reason', error)})") from None
        self._open = len(line) > MAX_LINE and not line.endswith("\n")
        return line

    def detach(self) -> None:
        """Release the underlying byte stream without closing it; its owner closes it."""
        self._stream.detach()

    def pieces(self) -> Iterator[str]:
        """Yield the unread rest in large pieces instead of lines."""
        try:
            while piece := self._stream.read(PIECE):
                yield piece
        except UnicodeError as error:
            raise DataError(f"input is not {self._encoding} text ({getattr(error, 'reason', error)})") from None


def decoded_lines(file: BinaryIO, encoding: str = "utf-8") -> BoundedLines:
    r"""Return the lines of a stream, which end in "\n" only; `read_records` reports bytes that are not UTF-8."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return BoundedLines(io.TextIOWrapper(file, encoding, errors, newline="\n"))
