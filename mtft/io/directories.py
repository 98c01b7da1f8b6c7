"""Directories that several processes use: one at a time writes, and a directory is replaced as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout, lock_descriptor

from mtft.errors import CheckpointError, MtftError

LOCK = ".lock"
"""Name of the file in a directory that its only writer locks; it holds the number of the process."""

T = TypeVar("T")
P = ParamSpec("P")


class DirectoryLock:
    """Keeps other processes out of a directory until it is released, at the latest when this process ends.

    CheckpointError if another process has it; OSError if the file system does not allow or support a lock.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        # The wait covers a holder that is about to let go. Without flock there is an error instead of a soft lock,
        # which would outlive a killed process.
        self._lock = FileLock(self._path, timeout=0.2, thread_local=False, fallback_to_soft=False)
        try:
            self._lock.acquire()
        except Timeout:
            holder = _written_holder(self._path)
            raise CheckpointError(f"{directory}: in use by another process ({holder})") from None
        except OSError as error:
            raise OSError(error.errno, f"cannot lock: {error.strerror}", str(self._path)) from None
        self._path.write_text(f"{os.getpid()}\n", encoding="utf-8")

    def release(self) -> None:
        """Release the lock and remove its file."""
        with suppress(OSError):  # a disk may have become read-only
            self._path.unlink(missing_ok=True)
        self._lock.release()


def clear_lock(directory: Path) -> None:
    """Remove the lock that a killed process left, where that is allowed; CheckpointError if a process has it."""
    if (directory / LOCK).exists():
        with suppress(OSError):
            DirectoryLock(directory).release()


def lock_holder(directory: Path) -> str | None:
    """Return the number of the process that has a directory for itself, None if none has."""
    path = directory / LOCK
    try:
        # NFS grants exclusive locks on writable files only; elsewhere reading is enough.
        with path.open("r+b" if os.access(path, os.W_OK) else "rb") as file:
            free = lock_descriptor(file.fileno(), blocking=False)
    except FileNotFoundError:
        return None
    return None if free else _written_holder(path)


def _written_holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")[:20].strip() or "unknown"
    except (OSError, ValueError):
        return "unknown"


def real_path(path: Path) -> Path:
    """Return the absolute path without links and dots; nothing needs to exist there."""
    return Path(os.path.realpath(path))


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Let only one process at a time make something in a directory, where the file system supports that."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            lock_descriptor(descriptor)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory that replaces `path` when the block ends without error.

    The former directory stays until the new one is complete; after a crash between the two renames
    `recover_directory` restores it. If `path` is a link, its target is replaced.
    """
    path = real_path(path)
    recover_directory(path)
    fresh, former = _names(path)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _flush_directory(fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)  # it would take space on a full disk
        raise
    if path.exists():
        path.rename(former)
    fresh.rename(path)
    _flush_directory(path.parent)
    shutil.rmtree(former, ignore_errors=True)


def current_directory(path: Path) -> Path:
    """Return where the content of `path` is now: under a temporary name after a crash between the two renames.

    Changes nothing, so it may be called while another process writes.
    """
    former = _names(path)[1]
    return former if former.exists() and not path.exists() else path


def from_one_directory(read: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    """Decorate a function that reads a directory, so that it never mixes two versions of it.

    If another process replaces the directory meanwhile, the function is called again.
    """

    @wraps(read)
    def whole(path: Path, /, *args: P.args, **options: P.kwargs) -> T:
        while True:
            current = current_directory(path)
            before = _version(current)
            try:
                result = read(current, *args, **options)
            except (MtftError, OSError):
                if _version(current_directory(path)) == before:
                    raise
            else:
                if _version(current_directory(path)) == before:
                    return result

    return whole


def _version(directory: Path) -> tuple[int, int] | None:
    """Return inode and time of change, which a replacement changes; None if there is no directory."""
    try:
        status = directory.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def remove_directory(path: Path) -> None:
    """Remove a directory; after a crash it is either complete or under a temporary name that nobody reads."""
    path = real_path(path)
    gone = _gone(path)
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone)


def recover_directory(path: Path) -> None:
    """Undo a `replaced_directory` that a crash stopped: restore the former directory and remove leftovers."""
    path = real_path(path)
    fresh, former = _names(path)
    if former.exists() and not path.exists():
        former.rename(path)
    for left in (fresh, former, _gone(path)):
        shutil.rmtree(left, ignore_errors=True)


def _names(path: Path) -> tuple[Path, Path]:
    """Return the temporary names of the new directory (while it is filled) and of the former one (while replaced)."""
    path = real_path(path)
    return path.parent / f".{path.name}.new", path.parent / f".{path.name}.old"


def _gone(path: Path) -> Path:
    return path.parent / f".{path.name}.gone"


def _flush_directory(path: Path) -> None:
    """Write the entries of a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
