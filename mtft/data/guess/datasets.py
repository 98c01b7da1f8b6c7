"""From the files of one dataset to the tasks that they can train: which columns are texts, which are labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtft.data.guess.columns import Column, Role, profile, to_number
from mtft.data.guess.kinds import Guess, guess_kind
from mtft.data.guess.splits import SPLITS, WORDS, FileGroup
from mtft.errors import DataError

Rows = Callable[[str], Iterable[Mapping[str, str]]]
"""Gives the rows of a file."""

HELD_OUT = 0.1
"""Share of the training rows that are dev where no file is."""

PAIRS = (
    ("premise", "hypothesis"), ("question", "answer"), ("query", "passage"), ("query", "document"),
    ("question", "sentence"), ("question", "passage"), ("question", "context"),
    ("claim", "evidence"), ("source", "target"), ("post", "reply"), ("text", "aspect"), ("anchor", "positive"),
)  # fmt: skip
"""Names of two columns that belong together, the first text first."""


@dataclass
class Proposal:
    """One task: its declaration, a comment for some of its keys, and what else is worth saying.

    `labelled` has the number of rows with a label for each split; what is not `likely` may be no label at all.
    """

    name: str
    table: dict[str, Any]
    comments: dict[str, str]
    notes: list[str]
    labelled: dict[str, int] = field(default_factory=dict)
    likely: bool = True


def propose(group: FileGroup, rows: Rows) -> list[Proposal]:
    """Say which tasks the files of a dataset hold; DataError says why there is none."""
    splits = {split: _profile(file, rows) for split, file in group.splits.items()}
    columns, notes = _joined(group, splits)
    roles = {name: column.role() for name, column in columns.items()}
    texts, comment = choose_texts(columns, roles, group.splits["train"])
    labels, others, order = choose_labels(columns, roles, texts, group.splits["train"], rows)
    notes += _unused(columns, roles, {*texts, *labels, *others})
    found = [_proposal(group, splits, columns[label], texts, comment, order.get(label)) for label in (*labels, *others)]
    for proposal, label in zip(found, (*labels, *others), strict=True):
        proposal.likely = label in labels
        proposal.notes = [*notes, *proposal.notes] if proposal.likely else proposal.notes
        if len(labels) > 1 or not proposal.likely:
            proposal.name = f"{group.name}-{re.sub(r'[^a-z0-9_]+', '-', label.casefold()).strip('-_')}".rstrip("-")
    return found


def _profile(file: str, rows: Rows) -> dict[str, Column]:
    columns, number = profile(rows(file))
    if not number:
        raise DataError(f"{file}: no rows")
    if not file.endswith(".jsonl"):
        _check_header(file, columns)
    for name, column in columns.items():
        lacking, column.rows = column.rows < number, number
        if lacking and column.role() == "text":  # only a label may be missing
            columns[name] = Column(name, number)
    return columns


def _check_header(file: str, columns: Mapping[str, Column]) -> None:
    """Refuse a first line that is a row itself, or has one column.

    A value that stands below itself is none if another column has a name that says what it is: text,spam.
    """
    known = any(column.known for column in columns.values())
    for name, column in columns.items():
        if to_number(name) is not None or len(name) > 100 or (name and name in column.values and not known):
            raise DataError(f"{file}:1: {name[:60]!r} looks like a value, not the name of a column; the first line "
                            "must name the columns, as in: text,label")  # fmt: skip
    if len(columns) == 1:
        raise DataError(f"{file}:1: one column only, {next(iter(columns))[:60]!r}; columns are cut at tabs if the "
                        "first line has one, else at commas")  # fmt: skip


def _joined(group: FileGroup, splits: Mapping[str, dict[str, Column]]) -> tuple[dict[str, Column], list[str]]:
    """Put train and dev together, column by column; a test split adds nothing and may lack columns."""
    columns, notes = dict(splits["train"]), []
    for name, column in splits.get("dev", {}).items():
        if name in columns:
            columns[name] = columns[name].merged(column)
    if "dev" in splits and (lost := [name for name in columns if name not in splits["dev"]]):
        notes.append(f"only in {group.splits['train']}: {', '.join(map(repr, lost))}")
        columns = {name: column for name, column in columns.items() if name not in lost}
    return columns, notes


# ---- texts -----------------------------------------------------------------------------------------------------------


def choose_texts(columns: Mapping[str, Column], roles: Mapping[str, Role], file: str) -> tuple[list[str], str]:
    """Return the one or two columns to read, and what else could be meant."""
    texts = [name for name, role in roles.items() if role == "text"]
    if not texts:
        found = "; ".join(f"{name!r} is {_described(columns[name], role)}" for name, role in roles.items())
        raise DataError(f"{file}: no column of texts ({found})")
    chosen = _pair(columns, texts) or [max(texts, key=lambda name: columns[name].characters)]
    rest = [name for name in texts if name not in chosen]
    if len(chosen) == 2:
        sure = _belong(*chosen)
        return chosen, "" if sure and not rest else f"guess; or one of {', '.join(map(repr, texts))} alone"
    return chosen, f"guess; or a list of two of {', '.join(map(repr, texts))}" if rest else ""


def _pair(columns: Mapping[str, Column], texts: Sequence[str]) -> list[str] | None:
    """Find two columns whose names belong together, or the only two if both hold texts of some length."""
    for place, first in enumerate(texts):
        for second in texts[place + 1 :]:
            if _belong(first, second):
                return [second, first] if (second.casefold(), first.casefold()) in PAIRS else [first, second]
    if len(texts) == 2:
        short, long = sorted(columns[name].mean_words for name in texts)
        return list(texts) if short >= 4 and 4 * short >= long else None
    return None


def _belong(first: str, second: str) -> bool:
    """Tell whether two names differ by a number or letter at the end, or are a pair that is known."""
    one, two = first.casefold(), second.casefold()
    if (one, two) in PAIRS or (two, one) in PAIRS:
        return True
    stems = [re.sub(r"[_\- ]?([0-9]|[ab])$", "", name) for name in (one, two)]
    return bool(stems[0] == stems[1] and one != two and stems[0] not in (one, two))


# ---- labels ----------------------------------------------------------------------------------------------------------


def choose_labels(
    columns: Mapping[str, Column], roles: Mapping[str, Role], texts: Sequence[str], file: str, rows: Rows
) -> tuple[list[str], tuple[str, ...], dict[str, dict[str, float]]]:
    """Return the label columns, those that might be some too, and the order of labels that another column numbers."""
    found = [name for name, role in roles.items() if role in ("classes", "number") and name not in texts]
    found = [name for name in found if not _tells_splits(columns[name])]
    if not found:
        kinds = "; ".join(f"{n!r} is {_described(columns[n], role)}" for n, role in roles.items() if n not in texts)
        raise DataError(f"{file}: no column of labels beside the texts ({kinds or 'there is no other column'})")
    found, order = _without_copies(columns, roles, found, rows(file))
    named = [name for name in found if columns[name].labelled or _yes_or_no(columns[name])]
    classes = [name for name in found if roles[name] == "classes"]
    chosen = named or classes or found
    return chosen, tuple(name for name in found if name not in chosen), order


def _yes_or_no(column: Column) -> bool:
    return {value.casefold() for value in column.values} <= {"yes", "no", "true", "false", "y", "n"}


def _tells_splits(column: Column) -> bool:
    return all(value.casefold() in WORDS for value in column.values)


def _without_copies(
    columns: Mapping[str, Column], roles: Mapping[str, Role], found: list[str], rows: Iterable[Mapping[str, str]]
) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Leave out columns that say the same in other words; names are better than numbers, which give their order."""
    classes = [name for name in found if roles[name] == "classes"]
    pairs: dict[tuple[str, str], set[tuple[str, str]]] = {
        (one, two): set() for place, one in enumerate(classes) for two in classes[place + 1 :]
    }
    for row in rows if pairs else ():
        for (one, two), seen in pairs.items():
            seen.add((row.get(one, "").strip(), row.get(two, "").strip()))
    order: dict[str, dict[str, float]] = {}
    for (one, two), seen in pairs.items():
        if not (one in found and two in found and _same_classes(seen)):
            continue
        copy, kept = (one, two) if columns[one].numeric else (two, one)
        if columns[copy].numeric and not columns[kept].numeric:
            named = seen if kept == one else {(b, a) for a, b in seen}
            order[kept] = {word: float(number) for word, number in named if number}
        elif any(a != b for a, b in seen):
            continue
        found = [name for name in found if name != copy]
    return found, order


