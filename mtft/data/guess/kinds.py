"""What a label column means: the kind of task, and its names in order or its range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtft.data.guess.columns import Column, to_number

SCALES: tuple[str, ...] = (
    "very_negative negative neutral positive very_positive",
    "very_low low medium high very_high",
    "low moderate high critical",
    "very_bad bad poor mixed ok okay fair average fine good very_good great excellent",
    "never rarely sometimes often always",
    "strongly_disagree disagree neutral agree strongly_agree",
    "none minor mild moderate major severe",
    "easy medium hard",
    "beginner intermediate advanced",
    "small medium large",
    "a1 a2 b1 b2 c1 c2",
    "one two three four five",
)
"""Words that stand for ranks, the lowest first in each line."""

NOES = ("no", "n", "false", "f", "0", "-1", "negative", "neg", "bad", "ham", "unacceptable", "contradiction", "refuted",
        "fail", "failed", "off", "absent", "normal", "none", "other", "safe", "clean", "human")  # fmt: skip
"""Labels that mean no."""

RANKED = {
    "rating", "ratings", "stars", "score", "scores", "grade", "level", "difficulty", "severity", "rank", "degree",
    "quality",
}  # fmt: skip
"""Words in the name of a column whose whole numbers are ranks."""

RANGES = ((0, 1), (-1, 1), (0, 4), (0, 5), (1, 5), (1, 7), (0, 10), (1, 10), (0, 100))
"""Ranges that scores often have."""


@dataclass(frozen=True)
class Guess:
    """How a label column is read; `others` are readings that fit too, `sure` says that there are none."""

    kind: str
    names: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    others: tuple[str, ...] = ()


def guess_kind(column: Column, order: Mapping[str, float] | None = None) -> Guess:
    """Say what labels mean; `order` places them by another column that numbers the same classes."""
    if column.role() == "number":
        low, high = _range(column.low, column.high)
        return Guess("regression", range=(low, high))
    names = _names(column.values, order)
    if len(names) == 2:
        return Guess("binary", _no_first(names))
    levels = [to_number(name) for name in names]
    if scale := _scale(names):
        return Guess("ordinal", scale, others=("classification",))
    if all(level is not None for level in levels):
        return _of_levels(column, names, [level for level in levels if level is not None])
    return Guess("classification", names, others=("ordinal",) if order else ())


def _of_levels(column: Column, names: tuple[str, ...], levels: list[float]) -> Guess:
    """Tell ranks from numbered classes: ranks are named so, or count from 1 without a gap."""
    words = set(re.findall(r"[a-z]+", column.name.casefold()))
    gapless = levels == [levels[0] + step for step in range(len(levels))]
    kinds = ["classification", "ordinal", "regression"]
    first = "ordinal" if words & RANKED or (gapless and levels[0] == 1) else "classification"
    kinds.remove(first)
    return Guess(first, names, others=tuple(kinds))


def _names(values: Iterable[str], order: Mapping[str, float] | None) -> tuple[str, ...]:
    """Put labels in order: by number where they are numbers, else by `order`, else by letters; 1 and 1.0 are one."""
    numbers = {value: to_number(value) for value in values}
    if all(number is not None for number in numbers.values()):
        return tuple(str(int(level)) for level in sorted({number for number in numbers.values() if number is not None}))
    return tuple(sorted(numbers, key=lambda value: ((order or {}).get(value, math.inf), value)))


def _no_first(names: tuple[str, ...]) -> tuple[str, ...]:
    """Order two labels so that the one for no comes first."""
    first, second = (name.casefold() for name in names)
    if re.fullmatch(rf"(not|non|no|un|in|ir|im|dis)[_ -]?{re.escape(first)}", second):
        return names[::-1]
    return names[::-1] if second in NOES and first not in NOES else names


def _scale(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return three or more labels in the order of a scale that has all of them."""
    plain = {re.sub(r"[ -]", "_", name.casefold()): name for name in names}
    for scale in SCALES:
        if len(plain) == len(names) >= 3 and set(plain) <= set(scale.split()):
            return tuple(plain[word] for word in scale.split() if word in plain)
    return ()


def _range(low: float, high: float) -> tuple[float, float]:
    """Return a usual range that the values fill for the most part, else whole numbers around them."""
    for bottom, top in RANGES:
        if bottom <= low and high <= top and high - low >= 0.6 * (top - bottom):
            return float(bottom), float(top)
    bottom, top = math.floor(low), math.ceil(high)
    return float(bottom), float(top if top > bottom else bottom + 1)
