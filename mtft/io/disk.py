"""Room on a disk: asked for before it is needed, and named with the bytes when it runs out all the same."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mtft.errors import ConfigError, MtftError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors that mean no room (a full disk, a quota, a limit on the size of files), and no right to write."""


def existing(path: Path) -> Path:
    """Return the directory where `path` is, is in or will be made."""
    there = path.absolute()
    while not there.is_dir():
        there = there.parent
    return there


def free_disk_bytes(path: Path) -> int:
    """Return the bytes free where `path` is or will be."""
    return shutil.disk_usage(existing(path)).free


def check_room(path: Path, sizes: Sequence[int] = ()) -> None:
    """Raise ConfigError unless files of these sizes can be written where `path` is or will be.

    The bytes are reserved for a moment in files without a name, so that a quota, a limit on the size of files and a
    directory or file system that is read-only speak up, which the count of free bytes does not show.
    """
    needed, place = sum(sizes), existing(path)
    if (free := free_disk_bytes(path)) < needed:
        raise ConfigError(f"{path} has {free:,} bytes free; this run needs {needed:,}", setting="out")
    files = []
    try:
        for size in sizes or (0,):
            files.append(tempfile.TemporaryFile(dir=place))  # noqa: SIM115 - all are there at the same time
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(files[-1].fileno(), 0, size)
    except OSError as error:
        if error.errno in FULL:
            raise ConfigError(
                f"{path} has no room for the {needed:,} bytes that this run needs: {_words(error)}", setting="out"
            ) from None
        if error.errno in CLOSED:
            raise ConfigError(f"{path} cannot be written: {_words(error)}", setting="out") from None
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that reserves nothing
            raise
    finally:
        for file in files:
            file.close()


@contextmanager
def named_when_full(path: Path, needed: int) -> Iterator[None]:
    """Say of an error while writing `path` how many bytes were needed, in whatever way the writer tells of it."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else _number(error)
        if number is None:
            raise
        more = f" ({needed:,} bytes are needed, {free_disk_bytes(path):,} free)" if number in FULL else ""
        raise OSError(number, f"{os.strerror(number)}{more}", str(path)) from None


@contextmanager
def stops_when_full(hint: str) -> Iterator[None]:
    """Turn what a disk refuses into an MtftError that says that the last checkpoint is whole, and how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*FULL, *CLOSED):
            raise
        place = f": {error.filename}" if error.filename else ""
        raise MtftError(f"{_words(error)}{place}; what was saved before is whole; make room, then {hint}") from None


def _number(error: Exception) -> int | None:
    """Return the number of the system's error in a message of safetensors."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _words(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
