"""A whole program as a candidate: what it printed, its processor time and its peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.session import ROOT


@dataclass(frozen=True)
class Ran:
    """A program that has ended: its output, its processor seconds on all cores, and its peak bytes."""

    text: str
    seconds: float
    peak: int


def run_python(arguments: Sequence[str]) -> Ran:
    """Run Python with these arguments; RuntimeError with its last words if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=words, cwd=ROOT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        words.seek(0)
        if process.returncode:
            shown = " ".join(arguments[:3])
            raise RuntimeError(f"python {shown}: code {process.returncode}: {words.read()[-300:].strip()}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Ran(out.read(), used.ru_utime + used.ru_stime, used.ru_maxrss * unit)
