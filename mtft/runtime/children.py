"""Start other processes: with a log, on their own cores where the system allows, and stopped if this one is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def start_child(command: Sequence[str], log: Path, cores: Sequence[int], threads: int) -> subprocess.Popen[bytes]:
    """Start a process that adds what it prints to `log`, on these cores (none: any), with this many OpenMP threads.

    It is in a process group of its own, so that Ctrl-C reaches only this process, which passes it on.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
            preexec_fn=_preparation(tuple(cores)),
        )


def _preparation(cores: tuple[int, ...]) -> Callable[[], None]:
    """Return what a new process does first: keep to its cores, and ask for SIGTERM when its parent ends."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if cores and hasattr(os, "sched_setaffinity"):
            with suppress(OSError):
                os.sched_setaffinity(0, cores)
        if prctl:
            prctl(SET_DEATH_SIGNAL, signal.SIGTERM)

    return prepare


def resident_bytes_of(process: subprocess.Popen[bytes]) -> int:
    """Return the memory that a process holds, 0 if it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(process.pid).memory_info().rss)
    return 0
