"""Write files so that they are complete or absent: under a temporary name, flushed, then renamed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError
from mtft.io.disk import named_when_full

MOST = 1 << 30
"""Largest text that is read, in bytes: far above any log, far below the size of memory."""

DEEPEST = 100
"""Most levels of nesting in a JSON document."""

APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
"""Flags that open a file to append to it, but not through a symbolic link."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with named_when_full(path, len(data)), replaced_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield the path of an empty file that replaces `path` when the block ends without error."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(b"")
        mode = temporary.stat().st_mode  # some libraries create files that only their owner may read
        yield temporary
        temporary.chmod(mode)
        flush(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Write what the system has cached of a file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as strict JSON: a number that is not finite becomes null."""
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
    """Return the text of a regular file; ValueError for any other kind or if it has more than `most` bytes."""
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
    """Return a parsed JSON document; ValueError if it is nested too deeply to be written again."""
    value = json.loads(text)
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        parts = (part for each in level for part in (each.values() if isinstance(each, dict) else each))
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return value
    raise ValueError(f"nested deeper than {DEEPEST} levels")
