"""Classify the values of a label column: labels, marks for no label, spelling variants, several labels in one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtft.data.guess.columns import Column
from mtft.data.guess.doubts import Decisions, Doubt, Reading
from mtft.data.guess.kinds import SCALE_SETS, guess_kind
from mtft.data.labels import appearance, canonical, look_alike, no_labels, several_labels, visible
from mtft.errors import DataError, setting

OPEN = {"unknown", "undecided", "unsure", "undetermined", "unclear", "skip", "skipped"}
"""Values that are treated as labels, with a comment that they may mean no label."""

SIGNED = {"sentiment", "polarity", "stance", "vote", "valence"}
"""Words in the name of a column where -1 is the opposite of 1."""


@dataclass
class LabelValues:
    """A column without marks for no label, which `missing` counts; `aliases` are other spellings of labels."""

    column: Column
    missing: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def sure_marks(column: Column, decisions: Decisions) -> list[str]:
    """Return the values that mean no label, by certainty or by the user's settings."""
    said = [value for value in column.values if value in decisions.missing]
    decisions.met["labels"].update(said)
    if column.many and not column.numeric:
        return said
    sure = [] if decisions.kind(column.name) else no_labels(column.values, SCALE_SETS)[0]
    return list(dict.fromkeys([*said, *sure]))


def read_values(column: Column, file: str, decisions: Decisions) -> LabelValues:
    """Separate labels from marks, and find labels that look the same; DataError if cells hold several labels."""
    gone = sure_marks(column, decisions)
    given = decisions.kind(column.name)
    for label in [] if given else _unsure(column):
        if label not in gone and _stands_for_none(column, label, file, decisions):
            gone.append(label)
    found = LabelValues(column.without(gone), {label: column.values[label] for label in gone})
    found.notes += _kept_marks(column, gone) if not given else []
    if not given and (sign := several_labels(list(found.column.values))):
        raise DataError(several(column.name, list(found.column.values), sign, file))
    _join(found, file, decisions)
    return found


def several(name: str, labels: list[str], sign: str, file: str) -> str:
    """Return the error for cells that hold several labels."""
    shown = next((label for label in labels if sign in label), labels[0])
    how = "as " if sign == "a list" else f"parted by {sign!r}, as in "
    return (
        f"{file}: cells of column {name!r} hold several labels, {how}{visible(shown[:60])}; there are no tasks with "
        f"several labels yet: give each label a column of 0 and 1, or, if each combination is one label: "
        f"{setting('read', f'{name}=classification')}"
    )


def _stands_for_none(column: Column, label: str, file: str, decisions: Decisions) -> bool:
    """Ask whether a label means no label."""
    kind = guess_kind(column).kind
    is_label = Reading("it is a label", "read", kind, column.name)
    is_none = Reading("it stands for no label", "missing", label)
    likely_none = not appearance(label) or (label.startswith("-") and SIGNED.isdisjoint(column.name_words))
    readings = (is_none, is_label) if likely_none else (is_label, is_none)
    question = f"column {column.name!r} has {visible(label)} in {column.values[label]:,} rows, which may be no label"
    return readings[decisions.choose(Doubt(file, question, readings))] is is_none


def _unsure(column: Column) -> list[str]:
    """Return labels that may mean no label: words such as none, -1, and values without visible characters."""
    if column.many:
        return []
    return no_labels(column.values, SCALE_SETS)[1] + [label for label in column.values if not appearance(label)]


def _kept_marks(column: Column, gone: list[str]) -> list[str]:
    """Return a comment for each value that is treated as a label but may mean no label."""
    kept = [label for label in _unsure(column) if label not in gone]
    kept += [label for label in column.values if label.casefold() in OPEN and label not in (*gone, *kept)]
    return [f"guess: {visible(label)} is a label; or missing = [{json.dumps(label)}]" for label in kept]


def _join(found: LabelValues, file: str, decisions: Decisions) -> None:
    """Ask about labels that look the same; joined labels become aliases of the most frequent one."""
    column = found.column
    groups = look_alike(column.values) if not column.many else []
    spellings: dict[str, list[str]] = {}
    for label in column.values:
        spellings.setdefault(canonical(label), []).append(label)
    for same in spellings.values():
        if len(same) > 1 and canonical(same[0]).isalpha():
            found.notes.append(f"{', '.join(map(visible, same))} are one label")
    if not groups:
        return
    shown = "; ".join(
        " and ".join(f"{visible(label)} ({column.values[label]:,})" for label in group) for group in groups
    )
    question = f"labels of column {column.name!r} differ only in case, spaces or invisible characters: {shown}"
    doubt = Doubt(
        file,
        question,
        (
            Reading("they are one label", "read", "joined", column.name),
            Reading("they are different labels", "read", "apart", column.name),
        ),
    )
    if decisions.choose(doubt):
        found.notes.append(f"different labels: {shown}")
        return
    for group in groups:
        best = max(sorted(group), key=lambda label: (column.values[label], label == label.casefold()))
        found.aliases |= {label: best for label in group if label != best}
    found.column = column.joined(found.aliases)
    found.notes.append(f"guess: one label each: {shown}")


def counts_in(column: Column | None, values: LabelValues) -> int:
    """Return the number of labelled rows of a split."""
    return 0 if column is None else column.filled - sum(column.values.get(label, 0) for label in values.missing)


def meant(column: Column, values: LabelValues) -> Mapping[str, int]:
    """Return the labels of a split, with aliases resolved, and their counts."""
    return column.without(list(values.missing)).joined(values.aliases).values
