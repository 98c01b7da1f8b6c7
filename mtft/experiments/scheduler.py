"""Run what is due: as many processes at once as slots and memory allow, each after those that it needs."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Literal

from mtft.errors import MtftError
from mtft.experiments.command_line import run_command
from mtft.experiments.estimates import Estimates
from mtft.experiments.expansion import PlannedRun
from mtft.experiments.store import Store
from mtft.runtime.children import resident_bytes_of, start_child
from mtft.runtime.memory import available_bytes
from mtft.runtime.notices import Notify

Outcome = Literal["recorded", "failed", "stopped", "skipped"]
"""How a run ended: its record is written, it failed, it was stopped and can go on, or a run that it needs failed."""

PERIOD = 0.2
"""Seconds between two looks at the processes."""

TIME_IS_OVER = 4
"""Exit code of a run that its `max_time` stopped."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Notes signals instead of acting on them, so that runs can save first; a second one stops them at once."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    @property
    def asked(self) -> bool:
        """Whether a signal was received."""
        return bool(self.signals)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note signals in the block, and raise the first one again at its end."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.signals:
            signal.raise_signal(self.signals[0])

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)


@dataclass(frozen=True)
class Slot:
    """The cores of one process; none if the system cannot pin it, or there are fewer cores than processes."""

    cores: tuple[int, ...]
    threads: int


def slots(jobs: int, threads: int, cores: Sequence[int]) -> list[Slot]:
    """Return one slot for each process that may run at once, with cores of its own where there are enough."""
    enough = len(cores) >= jobs * threads
    return [Slot(tuple(cores[job * threads : (job + 1) * threads]) if enough else (), threads) for job in range(jobs)]


@dataclass
class Running:
    """A process that makes a run, its slot, and the bytes of memory that it will need."""

    run: PlannedRun
    process: subprocess.Popen[bytes]
    slot: Slot
    memory: int
    signals: int = 0


@dataclass
class Scheduler:
    """Starts, watches and records runs; `due` are in order. `finished` is called after each record."""

    due: Sequence[PlannedRun]
    store: Store
    slots: list[Slot]
    digests: Mapping[str, str]
    estimates: Estimates
    stop: Stop
    notify: Notify
    finished: Callable[[], None]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _running: list[Running] = field(default_factory=list)

    def run(self) -> dict[str, Outcome]:
        """Return how each run ended; runs that were not begun because of a signal are left out."""
        try:
            return self._run()
        finally:  # an error here must not leave processes behind
            for running in self._running:
                running.process.terminate()
            for running in self._running:
                running.process.wait()

    def _run(self) -> dict[str, Outcome]:
        waiting = list(self.due)
        while waiting or self._running:
            if self.stop.asked:
                waiting = []
                self._pass_signals()
            waiting = [run for run in waiting if not self._skip(run)]
            for run in waiting:
                if self._may_start(run):
                    waiting = [other for other in waiting if other is not run]
                    self._start(run)
                    break
            else:
                time.sleep(PERIOD)
            for running in [each for each in self._running if each.process.poll() is not None]:
                self._settle(running)
        return self.outcomes

    @property
    def pending(self) -> list[str]:
        """Names of the runs that have not ended."""
        return [run.name for run in self.due if run.name not in self.outcomes]

    def _skip(self, run: PlannedRun) -> bool:
        """Return whether a run cannot be made because one that it needs was not."""
        lost = [name for name in run.needs if self.outcomes.get(name, "recorded") != "recorded"]
        if lost:
            self.outcomes[run.name] = "skipped"
            self.notify("warning", f"{run.name}: skipped, since it needs {', '.join(lost)}")
        return bool(lost)

    def _may_start(self, run: PlannedRun) -> bool:
        """Return whether a slot is free, the runs needed are finished, and memory suffices beside those that run."""
        pending = self.pending
        if len(self._running) == len(self.slots) or any(name in pending for name in run.needs):
            return False
        if not self._running:
            return True
        reserved = sum(max(0, each.memory - resident_bytes_of(each.process)) for each in self._running)
        return (self.estimates.of(run).memory or 0) + reserved <= available_bytes()

    def _start(self, run: PlannedRun) -> None:
        """Start a run, or go on with it."""
        slot = next(slot for slot in self.slots if all(slot is not each.slot for each in self._running))
        state, log = self.store.state(run.name), self.store.log(run.name)
        if state == "finished":
            self._record(run)
            return
        memory = self.estimates.of(run).memory or 0 if len(self.slots) > 1 else 0
        if self.stop.asked:
            return
        begins = "goes on" if state == "stopped" else "begins"
        self.notify("info", f"{run.name}: {begins} (log: {log})")
        try:
            self.store.write_plan(run, self.digests[run.name])
            process = start_child(run_command(run, self.store, slot.threads), log, slot.cores, slot.threads)
        except OSError as error:
            self._fail(run, f"could not be started: {error.strerror}: {error.filename}")
            return
        self._running.append(Running(run, process, slot, memory))

    def _pass_signals(self) -> None:
        """Pass on each signal once; the first lets the runs save, a second one stops them at once."""
        for each in self._running:
            for number in self.stop.signals[each.signals :]:
                each.process.send_signal(number)
            each.signals = len(self.stop.signals)

    def _settle(self, running: Running) -> None:
        """Take note of a process that has ended."""
        self._running.remove(running)
        run, code = running.run, running.process.returncode
        if code == 0:
            self._record(run)
        elif code == TIME_IS_OVER or running.signals:
            self.outcomes[run.name] = "stopped"
            self.notify("info", f"{run.name}: stopped; the same command goes on with it")
        else:
            log = self.store.log(run.name)
            self._fail(run, f"failed with exit code {code}: {last_line(log)} (log: {log})")

    def _fail(self, run: PlannedRun, reason: str) -> None:
        self.outcomes[run.name] = "failed"
        self.notify("warning", f"{run.name}: {reason}")

    def _record(self, run: PlannedRun) -> None:
        """Write the record of a finished run; the run stays if that fails, as on a full disk."""
        try:
            self.store.record_run(run)
            self.outcomes[run.name] = "recorded"
            self.notify("info", f"{run.name}: recorded")
            self.finished()
        except (OSError, MtftError) as error:
            reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
            self._fail(run, f"its record could not be written: {reason}; the run is complete")


def last_line(log: Path, size: int = 4096) -> str:
    """Return the last line of a log, at most `size` bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return "its log cannot be read"
    return next((line for line in reversed(lines) if line.strip()), "its log is empty")
