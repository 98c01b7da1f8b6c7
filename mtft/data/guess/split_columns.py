"""Find a column that gives the split of each row, by its values or its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtft.data.guess.columns import Column
from mtft.data.guess.doubts import SPLIT_NAMES, Decisions, Doubt, Reading
from mtft.data.guess.split_words import SHORT, split_of, split_of_value
from mtft.data.labels import to_number, visible
from mtft.errors import DataError, setting

NAMES = (
    "split",
    "splits",
    "datasplit",
    "splitname",
    "datasetsplit",
    "traintest",
    "tvt",
    "fold",
    "folds",
    "kfold",
    "cvfold",
    "foldid",
    "partition",
    "partitions",
)
"""Names of columns that give the split whatever their values are; without separators between words."""

SPLIT_WORDS = {"split", "splits", "splitset", "fold", "folds"}
"""Words in the name of a column that may give the split."""

PLAIN = {"train", "training", "dev", "val", "validation", "test", "testing", "eval", "evaluation", "holdout", "heldout"}
"""Names of yes/no columns that are asked about; not valid or gold, which are labels as well."""

TRUE = ("true", "1", "yes", "y", "t", "1.0")
FALSE = ("false", "0", "no", "n", "f", "0.0")
"""Values of a yes/no column for a single split, such as is_test."""

MOST_PARTS = 50
"""Most distinct values of a column that may give the split."""


@dataclass
class SplitPlan:
    """A column that gives the split: the values of each split, those of unused rows, and a comment."""

    column: str
    values: dict[str, list[str]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    comment: str = ""

    def table(self, splits: tuple[str, ...] = SPLIT_NAMES) -> dict[str, object]:
        """Return the value of the key `split` for some splits; rows of other splits are not used."""
        kept = {split: values for split, values in self.values.items() if split in splits}
        rest = [value for split, values in self.values.items() if split not in splits for value in values]
        unused = [*rest, *self.unused]
        return {"column": self.column, **kept, **({"unused": unused} if unused else {})}


def find_split_column(columns: Mapping[str, Column], file: str, decisions: Decisions) -> SplitPlan | None:
    """Return the column of a single file that gives the splits of its rows, None if there is none.

    DataError if no training rows are left.
    """
    for name, column in columns.items():
        if decisions.says(name, "unused") or not _may_tell(column, given=decisions.says(name, "split")):
            continue
        plan = _plan(column, file, decisions)
        if plan and "train" not in plan.values:
            listed = ", ".join(f"{visible(value)} ({split})" for split, own in plan.values.items() for value in own)
            raise DataError(
                f"{file}: no row to train on: column {name!r} has {listed}; if it tells no splits: "
                f"{setting('read', f'{name}=unused')}"
            )
        if plan:
            return plan
    return None


def _may_tell(column: Column, *, given: bool) -> bool:
    if not column.values or len(column.values) > MOST_PARTS or column.many:
        return False
    named = _plain(column) in NAMES or not SPLIT_WORDS.isdisjoint(column.name_words) or _flag(column) != ""
    long = [value for value in column.values if value.casefold() not in SHORT]  # tr and te are languages too
    found = {split for value in long if (split := split_of_value(value))}
    return given or named or ("train" in found and len(found) > 1) or all(map(split_of_value, column.values))


def _plain(column: Column) -> str:
    return "".join(sign for sign in column.name.casefold() if sign.isalnum())


def _flag(column: Column) -> str:
    """Return the split of a yes/no column such as is_test; "" for other columns."""
    words = column.name_words
    named = len(words) == 2 and words[0] in ("is", "in", "for", "use")
    split = split_of(words[-1]) if named or (len(words) == 1 and words[0] in PLAIN) else ""
    values = {value.casefold() for value in column.values}
    return split if values <= {*TRUE, *FALSE} else ""


def _plan(column: Column, file: str, decisions: Decisions) -> SplitPlan | None:
    """Read the values of a column that gives the split; ask if they are ambiguous. None if the column is not used."""
    if split := _flag(column):
        plan = _of_flag(column, split)
        return plan if len(column.name_words) > 1 else _doubt_flag(plan, column, file, split, decisions)
    plan = SplitPlan(column.name)
    for value in column.values:
        if split := split_of_value(value):
            plan.values.setdefault(split, []).append(value)
        else:
            plan.unused.append(value)
    plan.values = {split: sorted(plan.values[split]) for split in SPLIT_NAMES if split in plan.values}
    plan.unused.sort()
    if plan.values and not plan.unused:
        return _with_empty(plan, column)
    question = f"column {column.name!r} seems to tell splits, "
    if plan.values:
        rows = sum(column.values[value] for value in plan.unused)
        rest = ", ".join(map(visible, plan.unused[:5]))
        question += f"but {rest} ({rows:,} rows) is no split"
        readings = ("these rows are not used", "all rows are for training, whatever the column says")
    elif all(to_number(value) is not None for value in column.values):
        ordered = sorted(column.values, key=float)
        plan.values, plan.unused = {"train": ordered[:-1], "dev": ordered[-1:]}, []
        question += f"and has {len(ordered)} numbers"
        readings = (f"{visible(ordered[-1])} is dev, the others are train", "all rows are for training")
        if len(ordered) < 2:
            return None
    else:
        shown = ", ".join(map(visible, list(column.values)[:5]))
        question += f"but its values ({shown}) are no splits"
        reading = Reading("it is not used, and all rows are for training", "read", "unused", column.name)
        decisions.choose(Doubt(file, question, (reading,)))
        return None
    doubt = Doubt(
        file,
        question,
        (Reading(readings[0], "read", "split", column.name), Reading(readings[1], "read", "unused", column.name)),
    )
    if decisions.choose(doubt):
        return None
    plan.comment = f"guess: {readings[0]}"
    return _with_empty(plan, column)


def _doubt_flag(plan: SplitPlan, column: Column, file: str, split: str, decisions: Decisions) -> SplitPlan | None:
    """Ask whether a yes/no column called train, validation or test gives the split."""
    readings = (
        Reading(f"it marks the rows of {split}", "read", "split", column.name),
        Reading("it does not, and all rows are for training", "read", "unused", column.name),
    )
    doubt = Doubt(file, f"column {column.name!r} seems to tell which rows are for {split}", readings)
    return None if decisions.choose(doubt) else plan


def _of_flag(column: Column, split: str) -> SplitPlan:
    """Read a yes/no column for a single split; rows outside train are dev."""
    other = "train" if split != "train" else "dev"
    inside = sorted(value for value in column.values if value.casefold() in TRUE)
    outside = sorted(value for value in column.values if value.casefold() in FALSE)
    values = {each: own for each in SPLIT_NAMES for own in ({split: inside, other: outside}.get(each, []),) if own}
    return _with_empty(SplitPlan(column.name, values, comment=f"guess; rows outside of {split} are {other}"), column)


def _with_empty(plan: SplitPlan, column: Column) -> SplitPlan:
    """Add a comment that counts the rows without a value, which are not used."""
    if empty := column.rows - column.filled:
        plan.unused.append("")
        note = f"{empty:,} rows have no value in it and are not used"
        plan.comment = f"{plan.comment}; {note}" if plan.comment else note
    return plan


def check_agreement(columns: Mapping[str, Column], file: str, split: str, decisions: Decisions) -> None:
    """Raise DataError if a column contradicts the split in the file's name."""
    for name, column in columns.items():
        if decisions.says(name, "unused") or not column.values or len(column.values) > MOST_PARTS:
            continue
        splits = {split_of_value(value) for value in column.values}
        if "" not in splits and splits != {split}:
            others = ", ".join(sorted(splits - {split}))
            raise DataError(
                f"{file}: is {split} by its name, but column {name!r} gives {others} for some rows; give this "
                f"file alone to split it by the column, or {setting('read', f'{name}=unused')}"
            )
