"""Writing files so that they are complete or not there: a temporary name, flushed, then renamed."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError
from mtft.storage import named_when_full

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


MOST = 1 << 30
"""Bytes of the largest text that is read: far above any log, far below what would fill the memory."""

DEEPEST = 100
"""Levels of a JSON document."""

APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
"""Append to a file, but to none that a link leads to."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with named_when_full(path, len(data)), replaced_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give the name of an empty file to fill; when the block ends without error it takes the place of `path`."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(b"")
        mode = temporary.stat().st_mode  # some libraries make files that only their owner may read
        yield temporary
        temporary.chmod(mode)
        flush(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Have what was written to a file on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def to_json(value: Any, indent: int | None = None) -> str:
    """Write a value as strict JSON: a number that is not finite becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, keys in the order given."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return what `write_json` writes."""
    return (to_json(value, indent=2) + "\n").encode()


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines atomically."""
    write_bytes(path, "".join(to_json(record) + "\n" for record in records).encode())


def append_json_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line to a JSON Lines log."""
    line = (to_json(record) + "\n").encode()
    with named_when_full(path, len(line)), open(os.open(path, APPEND, 0o666), "ab") as file:
        file.write(line)


def read_text(path: Path, most: int = MOST) -> str:
    """Read a text of at most `most` bytes; OSError or ValueError for more, and for what is no regular file."""
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"larger than {most:,} bytes")
    return content.decode("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; CheckpointError says what is wrong."""
    try:
        value = _json(read_text(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: holds {type(value).__name__}, not an object")
    return value


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines of objects; CheckpointError names the line that is wrong."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable: {error}") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(_json(line))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(records[-1], dict):
            raise CheckpointError(f"{path}:{number}: not an object")
    return records


def _json(text: str) -> Any:
    """Read a document; one that is nested deeper than `DEEPEST` could not be written again."""
    value = json.loads(text)
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        parts = (part for each in level for part in (each.values() if isinstance(each, dict) else each))
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return value
    raise ValueError(f"nested deeper than {DEEPEST} levels")


class Lock:
    """Keeps other processes out of a directory until it is released, at the latest when this process ends.

    CheckpointError if another process has it. Without ``fcntl`` (on Windows) nobody is kept out.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / ".lock"
        while True:
            self._file = open(os.open(self._path, APPEND, 0o666), "a+", encoding="utf-8")  # noqa: SIM115 - until released
            if self._taken():
                self._file.seek(0)
                holder = self._file.read(20).strip() or "unknown"
                self._file.close()
                raise CheckpointError(f"{directory}: in use by another process ({holder})")
            if _is(self._file.fileno(), self._path):
                break
            self._file.close()  # whoever had it removed this file in the meantime
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def _taken(self) -> bool:
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def release(self) -> None:
        """Let others in."""
        with suppress(OSError):  # a disk may have become read-only
            self._path.unlink(missing_ok=True)
        self._file.close()


def clear_lock(directory: Path) -> None:
    """Remove the lock that a killed process left, where that is allowed; CheckpointError if a process has it."""
    if (directory / ".lock").exists():
        with suppress(OSError):
            Lock(directory).release()


def lock_holder(directory: Path) -> str | None:
    """Return the number of the process that has a directory for itself, None if none has."""
    try:
        with (directory / ".lock").open(encoding="utf-8") as file:
            if fcntl is None:
                return None
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return (directory / ".lock").read_text(encoding="utf-8").strip() or "unknown"
    except FileNotFoundError:
        pass
    return None


def _is(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Let only one process at a time make something in a directory, where the file system can tell."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Give a fresh directory to fill; when the block ends without error it takes the place of `path`.

    The directory that was there stays until the new one is complete, and `recover_directory` brings it back if a crash
    fell between the two renames.
    """
    recover_directory(path)
    fresh, former = _names(path)
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _flush_directory(fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)  # on a disk that is full, it would be in the way
        raise
    if path.exists():
        path.rename(former)
    fresh.rename(path)
    _flush_directory(path.parent)
    shutil.rmtree(former, ignore_errors=True)


def current_directory(path: Path) -> Path:
    """Return where the content of `path` is now: under its former name if a crash fell between the two renames.

    Nothing is changed, so this may be asked while another process writes.
    """
    former = _names(path)[1]
    return former if former.exists() and not path.exists() else path


def remove_directory(path: Path) -> None:
    """Remove a directory with all that is in it, so that a crash leaves it whole or under a name that nobody reads."""
    gone = _gone(path)
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone)


def recover_directory(path: Path) -> None:
    """Undo a `replaced_directory` that a crash stopped: the former directory is there again, and nothing else."""
    fresh, former = _names(path)
    if former.exists() and not path.exists():
        former.rename(path)
    for left in (fresh, former, _gone(path)):
        shutil.rmtree(left, ignore_errors=True)


def _names(path: Path) -> tuple[Path, Path]:
    """Return the names that a new directory has until it is complete, and the former one while they change places."""
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")


def _gone(path: Path) -> Path:
    return path.with_name(f".{path.name}.gone")


def _flush_directory(path: Path) -> None:
    """Have the names in a directory on the disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
