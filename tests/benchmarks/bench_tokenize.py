"""What tokenization costs, compared with training."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from mtft.data.dataset import build_dataset
from mtft.data.tokenization import load_tokenizer
from tests.benchmarks.bench_step import OURS, WARM
from tests.benchmarks.session import Candidate, CandidateError, Figure, Goal, Session, summary
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, tasks

SECTION = "tokenization"
EPOCHS = 3
TOKENIZE = Candidate("tokenization", "tests.benchmarks.bench_tokenize:tokenization")


class Tokenization:
    """Read and tokenize the training files of the three tasks, as a run without a cache does."""

    def __init__(self, work: dict[str, Any]) -> None:
        self.work = Workload(**work)

    def __call__(self) -> dict[str, Any]:
        """Do it once."""
        self.tokens = 0
        return {"seconds": timed(self.run), "tokens": self.tokens}

    def run(self) -> None:
        """Tokenize."""
        tokenizer, longest = load_tokenizer(self.work.tokenizer), self.work.config().positions
        for task in tasks():
            rows = task.source.reader("train", Path(self.work.data))
            data = build_dataset(task.name, rows, tokenizer, apart=False, max_length=longest, strict=False)
            self.tokens += len(data.table.ids)


def tokenization(**options: Any) -> Tokenization:
    """Build it."""
    return Tokenization(**options)


def run(session: Session) -> None:
    """Set tokenization against the default three epochs, extrapolated from steps by tokens."""
    goal = Goal("at most", 0.02)
    what, against = "tokenization of all training data", f"{EPOCHS} epochs of training steps"
    shares, answers, steps = [], [], []
    try:
        with session.workers(TOKENIZE, OURS) as (tokenize, train):
            train(**WARM)
            for number in range(session.repeats):
                answers.append(tokenize())
                steps.append(train(size=96, index=number))
                epoch = steps[-1]["seconds"] / steps[-1]["tokens"] * answers[-1]["tokens"]
                shares.append(answers[-1]["seconds"] / (EPOCHS * epoch))
    except CandidateError as error:
        session.failed(SECTION, what, against, goal, error)
        return
    raw = {"tokenization": summary(answers), "step of 96": summary(steps)}
    session.add(Figure(SECTION, what, against, median(shares), "x", goal, shares, raw))
