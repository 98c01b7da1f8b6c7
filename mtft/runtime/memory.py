"""Memory that this process holds and that the machine has left, in bytes, and giving freed memory back."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux shows the limits of the control group, which is a container's own; psutil knows none."""


def resident_bytes() -> int:
    """Return the memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def available_bytes(group: Path = CONTROL_GROUP) -> int:
    """Return the memory that can still be had without swapping, by system and control group."""
    found = [int(psutil.virtual_memory().available)]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such file, or "max"
            found.append(max(int((group / limit).read_text()) - int((group / used).read_text()), 0))
    return min(found)


def release() -> None:
    """Give memory that was freed back to the system.

    glibc keeps blocks below 32 MiB for later, which after a training step is a whole micro-batch's activations.
    """
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
