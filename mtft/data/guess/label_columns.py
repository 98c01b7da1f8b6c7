"""Choose a dataset's label columns; leave out columns that repeat another or are one annotator's view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mtft.data.guess.columns import Column, Role
from mtft.data.guess.doubts import Decisions, Doubt, Reading

GOLD = {"gold", "majority", "final", "consensus", "adjudicated", "aggregated", "aggregate", "voted", "agreed", "truth"}
"""Words in the name of a column with the joint result of several annotators."""

PREDICTED = {"predicted", "prediction", "predictions", "pred", "preds", "noisy", "weak", "silver", "pseudo"}
"""Words in the name of a column with labels that a model or a rule gave."""

Rows = Iterable[Mapping[str, str]]


@dataclass
class LabelColumns:
    """The label columns, `others` that may be labels too, and the order of labels that another column gives by number.

    `notes` say why a column is only among the others.
    """

    names: list[str]
    others: list[str]
    order: dict[str, dict[str, float]]
    notes: list[str] = field(default_factory=list)


def choose_labels(
    columns: Mapping[str, Column],
    found: list[str],
    roles: Mapping[str, Role],
    rows: Mapping[str, Rows],
    file: str,
    decisions: Decisions,
) -> LabelColumns:
    """Choose among the columns `found`, which hold classes or numbers; `rows` are those of train and, if any, dev."""
    given = [name for name in found if decisions.kind(name)]
    pairs = _pairs_of_values(found, roles, rows)
    kept, order = _without_copies(columns, found, pairs)
    chosen = LabelColumns(kept, [], order)
    _demote_annotators(columns, chosen)
    _demote_predictions(columns, chosen)
    _doubt_near_copies(chosen, pairs, file, decisions)
    named = [name for name in chosen.names if columns[name].labelled or columns[name].yes_or_no or name in given]
    classes = [name for name in chosen.names if roles[name] == "classes"]
    names = named or classes or chosen.names
    chosen.others = [name for name in kept if name not in names]
    chosen.names = [name for name in kept if name in names]
    return chosen


Pairs = dict[tuple[str, str], dict[str, dict[tuple[str, str], int]]]
"""Two columns -> split -> their pairs of values, and the count of each pair."""


def _pairs_of_values(found: Sequence[str], roles: Mapping[str, Role], rows: Mapping[str, Rows]) -> Pairs:
    """Read the rows of all splits, and count which values of two class columns occur together."""
    classes = [name for name in found if roles[name] == "classes"]
    pairs: Pairs = {
        (one, two): {split: {} for split in rows} for index, one in enumerate(classes) for two in classes[index + 1 :]
    }
    for split, own in rows.items() if pairs else ():
        for row in own:
            cells = {name: row.get(name, "").strip() for name in classes}
            for (one, two), seen in pairs.items():
                both = cells[one], cells[two]
                seen[split][both] = seen[split].get(both, 0) + 1
    return pairs


def _without_copies(
    columns: Mapping[str, Column], found: list[str], pairs: Pairs
) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Leave out columns that repeat another one in other words. Names are preferred; numbers give their order."""
    order: dict[str, dict[str, float]] = {}
    for (one, two), splits in pairs.items():
        seen = {both for own in splits.values() for both in own}
        if not (one in found and two in found and _same_classes(seen)):
            continue
        copy, kept = (one, two) if columns[one].numeric else (two, one)
        if columns[copy].numeric and not columns[kept].numeric:
            named = seen if kept == one else {(b, a) for a, b in seen}
            order[kept] = {word: float(number) for word, number in named if number}
        elif any(a != b for a, b in seen):
            continue
        elif _is_gold(columns[copy]) and not _is_gold(columns[kept]):
            copy = kept
        found = [name for name in found if name != copy]
    return found, order


def _same_classes(pairs: set[tuple[str, str]]) -> bool:
    """Return whether each value of either column always occurs with the same value of the other, empty with empty."""
    if any(bool(one) != bool(two) for one, two in pairs):
        return False
    return len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs})


def _is_gold(column: Column) -> bool:
    return not GOLD.isdisjoint(column.name_words)


def _demote_annotators(columns: Mapping[str, Column], chosen: LabelColumns) -> None:
    """Leave out columns of single annotators if another column holds their joint result."""
    gold = [name for name in chosen.names if _is_gold(columns[name])]
    for best in gold[:1]:
        same = [
            name
            for name in chosen.names
            if name not in gold and set(columns[name].values) <= set(columns[best].values) and _numbered(name)
        ]
        chosen.names = [name for name in chosen.names if name not in same]
        chosen.notes += [f"{best!r} is what annotators came to; {', '.join(map(repr, same))} may be one's view"] * bool(
            same
        )


def _demote_predictions(columns: Mapping[str, Column], chosen: LabelColumns) -> None:
    """Leave out columns of predictions if there are other labels."""
    same = [name for name in chosen.names if not PREDICTED.isdisjoint(columns[name].name_words)]
    if same and len(same) < len(chosen.names):
        chosen.names = [name for name in chosen.names if name not in same]
        chosen.notes.append(f"{', '.join(map(repr, same))} may be what a model answered")


def _numbered(name: str) -> bool:
    words = re.findall(r"[a-z]+|[0-9]+", name.casefold())
    return bool(words) and (words[-1].isdigit() or not {"annotator", "worker", "rater", "label"}.isdisjoint(words))


def _single_view(name: str) -> bool:
    """Return whether a name is that of one annotator's labels."""
    words = re.findall(r"[a-z]+|[0-9]+", name.casefold())
    return bool(words) and (words[-1].isdigit() or not {"annotator", "worker", "rater", "coder"}.isdisjoint(words))


def _doubt_near_copies(chosen: LabelColumns, pairs: Pairs, file: str, decisions: Decisions) -> None:
    """Ask which of two columns holds the labels if they are equal in train but not in dev."""
    for (one, two), splits in pairs.items():
        if not (one in chosen.names and two in chosen.names) or "dev" not in splits:
            continue
        differ = sum(count for (a, b), count in splits["dev"].items() if a != b)
        if differ and all(a == b for a, b in splits["train"]):
            rows = sum(splits["dev"].values())
            if _single_view(one) and not _single_view(two):
                one, two = two, one
            question = (
                f"columns {one!r} and {two!r} are equal in train, but differ in {differ:,} of {rows:,} rows of dev"
            )
            doubt = Doubt(
                file,
                question,
                (
                    Reading(f"{one!r} holds the labels", "read", "unused", two),
                    Reading(f"{two!r} holds the labels", "read", "unused", one),
                ),
            )
            gone = (two, one)[decisions.choose(doubt)]
            chosen.names = [name for name in chosen.names if name != gone]
            chosen.notes.append(f"guess: {question}")
