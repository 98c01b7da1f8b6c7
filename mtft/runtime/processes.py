"""The number of this process among those of a run, from the variables that ``torchrun`` sets; needs no torch."""

from __future__ import annotations

import os


def rank() -> int:
    """Return this process's number in the run; 0 alone."""
    return _number("RANK", 0) if size() > 1 else 0


def size() -> int:
    """Return how many processes the run has."""
    return _number("WORLD_SIZE", 1) if "RANK" in os.environ else 1


def local_rank() -> int:
    """Return this process's number on its machine."""
    return _number("LOCAL_RANK", 0) if size() > 1 else 0


def local_size() -> int:
    """Return how many processes of the run are on this machine."""
    return _number("LOCAL_WORLD_SIZE", 1) if size() > 1 else 1


def restarts() -> int:
    """Return how often ``torchrun`` restarted the processes after one of them was lost."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0)


def may_restart() -> bool:
    """Return whether ``torchrun`` will restart the processes if one is lost."""
    return _number("TORCHELASTIC_MAX_RESTARTS", 0) > 0


def fair_threads() -> int | None:
    """Return this process's share of the cores if others of the run are on its machine, else None (torch decides).

    ``torchrun`` sets OMP_NUM_THREADS to 1 if it is unset, which leaves cores idle; any other number is the user's.
    """
    if local_size() == 1 or os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // local_size())


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
