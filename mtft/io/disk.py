"""Disk space: check it before it is needed, and report the bytes needed when it runs out anyway."""

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
"""Errors of missing space (a full disk, a quota, a limit on file size), and of missing rights to write."""


def existing(path: Path) -> Path:
    """Return `path` if it is a directory, else the nearest directory above it that exists."""
    there = path.absolute()
    while not there.is_dir():
        there = there.parent
    return there


def free_disk_bytes(path: Path) -> int:
    """Return the free bytes of the disk where `path` is or will be."""
    return shutil.disk_usage(existing(path)).free


def check_room(path: Path, sizes: Sequence[int] = ()) -> None:
    """Raise ConfigError unless files of these sizes can be written where `path` is or will be.

    The bytes are reserved briefly in unnamed files. This also finds quotas, limits on file size and read-only
    directories, which the number of free bytes does not show.
    """
    needed, directory = sum(sizes), existing(path)
    if (free := free_disk_bytes(path)) < needed:
        raise ConfigError(f"{path} has {free:,} bytes free; this run needs {needed:,}", setting="out")
    files = []
    try:
        for size in sizes or (0,):
            files.append(tempfile.TemporaryFile(dir=directory))  # noqa: SIM115 - all are open at the same time
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
    """Turn an error while writing `path` into an OSError that gives the bytes needed, if they are missing."""
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
    """Turn a disk error into an MtftError: the last checkpoint is complete, and `hint` says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*FULL, *CLOSED):
            raise
        file = f": {error.filename}" if error.filename else ""
        raise MtftError(f"{_words(error)}{file}; the last checkpoint is complete; make room, then {hint}") from None


def _number(error: Exception) -> int | None:
    """Return the error number in a message of safetensors, None if it has none."""
    match = re.search(r"\(os error (\d+)\)", str(error))
    return int(match[1]) if match else None


def _words(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
