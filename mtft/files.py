"""Writing files so that they are complete or not there: a temporary name, flushed, then renamed."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with replaced_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give the name of an empty file to fill; when the block ends without error it takes the place of `path`."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(b"")
    mode = temporary.stat().st_mode  # some libraries make files that only their owner may read
    yield temporary
    temporary.chmod(mode)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


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
    write_bytes(path, (to_json(value, indent=2) + "\n").encode())


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines atomically."""
    write_bytes(path, "".join(to_json(record) + "\n" for record in records).encode())


def append_json_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line to a JSON Lines log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(to_json(record) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; CheckpointError says what is wrong."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
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
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable: {error}") from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(records[-1], dict):
            raise CheckpointError(f"{path}:{number}: not an object")
    return records


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Give a fresh directory to fill; when the block ends without error it takes the place of `path`.

    The directory that was there stays until the new one is complete, and comes back if a crash fell between the two
    renames.
    """
    fresh, former = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    if former.exists() and not path.exists():
        former.rename(path)
    for left in (fresh, former):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    yield fresh
    if path.exists():
        path.rename(former)
    fresh.rename(path)
    shutil.rmtree(former, ignore_errors=True)
