"""What runs need, as `mtft plan` estimates it in a process of its own: tokens, seconds and bytes of memory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mtft.config.load import dump
from mtft.experiments.command_line import plan_command
from mtft.experiments.expansion import PlannedRun, without_seed
from mtft.experiments.references import references

LEFT_OUT = ("mask", "teachers")
"""Settings that name runs which may not exist yet; the estimate is made without them."""

PERIOD = 0.2
"""Seconds between two looks at a process."""


@dataclass(frozen=True)
class Estimate:
    """Tokens of training, seconds and peak bytes of memory; each None if unknown, with the reason in `problem`."""

    tokens: int | None = None
    seconds: float | None = None
    memory: int | None = None
    problem: str = ""


class Estimates:
    """Estimates runs, runs that differ in their seed alone once; a refinement takes no more memory than its origin."""

    def __init__(self, runs: Sequence[PlannedRun], threads: int, stopped: Callable[[], bool] = lambda: False) -> None:
        self._runs: Mapping[str, PlannedRun] = {run.name: run for run in runs}
        self._threads, self._stopped = threads, stopped
        self._known: dict[str, Estimate] = {}

    def of(self, run: PlannedRun) -> Estimate:
        """Return the estimate of a run."""
        if run.origin:
            origin = self._runs.get(next(references(run.origin), ""))
            return Estimate(memory=self.of(origin).memory) if origin else Estimate()
        left_out = {key for key in LEFT_OUT if next(references(getattr(run.config, key)), None)}
        text = dump(without_seed(run).config, exclude={"out", "overwrite", *left_out})
        if text not in self._known:
            self._known[text] = self._plan(text)
        return self._known[text]

    def _plan(self, settings: str) -> Estimate:
        """Run `mtft plan` and read what it prints."""
        with TemporaryDirectory(prefix="mtft-") as folder:
            file, out, errors = (Path(folder) / name for name in ("settings.toml", "out", "errors"))
            file.write_text(settings, encoding="utf-8")
            with out.open("wb") as stdout, errors.open("wb") as stderr:
                command = plan_command(file, self._threads)
                process = subprocess.Popen(command, stdout=stdout, stderr=stderr, start_new_session=True)
                code = self._wait(process)
            if code:
                lines = errors.read_text(encoding="utf-8", errors="replace").splitlines()
                return Estimate(problem=lines[-1] if lines else f"exit code {code}")
            return _read(json.loads(out.read_text(encoding="utf-8")))

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit code of a process, which is killed if the experiment is to stop."""
        while True:
            try:
                return process.wait(PERIOD)
            except subprocess.TimeoutExpired:
                if self._stopped():
                    process.kill()


def _read(found: Mapping[str, Any]) -> Estimate:
    """Return the estimate in what `mtft plan` printed."""
    tokens, seconds, memory = (found[key] for key in ("tokens", "seconds", "memory_bytes"))
    missing = found["missing"]
    return Estimate(
        None if not tokens else int(tokens["train"]),
        None if not seconds else float(seconds["total"]),
        None if not memory else int(memory["peak"]),
        f"{missing[0]}: no such file" if missing else "",
    )
