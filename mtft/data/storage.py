"""Stored text: plain, gzip or zstd, in UTF-8 or another encoding; decoded line by line."""

from __future__ import annotations

import codecs
import gzip
import importlib
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mtft.errors import DataError, install_hint

PACKED = {".gz": "gzip", ".zst": "zstd"}
"""Suffixes of compressed files."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks and their encodings; UTF-32 comes first because its mark begins with that of UTF-16."""

SAMPLE = 65536
"""Bytes, or characters, read to detect an encoding or a line end."""

UNPACKED = (200, 2**28)
"""Limits of an unpacked file: this many times its compressed size, or this many bytes."""


def plain_name(name: str) -> str:
    """Return a file's name without the suffix of its compression."""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.casefold() in PACKED else name


@dataclass(frozen=True)
class Stored:
    """A file on disk, or bytes already read from it, under its path."""

    path: Path
    data: bytes | None = field(default=None, repr=False)

    def raw(self) -> BinaryIO:
        """Open the stored bytes; OSError if that fails."""
        return self.path.open("rb") if self.data is None else io.BytesIO(self.data)

    def compression(self) -> str:
        """Return "gzip", "zstd" or "", judged by the first bytes."""
        with self.raw() as file:
            head = file.read(4)
        return "gzip" if head[:2] == b"\x1f\x8b" else "zstd" if head == b"\x28\xb5\x2f\xfd" else ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the unpacked bytes; DataError if the archive is damaged."""
        packed = self.compression()
        with self.raw() as file:
            try:
                yield {"gzip": gzip.GzipFile, "zstd": _zstd}[packed](fileobj=file) if packed else file
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise DataError(f"{self.path}: a damaged {packed} file: {error}") from None

    def head(self) -> bytes:
        """Return the first bytes, unpacked."""
        with self.open() as file:
            return file.read(64)

    def encoding(self) -> str:
        """Return the encoding of the byte-order mark, or UTF-8 without a mark."""
        head = self.head()[:4]
        return next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")

    def line_end(self, encoding: str) -> str:
        r"""Return the line end: "\n" (also for "\r\n"), or "\r" if the file has no "\n"."""
        with self.open() as file:
            text = io.TextIOWrapper(file, encoding, _errors(encoding), newline="")
            returns = False
            while piece := text.read(SAMPLE):
                if "\n" in piece:
                    break
                returns = returns or "\r" in piece
            text.detach()
        return "\r" if returns and not piece else "\n"

    def lines(self, encoding: str, line_end: str) -> Iterator[str]:
        """Yield the lines with their ends; bytes that are not UTF-8 become surrogates, other faults a DataError."""
        size = len(self.data) if self.data is not None else self.path.stat().st_size
        limit, taken = max(UNPACKED[0] * size, UNPACKED[1]), 0
        with self.open() as file:
            text = io.TextIOWrapper(file, encoding, _errors(encoding), newline=line_end)
            try:
                for line in text:
                    taken += len(line)
                    if taken > limit:
                        raise DataError(f"{self.path}: unpacks to more than {limit:,} characters; unpack it yourself")
                    yield line
            except UnicodeError as error:
                raise DataError(f"{self.path}: not {encoding} text ({getattr(error, 'reason', error)})") from None
            finally:
                text.detach()


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "strict"


class _zstd(io.RawIOBase):  # noqa: N801 - named like GzipFile
    """Unpacked bytes of a zstd file, read by whichever library is installed."""

    def __init__(self, fileobj: BinaryIO) -> None:
        self._stream = _zstd_stream(fileobj)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._stream.read(len(buffer))
        except Exception as error:  # each library has its own error class
            raise zlib.error(str(error)) from None
        buffer[: len(piece)] = piece
        return len(piece)


def _zstd_stream(file: BinaryIO) -> Any:
    """Open a zstd stream with Python's own module (3.14), zstandard, or pyarrow."""
    openers: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("compression.zstd", lambda found: found.ZstdFile(file)),
        ("zstandard", lambda found: found.ZstdDecompressor().stream_reader(file)),
        ("pyarrow", lambda found: found.CompressedInputStream(found.PythonFile(file, mode="r"), "zstd")),
    )
    for name, opened in openers:
        try:
            return opened(importlib.import_module(name))
        except ImportError:
            continue
    raise DataError(f"a zstd file needs Python 3.14, zstandard or pyarrow: {install_hint('parquet')}")


# ---- likely encodings of bytes that are not UTF-8 --------------------------------------------------------------------


def likely_encoding(data: bytes) -> str:
    """Return Python's name of the likely encoding of bytes that are not UTF-8 or that hold NULs."""
    data = data[:SAMPLE]
    if data.count(0) > len(data) // 5:
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    return _of_many_bytes(data) or _of_one_byte(data)


def _of_many_bytes(data: bytes) -> str:
    """Recognise Japanese, Korean and Chinese by the most common characters of such texts."""
    for name, low, high, least in (
        ("shift_jis", 0x3040, 0x30FF, 0.3),
        ("euc_jp", 0x3040, 0x30FF, 0.3),
        ("euc_kr", 0xAC00, 0xD7A3, 0.8),
        ("gb18030", 0x4E00, 0x9FFF, 0.7),
        ("big5", 0x4E00, 0x9FFF, 0.7),
    ):
        letters = [letter for letter in _decoded(data, name) if letter > "\x7f"]
        share = sum(low <= ord(letter) <= high for letter in letters) / max(len(letters), 1)
        if len(letters) >= 2 and share >= least and _common(data, name):
            return name
    return ""


def _decoded(data: bytes, name: str) -> str:
    """Decode a sample, which may end inside a character; "" if it cannot be decoded."""
    try:
        return codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeDecodeError:
        return ""


def _common(data: bytes, name: str) -> bool:
    """Return whether a Chinese text uses everyday characters, which have few different first bytes."""
    first = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6)}.get(name)
    if first is None:
        return True
    runs = [run for run in data.translate(bytes(byte if byte > 0x80 else 32 for byte in range(256))).split() if run]
    leads = [run[index] for run in runs for index in range(0, len(run), 2)]
    return sum(first[0] <= byte <= first[1] for byte in leads) >= 0.8 * len(leads)


def _of_one_byte(data: bytes) -> str:
    """Distinguish Cyrillic (words are high bytes, mostly of lower case) from Western texts of Windows or a Mac."""
    words = [word for word in re.findall(rb"[A-Za-z\x80-\xff]+", data) if not word.isascii()]
    high = [byte for word in words for byte in word if byte >= 0xC0]
    small = sum(bytes([byte]).isalpha() for word in words for byte in word)
    if len(high) > max(small, 3):
        return "cp1251" if sum(byte >= 0xE0 for byte in high) >= len(high) / 2 else "koi8-r"
    inside = [
        data[index - 1 : index].isalpha() and 0x80 <= byte < 0xA0 and byte not in (0x91, 0x92)
        for index, byte in enumerate(data)
        if byte >= 0x80
    ]
    if sum(inside) > len(inside) / 2:
        return "mac_roman"
    return "cp1252" if _decoded(data, "cp1252") else "latin-1"
