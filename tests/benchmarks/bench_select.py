"""Selection against one epoch of forward and backward over the same rows, and the top-k of 109 million scores."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch

from mtft.optimization.gradients import accumulate
from mtft.runtime.memory import resident_bytes
from mtft.selection.budget import top_k
from mtft.selection.gradient_score import sum_score
from mtft.selection.scorers import Scoring
from tests.benchmarks.session import Candidate, CandidateError, Figure, Goal, Session, summary
from tests.benchmarks.worker import peak_bytes, timed
from tests.benchmarks.workload import TASKS, Workload, batches, model, parts, sources

SECTION = "select"
BASE_WEIGHTS = 109_482_240


class Passes:
    """One pass over the first `examples` rows of the shuffled data, as selection or as an epoch's gradients.

    Dropout is off for both, as selection has it; what differs is how rows are grouped and what is done with gradients.
    """

    def __init__(self, work: dict[str, Any], epoch: bool) -> None:
        given = Workload(**{**work, "dropout": False})
        self.sources, self.epoch = sources(given), epoch
        self.model, self.flat = model(given)

    def __call__(self, examples: int, index: int = 0) -> dict[str, Any]:
        """Pass over a part of the data of `examples` rows."""
        size = min(512, examples)
        chosen = batches(self.sources, size)[index * (examples // size) :][: max(1, examples // size)]
        return {"seconds": timed(lambda: self._epoch(chosen) if self.epoch else self._select(chosen))}

    def _select(self, chosen: list[Any]) -> None:
        sum_score(Scoring(self.model, self.flat, self.sources, chosen))

    def _epoch(self, chosen: list[Any]) -> None:
        self.model.train()
        for rows in chosen:
            for task in TASKS:
                self.flat.zero_grad()
                if present := parts(self.sources, rows, task):
                    accumulate(self.model, present, budget=2048)


class TopK:
    """The selection itself, on as many scores as BERT-base has weights."""

    def __init__(self, work: dict[str, Any], weights: int = BASE_WEIGHTS) -> None:
        self.scores = torch.rand(weights, generator=torch.Generator().manual_seed(0))

    def __call__(self) -> dict[str, Any]:
        """Keep three in ten; `more` is the memory that it takes on top, in bytes of the indices that come of it."""
        count, before = round(0.3 * len(self.scores)), resident_bytes()
        seconds = timed(lambda: top_k(self.scores, count))
        return {"seconds": seconds, "more": (peak_bytes() - before) / (8 * count)}


def passes(**options: Any) -> Passes:
    """Build a pass over data."""
    return Passes(**options)


def topk(**options: Any) -> TopK:
    """Build the top-k."""
    return TopK(**options)


def run(session: Session) -> None:
    """Measure both."""
    examples = 192 if session.quick else 1024
    here = "tests.benchmarks.bench_select"
    select = Candidate("mtft select", f"{here}:passes", {"epoch": False})
    epoch = Candidate("forward and backward", f"{here}:passes", {"epoch": True})
    requests = [{"examples": examples, "index": number} for number in range(session.repeats)]
    session.compare(
        SECTION,
        select,
        epoch,
        requests,
        what=f"score, {examples} examples",
        against="one epoch of forward and backward over them",
        goal=Goal("at most", 1.05),
        warm={"examples": 32},
        flip=True,
    )
    arguments = {"weights": 5_000_000} if session.quick else {}
    candidate = Candidate("top-k", f"{here}:topk", arguments)
    what = f"top 30 % of {arguments.get('weights', BASE_WEIGHTS) / 1e6:.0f}M scores"
    goal = Goal("at most", 10)
    try:
        (answers,) = session.turns([candidate], [{}] * session.repeats)
    except CandidateError as error:
        session.failed(SECTION, what, "seconds", goal, error)
        return
    runs = [answer["seconds"] for answer in answers]
    session.add(Figure(SECTION, what, "seconds", median(runs), "s", goal, runs, {"top-k": summary(answers)}))
    more = max(answer["more"] for answer in answers)
    session.add(
        Figure(
            SECTION,
            f"{what}, memory beside the scores",
            "that of the indices found",
            more,
            "x",
            Goal("at most", 1.25),
            [more],
        )
    )
