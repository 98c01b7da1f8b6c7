"""Memory, in bytes: what this process holds, what is available, and how freed memory is returned."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux shows the limits of a container's control group, which psutil does not read."""


def resident_bytes() -> int:
    """Return the memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def available_bytes(group: Path = CONTROL_GROUP) -> int:
    """Return the memory available without swapping: the smaller of the system's and the control group's."""
    limits = [int(psutil.virtual_memory().available)]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(max(int((group / limit).read_text()) - int((group / used).read_text()), 0))
    return min(limits)


def release() -> None:
    """Return freed memory to the system.

    glibc keeps freed blocks below 32 MiB: after a training step, the activations of a whole micro-batch.
    """
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
