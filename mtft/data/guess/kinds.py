"""Guess the meaning of a label column: the kind of task, and its names in order or its range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtft.data.guess.columns import Column
from mtft.data.guess.polarity import no_first
from mtft.data.labels import canonical, to_number

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
"""Scales of words for ranks, the lowest rank first in each."""

SCALE_SETS = tuple(frozenset(scale.split()) for scale in SCALES)

RANKED = {
    "rating",
    "ratings",
    "stars",
    "score",
    "scores",
    "grade",
    "level",
    "difficulty",
    "severity",
    "rank",
    "degree",
    "quality",
}
"""Words in the name of a column whose whole numbers are ranks."""

RANGES = ((0, 1), (-1, 1), (0, 4), (0, 5), (1, 5), (1, 7), (0, 10), (1, 10), (0, 100))
"""Ranges that scores often have."""


@dataclass(frozen=True)
class Guess:
    """How a label column is read; `others` are readings that also fit, and `close` is true if one fits about as well.

    `sure` is true if there is evidence of which of two labels means no.
    """

    kind: str
    names: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    others: tuple[str, ...] = ()
    close: bool = False
    sure: bool = True


def guess_kind(column: Column, order: Mapping[str, float] | None = None, given: str = "") -> Guess:
    """Return the meaning of labels; `order` sorts them by another column that numbers the same classes.

    A kind that is `given` is used if the labels can be of that kind.
    """
    if column.role() == "number" and given in ("", "regression"):
        return _of_amounts(column)
    names = _names(column.values, order)
    levels = [level for name in names if (level := to_number(name)) is not None]
    if given:
        return _as_given(column, names, given)
    if len(names) == 2:
        return _binary(names)
    if scale := _scale(names):
        return Guess("ordinal", scale, others=("classification",))
    if len(levels) == len(names):
        ranked = not RANKED.isdisjoint(column.name_words)
        kinds = ("ordinal", "classification") if ranked else ("classification", "ordinal")
        return Guess(kinds[0], names, others=(kinds[1], "regression"))
    return Guess("classification", names, others=("ordinal",) if order else ())


def _of_amounts(column: Column) -> Guess:
    """Read numbers as amounts; whole numbers that repeat often may also be classes."""
    span = _range(column.low, column.high)
    classes = column.whole and (column.repeats or (column.named_for_classes and not column.many))
    if not classes:
        return Guess("regression", range=span)
    close = column.named_for_classes or (column.gapless and not column.named_for_amounts)
    return Guess("regression", range=span, others=("classification",), close=close)


def _as_given(column: Column, names: tuple[str, ...], kind: str) -> Guess:
    """Read labels as the given kind; ValueError if that is not possible."""
    if kind == "regression":
        if not column.numeric:
            raise ValueError("its labels are not numbers")
        return Guess(kind, range=_range(column.low, column.high))
    if column.numeric and not column.whole:
        raise ValueError("its labels are numbers with fractions")
    if kind == "binary":
        if len(names) != 2:
            raise ValueError(f"it has {len(names)} labels")
        return _binary(names)
    return Guess(kind, (kind == "ordinal" and _scale(names)) or names)


def _binary(names: tuple[str, ...]) -> Guess:
    first, second = names
    ordered, sure = no_first((first, second))
    return Guess("binary", ordered, sure=sure)


def _names(values: Iterable[str], order: Mapping[str, float] | None) -> tuple[str, ...]:
    """Sort labels: numbers by value, else by `order`, else alphabetically.

    Labels that the loader treats as equal, such as 1 and 1.0, or true and True, become one name.
    """
    numbers = {value: to_number(value) for value in values}
    if all(number is not None for number in numbers.values()):
        levels = sorted({number for number in numbers.values() if number is not None})
        return tuple(str(int(level)) if level.is_integer() else repr(level) for level in levels)
    written = set(values)
    same = len({canonical(value) for value in written}) < len(written)
    names = {canonical(value) if same else value for value in written}
    return tuple(sorted(names, key=lambda value: ((order or {}).get(value, math.inf), value)))


def _scale(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return three or more labels in the order of a scale that contains them all."""
    plain = {re.sub(r"[ -]", "_", name.casefold()): name for name in names}
    for scale in SCALES:
        if len(plain) == len(names) >= 3 and set(plain) <= set(scale.split()):
            return tuple(plain[word] for word in scale.split() if word in plain)
    return ()


def _range(low: float, high: float) -> tuple[float, float]:
    """Return a usual range that the values mostly fill, else the range of whole numbers around them."""
    for bottom, top in RANGES:
        if bottom <= low and high <= top and high - low >= 0.6 * (top - bottom):
            return float(bottom), float(top)
    bottom, top = math.floor(low), math.ceil(high)
    return float(bottom), float(top if top > bottom else bottom + 1)
