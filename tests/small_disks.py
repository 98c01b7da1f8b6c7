"""Disks of any size for tests, where mounting one is allowed, and processes without rights or with limits."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import MTFT, Done, clean

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of this size in memory; skips with a reason where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until the disk is full; return the file."""
    junk = folder / "junk"
    with pytest.raises(OSError, match="No space left"), junk.open("wb", buffering=0) as file:  # noqa: PT012
        while file.write(b"\0" * 4096):
            pass
    return junk


def limited(bytes_per_file: int) -> Callable[[], None]:
    """Return what limits the size of files that a process to be started may write."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, bytes_per_file))


def without_override() -> None:
    """Have a process to be started obey the modes of files, root too."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            assert libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


def restricted(before: Callable[[], None], *args: object) -> Done:
    """Run a command in a process of its own, after `before` has taken something from it."""
    done = subprocess.run(
        [*MTFT, *map(str, args)], capture_output=True, text=True, check=False, env=clean(), preexec_fn=before
    )
    return Done(done.returncode, done.stdout, done.stderr)
