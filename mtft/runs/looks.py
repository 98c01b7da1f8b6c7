"""How often a run was scored on test: each look is noted in the run, in a file that no digest covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError
from mtft.io.directories import one_at_a_time
from mtft.io.files import read_json, write_json

LOOKS = "test_looks.json"


def read_looks(run: Path) -> list[dict[str, Any]]:
    """Return the looks at test of a run, oldest first; CheckpointError if the file is damaged."""
    path = run / LOOKS
    if not path.is_file():
        return []
    looks = read_json(path).get("looks")
    if not isinstance(looks, list) or not all(isinstance(look, dict) for look in looks):
        raise CheckpointError(f"{path}: looks is not a list of objects; remove the file to begin again")
    return looks


def count_looks(run: Path) -> int:
    """Return how often a run was scored on test."""
    return len(read_looks(run))


def note_look(run: Path, data: Mapping[str, str]) -> int:
    """Note a look at test, with the digest of each task's data; return how many there are now.

    OSError if the run cannot be written.
    """
    time = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with one_at_a_time(run):
        looks = [*read_looks(run), {"time": time, "data": dict(data)}]
        write_json(run / LOOKS, {"looks": looks})
    return len(looks)


def looks_text(looks: int) -> str:
    """Say how often test was looked at."""
    times = {0: "never", 1: "once", 2: "twice"}.get(looks, f"{looks} times")
    return f"test looked at {times}"
