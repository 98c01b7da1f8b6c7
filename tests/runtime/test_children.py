"""Other processes: their log, cores, threads, and their end with that of this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from commands import clean

from mtft.runtime.children import resident_bytes_of, start_child, usable_cores

SHOW = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'], os.getpgid(0) == os.getpid())"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not pin processes")
def test_a_child_keeps_to_its_cores_and_adds_to_its_log(tmp_path: Path) -> None:
    log, core = tmp_path / "logs" / "a.log", usable_cores()[-1]
    for cores in ([core], []):
        child = start_child([sys.executable, "-c", SHOW], log, cores, 3)
        assert child.wait(60) == 0
    assert log.read_text() == f"[{core}] 3 True\n{usable_cores()} 3 True\n"
    assert resident_bytes_of(child) == 0


def test_memory_of_a_child_is_seen(tmp_path: Path) -> None:
    child = start_child(
        [sys.executable, "-c", "x = bytes(1 << 26); print(flush=True); input()"], tmp_path / "log", [], 1
    )
    child.wait(60)  # input ends at once, since nothing can be read
    sleeping = start_child(["sleep", "60"], tmp_path / "log", [], 1)
    assert resident_bytes_of(sleeping) > 0
    sleeping.kill()
    sleeping.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the end of a parent")
def test_a_child_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from mtft.runtime.children import start_child\n"
        "print(start_child(['sleep', '60'], Path(sys.argv[1]), [], 1).pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean()) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        parent.wait(60)
    limit = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < limit:
        time.sleep(0.02)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
