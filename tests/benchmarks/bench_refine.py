"""An epoch of refining heads from features on disk, against the same epoch through the frozen encoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtft.data.tokenization import TokenTable
from mtft.model.features import with_features
from mtft.model.inference import apply
from mtft.optimization.gradients import TrainingSource
from mtft.runtime.devices import keep_freed_memory
from mtft.training.loop import Plan
from mtft.training.loop import train as loop
from mtft.training.step import Stepper
from tests.benchmarks.session import Candidate, Goal, Session
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, model, sources

SECTION = "refine"
BATCH = 16
"""What `mtft refine` takes by default."""
DEV = 7
"""Training rows for each row of dev, about as in the real data."""


class Epoch:
    """An epoch of each task's head over `rows` training rows, and dev rows too, as `mtft refine` takes it."""

    def __init__(self, work: dict[str, Any], cached: bool, rows: int) -> None:
        keep_freed_memory()
        self.work, self.cached, self.rows = Workload(**work), cached, rows
        self.sources = sources(self.work)
        self.model, self.flat = model(self.work)

    def __call__(self, index: int) -> dict[str, Any]:
        """Take part `index` of the data; what is encoded once is not timed."""
        jobs = list(self._jobs(index))
        tokens = sum(len(stepper.sources[name].table.ids) for name, stepper, _ in jobs)
        return {"seconds": timed(lambda: [self._epoch(*job) for job in jobs]), "tokens": tokens}

    def _jobs(self, index: int) -> Iterator[tuple[str, Stepper, TokenTable]]:
        for source in self.sources:
            size = min(self.rows, len(source) * DEV // (DEV + 1))
            begin = index * size % (len(source) - size - size // DEV + 1)
            train = self._part(source, begin, size)
            dev = self._part(source, begin + size, max(1, size // DEV))
            yield source.name, Stepper(self.model, self.flat, [train], None), dev.table

    def _part(self, source: TrainingSource, begin: int, count: int) -> TrainingSource:
        whole = source.table
        offsets = whole.offsets[begin : begin + count + 1]
        tokens = slice(offsets[0], offsets[-1])
        table = TokenTable(whole.ids[tokens], whole.segments[tokens], offsets - offsets[0], 1)
        if self.cached:
            path = Path(self.work.cache) / f"{self.work.model}-{source.name}-{begin}-{count}.features"
            table = with_features(self.model, table, path, "benchmark", lambda *_: None)
        return replace(source, table=table, targets=source.targets[begin : begin + count])

    def _epoch(self, name: str, stepper: Stepper, dev: TokenTable) -> None:
        for _ in loop(stepper, Plan(1, BATCH, 1e-5, "constant", 0.0)):
            pass
        apply(self.model, dev, [name])


def epoch(**options: Any) -> Epoch:
    """Build an epoch."""
    return Epoch(**options)


def run(session: Session) -> None:
    """Measure MiniLM, and the shape of BERT-base with random weights."""
    sizes = [(session.work["model"], 64 if session.quick else 512, 2.5)]
    if not session.quick:
        sizes.append(("bert-base-uncased", 96, 4.0))
    for name, rows, goal in sizes:
        cached, encoded = (
            Candidate(text, "tests.benchmarks.bench_refine:epoch", {"cached": flag, "rows": rows}, {"model": name})
            for text, flag in (("from features", True), ("through the encoder", False))
        )
        session.compare(
            SECTION,
            cached,
            encoded,
            [{"index": number + 1} for number in range(session.repeats)],
            what=f"{name}, an epoch over {rows} rows of each task, batch {BATCH}",
            against="the same epoch through the frozen encoder",
            goal=Goal("at least", goal),
            warm={"index": 0},
        )
