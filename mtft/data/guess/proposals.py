"""Propose one task for a dataset: its declaration, with a comment for each guess."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtft.data.guess.columns import Column
from mtft.data.guess.doubts import SPLIT_NAMES, Decisions, Doubt, Reading
from mtft.data.guess.kinds import Guess, guess_kind
from mtft.data.guess.label_values import LabelValues, counts_in, meant
from mtft.data.guess.split_columns import SplitPlan
from mtft.data.labels import canonical, to_number, visible
from mtft.errors import DataError, setting

HELD_OUT = 0.1
"""Share of the training rows used as dev if there is no dev file."""

RARE = 0.1
"""Share of the smallest class below which accuracy is a poor metric."""


@dataclass
class Proposal:
    """One task: its declaration, comments on some of its keys, and notes.

    `labelled` has the number of labelled rows of each split. If `likely` is false, the column may not be a label.
    `warnings` say what will make training fail.
    """

    name: str
    table: dict[str, Any]
    comments: dict[str, str]
    notes: list[str]
    labelled: dict[str, int] = field(default_factory=dict)
    likely: bool = True
    warnings: list[str] = field(default_factory=list)


@dataclass
class Tables:
    """The splits of a dataset: the `files` and profiled `columns` of each, and the column that splits a single file."""

    name: str
    files: dict[str, str]
    columns: dict[str, dict[str, Column]]
    plan: SplitPlan | None = None

    def column(self, split: str, name: str) -> Column | None:
        """Return a column of a split, None if the split lacks it."""
        return self.columns.get(split, {}).get(name)


def make_proposal(
    tables: Tables,
    values: LabelValues,
    texts: Sequence[str],
    text_comment: str,
    order: Mapping[str, float] | None,
    decisions: Decisions,
) -> Proposal:
    """Declare the task of one label column; DataError if its labels do not fit the given kind."""
    label, file = values.column, tables.files["train"]
    guess = _kind(label, order, file, decisions)
    table: dict[str, Any] = {"kind": guess.kind, "text": texts[0] if len(texts) == 1 else [*texts], "label": label.name}
    if guess.range:
        table["range"] = list(guess.range)
    else:
        table["names"] = list(guess.names)
    comments = {"text": text_comment, **_comments(label, guess)}
    _add_marks(table, comments, values)
    notes = [*values.notes, *_only_in_dev(tables, values, guess)]
    _add_splits(table, comments, notes, tables, values, guess)
    _add_metrics(table, comments, label, guess)
    gone = sum(values.missing.values())
    if label.filled + gone < label.rows:
        notes.append(
            f"{label.rows - label.filled - gone:,} of {label.rows:,} rows have no label here; they are left out"
        )
    labelled = {
        split: counts_in(tables.column(split, label.name), values)
        for split in SPLIT_NAMES
        if tables.column(split, label.name)
    }
    return Proposal(tables.name, table, comments, notes, labelled)


def _kind(label: Column, order: Mapping[str, float] | None, file: str, decisions: Decisions) -> Guess:
    """Guess the kind of a label column, and ask if another kind fits about as well."""
    given = decisions.kind(label.name)
    try:
        guess = guess_kind(label, order, given)
    except ValueError as error:
        raise DataError(f"{file}: {setting('read', f'{label.name}={given}')}: {error}") from None
    if not guess.close or decisions.says(label.name, guess.kind):
        return guess
    classes = Reading("each number is a class", "read", "classification", label.name)
    amounts = Reading("the numbers are amounts", "read", "regression", label.name)
    likelier = (classes, amounts) if label.named_for_classes else (amounts, classes)
    question = (
        f"column {label.name!r} has {len(label.values):,} different whole numbers from {label.low:g} to {label.high:g}"
    )
    chosen = likelier[decisions.choose(Doubt(file, question, likelier))].value
    again = guess_kind(label, order, chosen)
    other = "regression" if chosen == "classification" else "classification"
    return Guess(again.kind, again.names, again.range, others=(other,), close=True)


def _comments(label: Column, guess: Guess) -> dict[str, str]:
    found = {}
    if guess.others:
        found["kind"] = f"guess; or {' or '.join(guess.others)}" + _instead(guess)
    if guess.kind == "regression":
        found["range"] = f"found: {label.low:g} to {label.high:g}"
    elif guess.kind == "binary":
        found["names"] = "the one for no first, then yes, whose F1 counts"
        if not guess.sure:
            found["names"] = (
                f"guess: F1 is of the second; or positive = {json.dumps(guess.names[0], ensure_ascii=False)}"
            )
    elif guess.kind == "ordinal":
        found["names"] = "the lowest first"
    return found


def _instead(guess: Guess) -> str:
    if guess.kind == "regression":
        return " (names instead of range)"
    return " (range instead of names)" if "regression" in guess.others else ""


def _add_marks(table: dict[str, Any], comments: dict[str, str], values: LabelValues) -> None:
    if values.missing:
        table["missing"] = list(values.missing)
        counts = ", ".join(f"{visible(label)} in {count:,} rows" for label, count in values.missing.items())
        comments["missing"] = f"guess: no label: {counts}; or take them for labels: into names"
    if values.aliases:
        table["aliases"] = dict(values.aliases)
        comments["aliases"] = "guess: the same label, written in another way"


def _only_in_dev(tables: Tables, values: LabelValues, guess: Guess) -> list[str]:
    """Name the labels of dev that train lacks; DataError if dev and train have none in common."""
    train, dev = (tables.column(split, values.column.name) for split in ("train", "dev"))
    if train is None or dev is None or guess.range:
        return []
    known, found = ({canonical(label) for label in meant(each, values)} for each in (train, dev))
    if known and found and not known & found:
        shown = [", ".join(map(visible, sorted(labels)[:3])) for labels in (found, known)]
        raise DataError(
            f"{tables.files['dev']}: column {values.column.name!r}: no label of dev ({shown[0]}) is one of "
            f"train ({shown[1]})"
        )
    only = sorted(found - known)
    return [f"only in dev: {', '.join(map(visible, only))}"] if only else []


def _add_splits(
    table: dict[str, Any], comments: dict[str, str], notes: list[str], tables: Tables, values: LabelValues, guess: Guess
) -> None:
    """Declare where the rows of each split are."""
    trouble = ""
    if "test" in tables.columns and (trouble := test_trouble(tables.columns["test"], table, values, guess)):
        where = "the test rows are" if tables.plan else f"{tables.files['test']} is"
        notes.append(f"{where} not declared: {trouble}")
    if tables.plan:
        table["split"] = tables.plan.table(("train", "dev") if trouble else SPLIT_NAMES)
        comments["split"] = tables.plan.comment
    table["train"] = tables.files["train"]
    if "dev" not in tables.columns:
        table["dev"] = HELD_OUT
        comments["dev"] = "share of the rows that is held out, of each label alike; or a file"
    elif not tables.plan:
        table["dev"] = tables.files["dev"]
    if "test" in tables.columns and not tables.plan and not trouble:
        table["test"] = tables.files["test"]


def _add_metrics(table: dict[str, Any], comments: dict[str, str], label: Column, guess: Guess) -> None:
    """Put F1 first if a class is rare."""
    if guess.kind not in ("binary", "classification") or not label.values:
        return
    counts: dict[str, int] = {}
    for value, count in label.values.items():
        counts[canonical(value)] = counts.get(canonical(value), 0) + count
    rarest = min(counts, key=lambda value: (counts[value], value))
    share = counts[rarest] / sum(counts.values())
    if share < RARE:
        table["metrics"] = ["f1", "accuracy"]
        of = f"of {visible(guess.names[1])}" if guess.kind == "binary" else "the mean over classes"
        comments["metrics"] = (
            f"F1 ({of}) chooses: {visible(rarest)} is {share:.1%} of the rows, and accuracy is high without it"
        )


def test_trouble(columns: Mapping[str, Column], table: Mapping[str, Any], values: LabelValues, guess: Guess) -> str:
    """Return why a test split cannot be scored; "" if it can."""
    texts = [table["text"]] if isinstance(table["text"], str) else table["text"]
    for name in (*texts, table["label"]):
        if name not in columns:
            return f"it has no column {name!r}"
    found = columns[table["label"]].without(list(values.missing))
    if not found.filled:
        return f"its column {table['label']!r} is empty"
    if guess.range:
        low, high = guess.range
        fits = found.numeric and low <= found.low and found.high <= high
    elif values.column.numeric:
        fits = {to_number(value) for value in found.values} <= {to_number(name) for name in guess.names}
    else:
        fits = set(map(canonical, found.joined(values.aliases).values)) <= set(map(canonical, guess.names))
    return "" if fits else "it has other labels"
