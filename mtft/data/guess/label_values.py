"""Classify the values of a label column: labels, marks for no label, spelling variants, several labels in one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtft.data.guess.columns import Column
from mtft.data.guess.doubts import Decisions, Doubt, Reading
from mtft.data.guess.kinds import SCALE_SETS, guess_kind
from mtft.data.labels import (
    LOOK,
    appearance,
    canonical,
    look_alike,
    no_labels,
    odd_number,
    several_labels,
    to_number,
    told_apart,
    visible,
)
from mtft.errors import DataError, setting

_OPEN = (
    "unknown undecided unsure undetermined unclear skip skipped pending tbd t.b.d. todo to_do blank empty unassigned "
    "unk untagged invalid no_consensus no_answer no_majority ambiguous unbekannt unklar leer inconnu vide desconocido "
    "vacío sconosciuto vuoto desconhecido vazio 不明 未知 неизвестно 9 99 999 -9 -99 -999 -100"
)
OPEN = frozenset(_OPEN.split())
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
    if not given:
        _check_numbers(column.without(gone), file)
    for label in [] if given else _unsure(column):
        if label not in gone and _stands_for_none(column, label, file, decisions):
            gone.append(label)
    found = LabelValues(column.without(gone), {label: column.values[label] for label in gone})
    found.notes += _kept_marks(column, gone) if not given else []
    labels = list(found.column.values)
    sign = "" if given else several_labels(labels)
    if sign:
        raise DataError(several(column.name, labels, sign, file))
    found.notes += [] if given else _composed(labels)
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


def _check_numbers(column: Column, file: str) -> None:
    """Raise DataError for a column of numbers that are not all written with digits and a decimal point."""
    labels = [] if column.many else list(column.values)
    if not (label := odd_number(labels)):
        return
    sign = several_labels(labels)
    parted = f"; if {sign!r} parts several labels, give each a column of 0 and 1" if sign else ""
    raise DataError(
        f"{file}: column {column.name!r} holds numbers, but {visible(label)} is not written with digits and a point "
        f'alone; write it so, or, if a comma is decimal, declare the task with decimal = ","; if each is a class: '
        f"{setting('read', f'{column.name}=classification')}{parted}"
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
    kept += [label for label in column.values if label not in (*gone, *kept) and _is_open(column, label)]
    return [f"guess: {visible(label)} is a label; or missing = [{json.dumps(label)}]" for label in kept]


def _composed(labels: list[str]) -> list[str]:
    """Return a comment on the labels whose words are labels too, such as `joy anger` beside joy and anger."""
    made = [
        label for label in labels if len(words := re.split(r"[\s_-]+", label)) > 1 and set(labels).issuperset(words)
    ]
    shown = ", ".join(map(visible, made[:3])) + " and so on" * (len(made) > 3)
    return [f"guess: each of these is one label, though its words are labels too: {shown}"] if made else []


def _is_open(column: Column, label: str) -> bool:
    """Return whether a label may mean no label: a word such as unknown, or a number such as 99 far from the others."""
    if "_".join(label.casefold().split()) not in OPEN:
        return False
    number = to_number(label)
    rest = [other for value in column.values if value != label and (other := to_number(value)) is not None]
    return number is None or not column.numeric or (bool(rest) and min(abs(number - other) for other in rest) > 1)


def _join(found: LabelValues, file: str, decisions: Decisions) -> None:
    """Ask about labels that look the same; joined labels become aliases of the most frequent one."""
    column = found.column
    if column.many:
        return
    ways, groups = _two_ways(column.values), look_alike(column.values)
    spellings: dict[str, list[str]] = {}
    for label in column.values:
        spellings.setdefault(canonical(label), []).append(label)
    found.notes += _spelling_notes(column, spellings)
    if not (groups := ways or groups):
        return
    shown = "; ".join(
        " and ".join(f"{name} ({column.values[label]:,})" for name, label in zip(told_apart(group), group, strict=True))
        for group in groups
    )
    how = "say yes and no in several ways" if ways else f"differ only in {LOOK}"
    question = f"labels of column {column.name!r} {how}: {shown}"
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


YES = {"true", "yes", "y", "t", "1", "1.0"}
NO = {"false", "no", "n", "f", "0", "0.0"}


def _two_ways(labels: Iterable[str]) -> list[list[str]]:
    """Return the labels for yes and those for no, if both are written in several ways, such as true, 1, false and 0."""
    groups = [[label for label in labels if label.casefold() in words] for words in (NO, YES)]
    complete = sum(map(len, groups)) == len(list(labels)) and all(groups)
    several = any(len(set(map(appearance, group))) > 1 for group in groups)
    return [group for group in groups if len(group) > 1] if complete and several else []


def _spelling_notes(column: Column, spellings: Mapping[str, list[str]]) -> list[str]:
    """Return comments on labels that the loader takes for one, such as true and TRUE, or for another, such as 01."""
    if column.many or (column.numeric and not column.whole):
        return []
    notes = [f"{', '.join(map(visible, same))} are one label" for same in spellings.values() if len(same) > 1]
    renamed = [
        f"{visible(same[0])} is {name}" for name, same in spellings.items() if len(same) == 1 and _padded(same[0])
    ]
    if renamed:
        notes.append(f"labels are numbers: {', '.join(renamed[:3])}{' and so on' if len(renamed) > 3 else ''}")
    return notes


def _padded(label: str) -> bool:
    """Return whether a number is written with zeros before it, a sign or an exponent, which its name lacks."""
    return to_number(label) is not None and canonical(label) != label and not label.endswith((".0", "."))


def counts_in(column: Column | None, values: LabelValues) -> int:
    """Return the number of labelled rows of a split."""
    return 0 if column is None else column.filled - sum(column.values.get(label, 0) for label in values.missing)


def meant(column: Column, values: LabelValues) -> Mapping[str, int]:
    """Return the labels of a split, with aliases resolved, and their counts."""
    return column.without(list(values.missing)).joined(values.aliases).values