def _same_classes(pairs: set[tuple[str, str]]) -> bool:
    """Tell whether each value of either column always comes with the same value of the other, none with none."""
    if any(bool(one) != bool(two) for one, two in pairs):
        return False
    return len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs})


# ---- one task --------------------------------------------------------------------------------------------------------


def _proposal(
    group: FileGroup, splits: Mapping[str, dict[str, Column]], label: Column, texts: list[str], comment: str,
    order: Mapping[str, float] | None,
) -> Proposal:  # fmt: skip
    guess = guess_kind(label, order)
    table: dict[str, Any] = {"kind": guess.kind, "text": texts[0] if len(texts) == 1 else texts, "label": label.name}
    if guess.range:
        table["range"] = list(guess.range)
    else:
        table["names"] = list(guess.names)
    table["train"] = group.splits["train"]
    table["dev"] = group.splits.get("dev", HELD_OUT)
    comments = {"text": comment, **_comments(label, guess)}
    if "dev" not in group.splits:
        comments["dev"] = "share of the rows that is held out, chosen by their texts; or a file"
    own = []
    if "test" in group.splits:
        if trouble := _test_trouble(splits["test"], texts, label, guess):
            own.append(f"{group.splits['test']} is not declared: {trouble}")
        else:
            table["test"] = group.splits["test"]
    if label.filled < label.rows:
        own.append(f"{label.rows - label.filled:,} of {label.rows:,} rows have no label here; they are left out")
    labelled = {
        split: splits[split][label.name].filled for split in SPLITS if label.name in splits.get(split, {})
    }  # fmt: skip
    return Proposal(group.name, table, comments, own, labelled)


