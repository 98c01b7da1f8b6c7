"""Real processes that are killed, at random moments or before one of their file operations, and what they leave."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from commands import cli

TRAIN = (
    "train",
    "--tasks",
    "sst,sts",
    "--sample",
    "--batches",
    "2",
    "--epochs",
    "2",
    "--batch-size",
    "128",
    "--checkpoint-every",
    "2",
)
OPERATIONS = ("fsync", "rename", "replace", "unlink", "truncate", "mkdir")
"""What a process may be killed before doing, among everything else, which a clock reaches."""


def forked(args: tuple[object, ...], die_at: int | None = None, after: float | None = None) -> tuple[int | None, int]:
    """Run a command in a child process; return its exit code, None if it was killed, and its file operations.

    It is killed before its file operation `die_at`, or `after` these seconds, whatever it does then.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 99 << 16
        try:
            status = _run(args, die_at)
        finally:
            os.write(writing, status.to_bytes(8, "little"))
            os._exit(0)
    os.close(writing)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    answer = os.read(reading, 8)
    os.close(reading)
    os.waitpid(child, 0)
    status = int.from_bytes(answer, "little")
    return (status >> 16 if answer else None), status & 0xFFFF


def _run(args: tuple[object, ...], die_at: int | None) -> int:
    """Run a command in this process, which kills itself before its file operation `die_at`; return their count."""
    count = 0

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def operation(*given: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*given, **named)

        return operation

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    done = cli(*args)
    if done.code:
        print(done.err, file=sys.__stderr__)
    return done.code << 16 | count


def half_written(out: Path) -> bool:
    """Tell whether something was being written when the process was killed."""
    folders = [out.parent, *(path for path in (out, out.with_name(f"{out.name}.part")) if path.is_dir())]
    names = [path.name for folder in folders for path in folder.iterdir()]
    return any(name.endswith((".new", ".old", ".tmp", ".gone")) for name in names)
