"""Starting real processes with the real ``torchrun``, on this machine alone and for a bounded time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from commands import Done, clean

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
PLACE = {"GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
"""Loopback, and the CPU, of which there is enough for several processes."""

SECONDS = 120
"""The longest that anything here takes."""


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def started(
    *command: object, size: int = 2, options: tuple[object, ...] = ("--standalone",), cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Start `size` processes of a command; what they say goes to pipes."""
    arguments = [*TORCHRUN, *options, "--nproc-per-node", size, *command]
    return subprocess.Popen(
        list(map(str, arguments)),
        env=clean(**PLACE),
        cwd=cwd,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> Done:
    """Wait for all processes; those that hang are killed, and that is an error."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"still running after {SECONDS} s\n{out}\n{err}") from None
    return Done(process.returncode, out, err)


def torchrun(*command: object, size: int = 2, cwd: Path | None = None) -> Done:
    """Run `size` processes of a command."""
    return finished(started(*command, size=size, cwd=cwd))


def worker(agent: int, rank: int, attempt: int = 0) -> int | None:
    """Return the process of that rank below a ``torchrun``, by what the system says of its environment."""
    wanted = {f"RANK={rank}".encode(), f"TORCHELASTIC_RESTART_COUNT={attempt}".encode()}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == agent and wanted <= {*(path / "environ").read_bytes().split(b"\0")}:
                return int(path.name)
    return None


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds while a process runs."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
