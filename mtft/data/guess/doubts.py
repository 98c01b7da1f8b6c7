"""Ambiguities of a file: a question, its possible answers, and the setting that answers it in advance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtft.data.labels import visible
from mtft.errors import ConfigError, DataError, setting, unknown

KINDS = ("binary", "classification", "ordinal", "regression")
"""Kinds of tasks."""

READINGS = (*KINDS, "unused", "split", "joined", "apart")
"""Values of the setting `read` for a column: a kind of task; unused, or giving the split; labels that look the same
joined, or kept apart."""

NAMED = {"read": "column", "split": "file", "missing": "label"}
"""What settings name."""

SPLIT_NAMES = ("train", "dev", "test")
"""Values of the setting `split` for a file."""


@dataclass(frozen=True)
class Reading:
    """One possible reading; `setting` with `name` and `value` selects it."""

    text: str
    setting: str
    value: str
    name: str = ""

    @property
    def option(self) -> str:
        """The option that selects this reading."""
        return setting(self.setting, f"{self.name}={self.value}" if self.name else self.value)


@dataclass(frozen=True)
class Doubt:
    """A question about a file, with its possible readings, the likelier one first."""

    file: str
    question: str
    readings: tuple[Reading, ...]

    def worded(self) -> str:
        """Return the question, and the options that answer it."""
        choices = "; ".join(f"{reading.option} ({reading.text})" for reading in self.readings)
        return f"{self.file}: {self.question}; choose: {choices}"


@dataclass
class Decisions:
    """Decisions made in advance, and how the others are made: asked, taken as likely, or collected as errors.

    `columns` holds readings of columns, `files` the splits of files, `missing` the labels that mean no label. With
    `likely` the likelier reading is taken; otherwise `ask`, if set, returns the number of the chosen reading.
    """

    columns: Mapping[str, Collection[str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    missing: Collection[str] = ()
    likely: bool = False
    ask: Callable[[Doubt], int] | None = None
    open: list[Doubt] = field(default_factory=list)
    met: dict[str, set[str]] = field(default_factory=lambda: {"columns": set(), "labels": set()})

    def choose(self, doubt: Doubt) -> int:
        """Return the number of a reading: the one given in advance or by `ask`, else the likelier one.

        If the reading is not given and may be neither asked for nor guessed, the doubt stays open.
        """
        for number, reading in enumerate(doubt.readings):
            if self._given(reading):
                return number
        if self.ask and not self.likely:
            return self.ask(doubt)
        if not self.likely and doubt not in self.open:
            self.open.append(doubt)
        return 0

    def _given(self, reading: Reading) -> bool:
        if reading.setting == "read":
            return self.says(reading.name, reading.value)
        if reading.setting == "split":
            return self.split(reading.name) == reading.value
        return reading.value in self.missing

    def split(self, file: str) -> str:
        """Return the split given for a file, by its path or its name; "" if none was given."""
        return self.files.get(file) or self.files.get(Path(file).name) or ""

    def kind(self, column: str) -> str:
        """Return the kind given for a column, "" if none was given."""
        return next((reading for reading in self.columns.get(column, ()) if reading in KINDS), "")

    def says(self, column: str, reading: str) -> bool:
        """Return whether a reading was given for a column."""
        return reading in self.columns.get(column, ())

    def check(self, files: Sequence[str]) -> None:
        """Raise ConfigError if a column, file or label in the settings is in none of the `files`."""
        known = {*files, *(Path(file).name for file in files)}
        for key, named, allowed in (
            ("read", self.columns, self.met["columns"]),
            ("split", self.files, known),
            ("missing", self.missing, self.met["labels"]),
        ):
            for name in named:
                if name not in allowed:
                    raise ConfigError(unknown(NAMED[key], name, allowed), setting=key)

    def close(self) -> None:
        """Raise DataError with all open doubts."""
        if self.open:
            rest = f"or take the first of each, which is likelier: {setting('yes', True)}"
            raise DataError("\n".join([*(doubt.worded() for doubt in self.open), rest]))


def decisions_of(
    read: str | Sequence[str] = (),
    split: str | Sequence[str] = (),
    missing: str | Sequence[str] = (),
    *,
    yes: bool = False,
    ask: Callable[[Doubt], int] | None = None,
) -> Decisions:
    """Return the decisions in the settings: COLUMN=READING, FILE=SPLIT, labels, and whether to guess the rest.

    A single text is a list of one. ConfigError for an unknown reading or split.
    """
    read, split, missing = ([each] if isinstance(each, str) else each for each in (read, split, missing))
    columns: dict[str, list[str]] = {}
    for name, reading in pairs("read", read, READINGS):
        columns.setdefault(name, []).append(reading)
    return Decisions(columns, dict(pairs("split", split, SPLIT_NAMES)), tuple(missing), yes, ask)


def pairs(key: str, given: Sequence[str], allowed: Sequence[str]) -> list[tuple[str, str]]:
    """Parse the NAME=VALUE texts of a setting; ConfigError unless each value is allowed."""
    found = []
    for text in given:
        name, equals, value = text.rpartition("=")
        if not (name and equals):
            raise ConfigError(f"{visible(text)} is not NAME=VALUE (values allowed: {', '.join(allowed)})", setting=key)
        if value not in allowed:
            raise ConfigError(f"{name}: {unknown('value', value, allowed)}", setting=key)
        found.append((name, value))
    return found
