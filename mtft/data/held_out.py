"""Hold out a share of the training rows for dev, stratified by label.

Every row has a position in [0, 1), a hash of its texts alone (`position`). For each label, the texts with the lowest
positions are held out: the given share of the label's rows, and at least `LEAST` if the label has `ENOUGH` rows. Rows
with the same texts stay together. The order of the rows, the file name and the seed have no effect.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mtft.data.example import text_key
from mtft.data.labels import canonical, to_number, visible
from mtft.data.shares import hash_fraction

LEAST = 5
"""Fewest labelled rows of each class in dev and in train."""

ENOUGH = 2 * LEAST
"""Fewest rows of a class from which `LEAST` can be held out."""

Stratum = tuple[str, Hashable]
"""A column of labels and one of its labels."""


@dataclass(frozen=True)
class Strata:
    """Columns that stratify a share: each label of `classes` is a stratum; of `numbers`, whether there is a label."""

    classes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    def of(self, row: Mapping[str, str]) -> list[Stratum]:
        """Return the strata of a row, given its cells as written in the file."""
        classes = [(name, canonical(label)) for name in self.classes if (label := row.get(name, "").strip())]
        numbers = [(name, True) for name in self.numbers if _is_number(row.get(name, ""))]
        return [*classes, *numbers]


def _is_number(cell: str) -> bool:
    return to_number(cell.strip().replace(",", ".")) is not None


@dataclass(frozen=True)
class HeldOut:
    """The positions of the dev rows, and the number of rows of each stratum in dev and in train."""

    positions: frozenset[float]
    dev: Mapping[Stratum, int]
    train: Mapping[Stratum, int]

    def labels(self, column: str) -> list[Hashable]:
        """Return the labels of rows in a column."""
        return [label for name, label in {**self.dev, **self.train} if name == column]


def position(texts: Sequence[str]) -> float:
    """Hash texts to a position in [0, 1), uniformly; case, white space and order do not count."""
    return hash_fraction(text_key(texts))


def hold_out(rows: Iterable[tuple[float, Sequence[Stratum]]], share: float) -> HeldOut:
    """Choose the dev rows from pairs (position, strata); rows without strata are chosen by position alone."""
    together: dict[float, list[Stratum]] = defaultdict(list)
    for point, strata in rows:
        together[point] += strata
    counts = Counter(stratum for strata in together.values() for stratum in strata)
    lacking = {stratum: wanted(count, share) for stratum, count in counts.items()}
    dev: Counter[Stratum] = Counter()
    chosen = set()
    for point in sorted(together):
        strata = together[point]
        if any(lacking[stratum] > 0 for stratum in strata) or (not strata and point < share):
            chosen.add(point)
            for stratum in strata:
                lacking[stratum] -= 1
                dev[stratum] += 1
    return HeldOut(frozenset(chosen), dev, counts - dev)


def wanted(count: int, share: float) -> int:
    """Return how many of `count` rows are held out."""
    rounded = int(share * count + 0.5)
    return max(rounded, LEAST) if count >= ENOUGH else rounded


def too_few(found: HeldOut, column: str, meanings: Mapping[Hashable, str]) -> str:
    """Name the labels of a column with too few rows in dev or train; "" if there are none.

    `meanings` maps labels to names; several labels may have the same name.
    """
    dev, train = Counter[str](), Counter[str]()
    for label, name in meanings.items():
        dev[name] += found.dev.get((column, label), 0)
        train[name] += found.train.get((column, label), 0)
    short = [
        f"{visible(name)} has {dev[name] + train[name]:,} ({dev[name]:,} would be dev, {train[name]:,} train)"
        for name in sorted(set(meanings.values()))
        if min(dev[name], train[name]) < LEAST
    ]
    more = f", and {len(short) - 3} more" if len(short) > 3 else ""
    return ", ".join(short[:3]) + more


def advice(file: str, column: str, share: float, short: str) -> str:
    """Return the error message for a share that cannot be stratified."""
    return (
        f"{file}: dev = {share:g} cannot hold out {LEAST} labelled rows of each label of {visible(column)} and leave "
        f"as many to train on: {short}; label more rows, name a file as dev, give another share, or choose rows by "
        f'their texts alone with held_out = "texts"'
    )