def _comments(label: Column, guess: Guess) -> dict[str, str]:
    found = {}
    if guess.others:
        found["kind"] = f"guess; or {' or '.join(guess.others)}" + (
            " (range instead of names)" if "regression" in guess.others else ""
        )
    if guess.kind == "regression":
        found["range"] = f"found: {label.low:g} to {label.high:g}"
    elif guess.kind == "binary":
        found["names"] = "the one for no first, then yes, whose F1 counts"
    elif guess.kind == "ordinal":
        found["names"] = "the lowest first"
    return found


def _test_trouble(columns: Mapping[str, Column], texts: Sequence[str], label: Column, guess: Guess) -> str:
    """Say why a test split cannot be scored, if it cannot."""
    for name in (*texts, label.name):
        if name not in columns:
            return f"it has no column {name!r}"
    found = columns[label.name]
    if not found.filled:
        return f"its column {label.name!r} is empty"
    if guess.range:
        low, high = guess.range
        fits = found.numeric and low <= found.low and found.high <= high
    elif label.numeric:
        fits = {to_number(value) for value in found.values} <= {to_number(value) for value in label.values}
    else:
        fits = set(found.values) <= set(label.values)
    return "" if fits else "it has other labels"


def _unused(columns: Mapping[str, Column], roles: Mapping[str, Role], used: set[str]) -> list[str]:
    rest = [f"{name!r} ({_described(columns[name], role)})" for name, role in roles.items() if name not in used]
    return [f"columns not used: {', '.join(rest)}"] if rest else []


OTHER_ROLES: dict[Role, str] = {
    "text": "texts", "row name": "names of rows", "constant": "one value", "empty": "empty, or not in every row",
    "nested": "lists or objects",
}  # fmt: skip


def _described(column: Column, role: Role) -> str:
    """Say in a few words what a column is."""
    if role == "classes":
        return f"{len(column.values)} classes"
    if role == "number":
        return f"numbers from {column.low:g} to {column.high:g}"
    return OTHER_ROLES.get(role, "words of many kinds")
