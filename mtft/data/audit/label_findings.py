"""Findings about labels: their distribution, and whether splits differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mtft.data.audit.findings import Finding
from mtft.data.audit.split_reader import Split
from mtft.data.labels import LOOK, look_alike, several_labels, told_apart, visible

Floats = NDArray[np.float64]

CHANCE = 0.001
"""Largest probability that two samples of one distribution are reported as drift."""

LOPSIDED = 0.95
"""Share of the most frequent class from which a split is reported as unbalanced."""


def label_findings(found: Split) -> Iterator[Finding]:
    """Report the balance of a split's labels; warn if a class never occurs or if one class has nearly all rows."""
    targets, names = _targets(found), _names(found)
    if not len(targets) or (names and found.by_label):  # their balance is due to the choice of rows
        return
    where = found.source, found.split, found.examples[0].origin, len(targets)
    yield from _names_findings(names, where)
    if not names:
        low, middle, high = np.quantile(targets, [0, 0.5, 1])
        yield _balance("note", where, f"labels from {low:g} to {high:g}, median {middle:g}")
        return
    counts = np.bincount(targets.astype(int), minlength=len(names))
    shares = ", ".join(f"{name} {count / len(targets):.1%}" for name, count in zip(names, counts, strict=True))
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    if absent:
        yield _balance("warning", where, f"no row of class {', '.join(absent)} ({shares})")
    elif counts.max() >= LOPSIDED * len(targets):
        yield _balance("warning", where, f"nearly all rows are of one class ({shares})")
    else:
        yield _balance("note", where, f"classes: {shares}")


def _names_findings(names: Sequence[str], where: tuple[str, str, str, int]) -> Iterator[Finding]:
    """Report labels that look the same, and labels that may combine several."""
    if groups := look_alike(names):
        shown = "; ".join(" and ".join(told_apart(group)) for group in groups)
        message = f"labels differ only in {LOOK}: {shown}"
        yield Finding("labels-alike", "warning", *where, message, "", "write them alike, or name one in aliases")
    if sign := several_labels(names):
        shown = next((visible(name) for name in names if sign in name), visible(names[0]))
        message = f"labels look like several labels in one ({shown})"
        yield Finding("labels-several", "note", *where, message, "", "give each label a column of its own")


def _balance(severity: str, where: tuple[str, str, str, int], message: str) -> Finding:
    advice = "add rows, or do not read too much into the scores" if severity == "warning" else ""
    return Finding("balance", "warning" if severity == "warning" else "note", *where, message, "", advice)


def drift_findings(train: Split, other: Split) -> Iterator[Finding]:
    """Report a distribution of labels that differs from that of train by more than chance explains."""
    first, second, names = _targets(train), _targets(other), _names(train)
    if not len(first) or not len(second):
        return
    if names:
        distance, limit = total_variation(first, second, len(names))
        measure = "total variation"
    else:
        distance, limit = kolmogorov_smirnov(first, second)
        measure = "Kolmogorov-Smirnov distance"
    if distance > limit:
        yield Finding(
            "drift",
            "warning",
            other.source,
            other.split,
            other.examples[0].origin,
            len(second),
            f"labels are distributed differently from train: {measure} {distance:.3f}, by chance at most {limit:.3f}",
            "",
            "draw the splits from the same data, at random",
        )


def total_variation(first: Floats, second: Floats, classes: int) -> tuple[float, float]:
    """Return the total variation of two samples of classes, and its critical value at `CHANCE` or less.

    The critical value is a bound on the mean (Jensen's inequality for each class) plus McDiarmid's inequality (1989)
    for its deviation: a row of a sample of n changes the distance by 1/n at most.
    """
    n, m = len(first), len(second)
    counts = [np.bincount(sample.astype(int), minlength=classes) for sample in (first, second)]
    pooled = (counts[0] + counts[1]) / (n + m)
    distance = float(np.abs(counts[0] / n - counts[1] / m).sum() / 2)
    size = 1 / n + 1 / m
    mean = float(np.sqrt(pooled * (1 - pooled) * size).sum() / 2)
    return distance, mean + math.sqrt(size * math.log(1 / CHANCE) / 2)


def kolmogorov_smirnov(first: Floats, second: Floats) -> tuple[float, float]:
    """Return the largest difference of two empirical distribution functions, and its critical value at `CHANCE`.

    The critical value is the asymptotic one (Smirnov 1948); with ties, as in rounded labels, it is conservative.
    """
    values = np.unique(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (first, second)]
    size = 1 / len(first) + 1 / len(second)
    return float(np.abs(below[0] - below[1]).max()), math.sqrt(-math.log(CHANCE / 2) * size / 2)


def _targets(found: Split) -> Floats:
    return found.examples.targets[found.examples.labelled]


def _names(found: Split) -> Sequence[str]:
    names: Sequence[str] = found.output.describe().get("names", ()) if found.output is not None else ()
    return names
