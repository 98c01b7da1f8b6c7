"""What the machine has left: memory of this process and of the system, and giving freed memory back."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

_PAGE = resource.getpagesize()


def resident_bytes() -> int:
    """Return the memory that this process holds now; where the system does not tell, the most that it held."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    return peak_bytes()


def peak_bytes() -> int:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def available_bytes(system: Path = Path("/")) -> int | None:
    """Return the memory that can still be had without swapping, by system and control group; None if unknown.

    `system` is where ``proc`` and ``sys`` are.
    """
    found = []
    with suppress(OSError, StopIteration):
        lines = (system / "proc/meminfo").read_text().splitlines()
        found.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024)
    group = system / "sys/fs/cgroup"
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such file, or "max"
            found.append(max(int((group / limit).read_text()) - int((group / used).read_text()), 0))
    return min(found, default=None)


def release() -> None:
    """Give memory that was freed back to the system.

    glibc keeps blocks below 32 MiB for later, which after a training step is a whole micro-batch's activations.
    """
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
