"""The parent's side: candidates in processes of their own, measured in turns, and the figures that come of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from mtft.io.files import write_json

ROOT = Path(__file__).parents[2]
GIB = 1 << 30


class CandidateError(Exception):
    """A candidate that could not be measured; the text says why."""


@dataclass(frozen=True)
class Candidate:
    """What to measure: a factory as ``"module:name"`` and its arguments in addition to the workload."""

    name: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    work: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """What a figure should be."""

    sense: Literal["at least", "at most"]
    value: float

    def reached(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        return value >= self.value if self.sense == "at least" else value <= self.value


@dataclass
class Figure:
    """One line of the result: a value, usually a ratio, its `runs`, and the raw numbers that it was made from."""

    section: str
    what: str
    against: str
    value: float | None
    unit: str = "x"
    goal: Goal | None = None
    runs: list[float] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Tell whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value is not None and self.goal.reached(self.value)


class Worker:
    """A running candidate: call it with a request, get its answer."""

    def __init__(self, candidate: Candidate, work: Mapping[str, Any]) -> None:
        self.name, self.log = candidate.name, tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(work["threads"])},
        )
        arguments = {"work": {**work, **candidate.work}, **candidate.arguments}
        try:
            self._send({"factory": candidate.factory, "arguments": arguments})
        except CandidateError:
            self.close()
            raise

    def __call__(self, **request: Any) -> dict[str, Any]:
        return self._send(request)

    def _send(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise CandidateError(f"{self.name}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        code = self.process.wait()
        self.log.seek(0)
        return f"ended with code {code}: {self.log.read()[-300:].strip()}"

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Session:
    """One run of benchmarks: how much of it, and the figures so far, written after each.

    `sections` says of each section on what it was measured, and when. Sections of a former run that are in the file
    `out` stay there until they are measured anew.
    """

    def __init__(
        self, work: Mapping[str, Any], *, repeats: int, quick: bool, out: Path, tell: Callable[[str], None]
    ) -> None:
        self.work, self.repeats, self.quick, self.out, self.tell = work, repeats, quick, out, tell
        former = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {"sections": {}, "figures": []}
        self.sections: dict[str, dict[str, str]] = former["sections"]
        self.former: list[dict[str, Any]] = former["figures"]
        self.figures: list[Figure] = []
        self.peaks: dict[str, int] = {}

    def begin(self, section: str, about: Mapping[str, str]) -> None:
        """Forget what a former run found in a section; `about` says on what it is measured now."""
        self.sections[section] = dict(about)
        self.former = [figure for figure in self.former if figure["section"] != section]

    def add(self, figure: Figure) -> None:
        """Keep a figure and write all of them."""
        self.figures.append(figure)
        value = "failed" if figure.value is None else f"{figure.value:.3g} {figure.unit}"
        self.tell(f"{figure.section}: {figure.what} / {figure.against}: {value} {figure.note}")
        self.flush()

    def flush(self) -> None:
        """Write everything so far."""
        figures = [*self.former, *({**asdict(figure), "reached": figure.reached} for figure in self.figures)]
        order = list(self.sections)
        figures.sort(key=lambda figure: order.index(figure["section"]))
        write_json(self.out, {"sections": self.sections, "figures": figures})

    def failed(self, section: str, what: str, against: str, goal: Goal | None, error: Exception) -> None:
        """Keep a figure that could not be measured."""
        self.add(Figure(section, what, against, None, goal=goal, note=f"not measured: {error}"))

    @contextmanager
    def workers(self, *candidates: Candidate) -> Iterator[list[Worker]]:
        """Start candidates side by side."""
        with ExitStack() as stack:
            running = []
            for candidate in candidates:
                worker = Worker(candidate, self.work)
                stack.callback(worker.close)
                running.append(worker)
            yield running

    def turns(
        self,
        candidates: Sequence[Candidate],
        requests: Sequence[Mapping[str, Any]],
        warm: Mapping[str, Any] | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Measure candidates in turns, all on the first request, then all on the next; returns answers [c][r].

        The order is turned round each time, so that drift of the machine favours nobody. `warm` is sent first and
        its answer is not kept.
        """
        answers: list[list[dict[str, Any]]] = [[] for _ in candidates]
        with self.workers(*candidates) as running:
            if warm is not None:
                for worker in running:
                    worker(**warm)
            for number, request in enumerate(requests):
                order = list(range(len(candidates)))
                for index in order if number % 2 == 0 else reversed(order):
                    answer = running[index](**request)
                    answers[index].append(answer)
                    self.tell(
                        f"    {candidates[index].name} {dict(request)}: {answer['seconds']:.3f} s, "
                        f"{answer['peak'] / GIB:.2f} GiB"
                    )
        return answers

    def compare(
        self,
        section: str,
        ours: Candidate,
        peer: Candidate,
        requests: Sequence[Mapping[str, Any]],
        *,
        what: str,
        against: str,
        goal: Goal | None = None,
        warm: Mapping[str, Any] | None = None,
        flip: bool = False,
        note: str = "",
    ) -> list[list[dict[str, Any]]]:
        """Add the median of paired ratios, peer's seconds by ours: how many times faster we are.

        With `flip`, ours by the peer's: how many times as long we take. Returns the answers, none if one failed.
        """
        try:
            mine, theirs = self.turns([ours, peer], requests, warm)
        except CandidateError as error:
            self.failed(section, what, against, goal, error)
            return []
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(mine, theirs, strict=True)]
        ratios = [1 / ratio for ratio in ratios] if flip else ratios
        raw = {ours.name: summary(mine), peer.name: summary(theirs)}
        self.add(Figure(section, what, against, median(ratios), "x", goal, ratios, raw, note))
        return [mine, theirs]


def summary(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return median seconds and peak memory of one candidate's answers."""
    return {
        "seconds": median(answer["seconds"] for answer in answers),
        "peak GiB": max(answer["peak"] for answer in answers) / GIB,
    }
