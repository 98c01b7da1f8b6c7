"""How often intervals over rows and seeds hold the truth: runs of two systems, made up from known scores.

    python tests/interval_coverage.py [REPETITIONS]

Each system's expected score is known. A run's own score lies about it with a deviation `seeds`; answers of two runs of
one system, and of the two systems, agree on rows as much as `AGREE` and half of it say. Metrics of resampled rows are
computed for all resamples at once from counts of rows, which is why thousands of comparisons take seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mtft.report.seeds import SeedScores, seed_difference, seed_interval, seed_noise

Array = NDArray[np.float64]
AGREE = 0.9
"""Correlation of what two runs of one system make of a row."""
RESAMPLES = 400
Score = Callable[[Array, Array], Array]
"""Return the scores [counts, seeds] of what a metric adds up, for how often each row is drawn [counts, rows]."""

quantile = np.vectorize(NormalDist().inv_cdf)


@dataclass(frozen=True)
class Case:
    """A metric, the rows, the expected scores of two systems, and the deviation of a run's own score over seeds."""

    metric: str
    rows: int
    scores: tuple[float, float]
    seeds: float


CASES = (
    Case("accuracy", 583, (0.481, 0.491), 0.004),  # as SST: deviation of the scores seen .011, nearly all of rows
    Case("accuracy", 1000, (0.851, 0.850), 0.0067),  # as Quora
    Case("pearson", 447, (0.874, 0.858), 0.002),  # as STS
    Case("f1", 1000, (0.80, 0.79), 0.0067),
    Case("accuracy", 400, (0.481, 0.491), 0.0),  # seeds that differ on rows alone
    Case("pearson", 1000, (0.874, 0.858), 0.01),  # seeds that differ by more than rows
)


def latent(random: np.random.Generator, rows: int, seeds: int) -> list[Array]:
    """Standard normal numbers [rows, seeds] of two systems: of each row, of it in a system, and in a run."""
    common = random.normal(size=(rows, 1))
    own = [random.normal(size=(rows, 1)) for _ in range(2)]
    return [
        np.sqrt(AGREE / 2) * (common + each) + np.sqrt(1 - AGREE) * random.normal(size=(rows, seeds)) for each in own
    ]


def accuracy(random: np.random.Generator, case: Case, seeds: int) -> tuple[list[Array], Score]:
    """Answers that are right [rows, seeds] where a row is easier than a run's score asks."""
    found = []
    for noise, score in zip(latent(random, case.rows, seeds), case.scores, strict=True):
        found.append((noise < quantile(score + case.seeds * random.normal(size=seeds))).astype(np.float64))
    return found, lambda counts, right: counts @ right / counts.sum(axis=1, keepdims=True)


def pearson(random: np.random.Generator, case: Case, seeds: int) -> tuple[list[Array], Score]:
    """Sums behind correlations of normal numbers: x, x^2, xy [rows, seeds], and y, y^2 [rows, 1]."""
    truth, found = random.normal(size=(case.rows, 1)), []
    for noise, score in zip(latent(random, case.rows, seeds), case.scores, strict=True):
        own = score + case.seeds * random.normal(size=seeds)
        x = own * truth + np.sqrt(1 - own**2) * noise
        found.append(np.hstack([x, x**2, x * truth, truth, truth**2]))

    def correlation(counts: Array, sums: Array) -> Array:
        means = counts @ sums / counts.sum(axis=1, keepdims=True)
        x, xx, xy = np.split(means[:, :-2], 3, axis=1)
        y, yy = means[:, -2:-1], means[:, -1:]
        return np.asarray((xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2)))

    return found, correlation


def f1(random: np.random.Generator, case: Case, seeds: int) -> tuple[list[Array], Score]:
    """True and false positives, false negatives [rows, seeds]: of 37 % positive rows, and 10 % of the others."""
    share, wrong = 0.37, 0.1
    positive, found = random.random((case.rows, 1)) < share, []
    for noise, score in zip(latent(random, case.rows, seeds), case.scores, strict=True):
        own = score + case.seeds * random.normal(size=seeds)
        recall = own * (share + (1 - share) * wrong) / (share * (2 - own))  # the one that gives this F1
        answer = noise < np.where(positive, quantile(recall), quantile(wrong))
        found.append(np.hstack([answer & positive, answer & ~positive, ~answer & positive]).astype(np.float64))

    def score_of(counts: Array, parts: Array) -> Array:
        true, false, missed = np.split(counts @ parts, 3, axis=1)
        return np.asarray(2 * true / (2 * true + false + missed))

    return found, score_of


METRICS = {"accuracy": accuracy, "pearson": pearson, "f1": f1}


def coverage(case: Case, seeds: int, repetitions: int) -> tuple[float, float, float]:
    """Return how often the interval holds the truth, in percent: of a difference, over rows alone, of one score."""
    random, draws = np.random.default_rng(1), np.random.default_rng(0)
    drawn = draws.integers(0, case.rows, (RESAMPLES, case.rows))
    counts = np.stack([np.bincount(each, minlength=case.rows) for each in drawn]).astype(np.float64)
    every, expected = np.ones((1, case.rows)), case.scores[0] - case.scores[1]
    held = np.zeros(3)
    for _ in range(repetitions):
        systems, score = METRICS[case.metric](random, case, seeds)
        ours, theirs = (SeedScores(score(every, each)[0], score(counts, each)) for each in systems)
        noise = seed_noise([ours, theirs])
        both, rows = seed_difference(ours, theirs, noise), seed_difference(ours, theirs, seed_noise([]))
        low, high = seed_interval(ours, noise)
        held += [both.low <= expected <= both.high, rows.low <= expected <= rows.high, low <= case.scores[0] <= high]
    difference, alone, single = (100 * held / repetitions).tolist()
    return difference, alone, single


if __name__ == "__main__":
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| metric | rows | deviation | seeds | difference | rows alone | one score |\n|---|---|---|---|---|---|---|")
    for case in CASES:
        for seeds in (2, 3, 5):
            cells = " | ".join(f"{each:.1f} %" for each in coverage(case, seeds, repetitions))
            print(f"| {case.metric} | {case.rows:,} | {case.seeds} | {seeds} | {cells} |", flush=True)
