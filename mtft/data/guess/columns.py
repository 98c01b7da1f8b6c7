"""Profile a column from all its values in one pass: text, classes, numbers or row ids."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mtft.data.guess.column_words import AMOUNT_WORDS, BOTH_WORDS, CLASS_WORDS, LABEL_WORDS
from mtft.data.json_rows import Nested
from mtft.data.labels import mark, to_number

MOST_VALUES = 2000
"""Most distinct values that are kept; a column with more does not hold classes."""

MOST_CLASSES = 200
"""Most distinct texts of a label column whose name does not mark it as one."""

YES_NO = {"yes", "no", "true", "false", "y", "n"}

MOST_LEVELS = 20
"""Most distinct whole numbers that are classes rather than amounts."""

Role = Literal["text", "classes", "number", "row name", "constant", "empty", "nested", "other"]

_ROW_NAMES = re.compile(r"(|unnamed: \d+|id|idx|index|uid|uuid|guid|key|row|rowid|no|nr|#|.*[a-z0-9][_-]id|.*[a-z]Id)")
_TEXT_NAMES = re.compile(
    r"(text|sentence|premise|hypothesis|question|query|passage|document|review|comment|tweet|message|utterance|"
    r"title|body|content|headline|abstract|snippet|claim|evidence|answer|context|s|q)s?[_-]?([0-9ab])?"
)


@dataclass
class Column:
    """One column over all rows of some files: how often it is present and filled, and statistics of its values.

    Values that often mean no label, such as NA, are counted like others, but do not turn a number column into text.
    """

    name: str
    rows: int = 0
    filled: int = 0
    taken: int = 0
    characters: int = 0
    letters: int = 0
    words: int = 0
    longest: int = 0
    values: dict[str, int] = field(default_factory=dict)
    many: bool = False
    nested: bool = False
    numeric: bool = True
    whole: bool = True
    low: float = math.inf
    high: float = -math.inf

    def add(self, value: str) -> None:
        """Add one cell; surrounding white space is ignored."""
        self.nested = self.nested or isinstance(value, Nested)
        value = value.strip()
        self.rows += 1
        if not value:
            return
        self.filled += 1
        self.characters += len(value)
        self.letters += _letters(value)
        self.words += _words(value)
        self.longest = max(self.longest, len(value))
        if not self.many:
            self.taken += 1
            self.values[value] = self.values.get(value, 0) + 1
            self.many = len(self.values) > MOST_VALUES
        self._measure(value)

    def _measure(self, value: str) -> None:
        if not self.numeric or (not value[:1].isdigit() and mark(value)):
            return
        number = to_number(value)
        if number is None:
            self.numeric = self.whole = False
            self.low, self.high = math.inf, -math.inf
            return
        self.whole = self.whole and number.is_integer()
        self.low, self.high = min(self.low, number), max(self.high, number)

    @property
    def unique(self) -> bool:
        """Return whether no value occurred twice, among the values kept."""
        return len(self.values) == self.taken

    @property
    def name_words(self) -> list[str]:
        """The words of the name, in lower case."""
        return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name).casefold())

    @property
    def labelled(self) -> bool:
        """Return whether the name is usual for labels."""
        words = self.name_words
        return not LABEL_WORDS.isdisjoint(words) or words[:1] in (["is"], ["has"])

    @property
    def named_for_classes(self) -> bool:
        """Return whether the name is usual for classes, and not for amounts or ranks."""
        return not CLASS_WORDS.isdisjoint(self.name_words) and not self.named_for_amounts

    @property
    def named_for_amounts(self) -> bool:
        """Return whether the name is usual for amounts or ranks."""
        return not AMOUNT_WORDS.isdisjoint(self.name_words)

    @property
    def gapless(self) -> bool:
        """Return whether the values are whole numbers from 0 or 1 with at most one in ten missing."""
        span = self.high - self.low + 1
        return self.numeric and self.whole and not self.many and self.low in (0, 1) and len(self.values) >= 0.9 * span

    @property
    def repeats(self) -> bool:
        """Return whether values occur at least twice on average."""
        return not self.many and 2 * len(self.values) <= self.filled

    @property
    def class_like(self) -> bool:
        """Return whether the values are few words or pairs of words that occur at least five times on average."""
        few = not self.many and 2 <= len(self.values) <= MOST_LEVELS and 5 * len(self.values) <= self.filled
        return few and self.mean_words <= 2 and self.longest <= 40

    @property
    def yes_or_no(self) -> bool:
        """Return whether all values are words for yes and no."""
        return bool(self.values) and {value.casefold() for value in self.values} <= YES_NO

    @property
    def known(self) -> bool:
        """Return whether the name is a usual column name."""
        return self.labelled or bool(_TEXT_NAMES.fullmatch(self.name.casefold()))

    @property
    def mean_words(self) -> float:
        return self.words / max(self.filled, 1)

    def role(self) -> Role:
        """Return the column's role, judged first by its values and then by its name."""
        if not self.filled or (self.numeric and self.low > self.high):
            return "empty"
        if self.nested:
            return "nested"
        numbered = self.named_for_classes and self.repeats  # such as intent_id
        if not numbered and (_ROW_NAMES.fullmatch(self.name) or _ROW_NAMES.fullmatch(self.name.casefold())):
            return "row name"
        return self._number_role() if self.numeric else self._word_role()

    def _number_role(self) -> Role:
        if len(self.values) == 1:
            return "constant"
        if self.named_for_classes and self.gapless and self.repeats:
            return "classes"
        if self.whole and self.unique and not self.labelled:
            return "row name"
        few = self.whole and len(self.values) <= MOST_LEVELS
        return "classes" if few and (self.repeats or self.labelled) else "number"

    def _word_role(self) -> Role:
        lowered = self.name.casefold()
        named = bool(_TEXT_NAMES.fullmatch(lowered)) and not self.yes_or_no and lowered not in BOTH_WORDS
        short = self.mean_words <= 5 and self.longest <= 60
        few = len(self.values) <= MOST_CLASSES or self.named_for_classes
        if self.repeats and few and short and not named:
            return "constant" if len(self.values) == 1 else "classes"
        spaced = self.mean_words >= 1.5 and self.letters >= 0.4 * self.characters
        unspaced = self.letters >= 0.8 * self.characters >= 0.8 * 6 * self.filled and not self._ascii()
        return "text" if named or lowered in BOTH_WORDS or spaced or unspaced else "other"

    def _ascii(self) -> bool:
        return all(value.isascii() for value in self.values)

    def without(self, labels: Collection[str]) -> Column:
        """Return the column without the labels that mean no label."""
        gone = sum(self.values.get(label, 0) for label in labels)
        if not gone:
            return self
        values = {value: count for value, count in self.values.items() if value not in labels}
        numbers = [number for value in values if (number := to_number(value)) is not None] if self.numeric else []
        low, high = min(numbers, default=math.inf), max(numbers, default=-math.inf)
        if self.many:
            low, high = self.low, self.high
        left = {
            name: getattr(self, name) - sum(measure(label) * self.values.get(label, 0) for label in labels)
            for name, measure in (("characters", len), ("letters", _letters), ("words", _words))
        }
        filled, taken = self.filled - gone, self.taken - gone
        return replace(self, filled=filled, taken=taken, values=values, low=low, high=high, **left)

    def joined(self, aliases: Mapping[str, str]) -> Column:
        """Return the column with some values replaced by others."""
        values: dict[str, int] = {}
        for value, count in self.values.items():
            name = aliases.get(value, value)
            values[name] = values.get(name, 0) + count
        return replace(self, values=values)

    def merged(self, other: Column) -> Column:
        """Return the merged profile of both columns."""
        numeric = self.numeric and other.numeric
        values = dict(self.values)
        for value, count in other.values.items():
            values[value] = values.get(value, 0) + count
        return Column(
            self.name,
            self.rows + other.rows,
            self.filled + other.filled,
            self.taken + other.taken,
            self.characters + other.characters,
            self.letters + other.letters,
            self.words + other.words,
            max(self.longest, other.longest),
            values,
            self.many or other.many or len(values) > MOST_VALUES,
            self.nested or other.nested,
            numeric,
            self.whole and other.whole,
            min(self.low, other.low) if numeric else math.inf,
            max(self.high, other.high) if numeric else -math.inf,
        )


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _words(text: str) -> int:
    return len(text.split())


def profile(rows: Iterable[Mapping[str, str]]) -> tuple[dict[str, Column], int]:
    """Read all rows once; return the columns in order of appearance, and the number of rows."""
    columns: dict[str, Column] = {}
    number = 0
    for number, row in enumerate(rows, 1):  # noqa: B007 - the count is returned
        for name, value in row.items():
            if name not in columns:
                columns[name] = Column(name)
            columns[name].add(value)
    return columns, number
