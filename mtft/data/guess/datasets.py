"""Find the tasks that a dataset's files can train: which columns are texts, and which are labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from mtft.data.dialect import form_of
from mtft.data.guess.columns import Column, Role, profile
from mtft.data.guess.doubts import Decisions
from mtft.data.guess.header import has_known_name, no_header, value_in_header
from mtft.data.guess.held_out_shares import note_share
from mtft.data.guess.label_columns import choose_labels
from mtft.data.guess.label_values import read_values, several, sure_marks
from mtft.data.guess.proposals import Proposal, Tables, make_proposal
from mtft.data.guess.split_columns import SplitPlan, check_agreement, find_split_column
from mtft.data.guess.splits import FileGroup
from mtft.data.guess.texts import choose_texts, find_copies
from mtft.data.labels import appearance, odd_number, several_labels, visible
from mtft.errors import DataError

Row = Mapping[str, str]

Rows = Callable[[str], Iterable[Row]]
"""Gives the rows of a file."""

SplitRows = dict[str, Callable[[], Iterable[Row]]]
"""Returns an iterator over the rows of each split; can be called again."""


def propose(group: FileGroup, rows: Rows, decisions: Decisions | None = None, *, header: bool = True) -> list[Proposal]:
    """Return proposals of tasks for a dataset's files; DataError says why there is none.

    `header` tells whether the first line of a table names its columns.
    """
    decisions = decisions or Decisions()
    tables, split_rows = _tables(group, rows, decisions, header)
    columns, notes = _joined(tables)
    notes = [*group.notes, *notes, *_header_notes(tables, decisions)]
    decisions.met["columns"] |= {*columns, *([tables.plan.column] if tables.plan else [])}
    columns = {name: column.without(sure_marks(column, decisions)) for name, column in columns.items()}
    roles = {name: column.role() for name, column in columns.items()}
    file = tables.files["train"]
    found = _label_candidates(roles, decisions) or _classes_named_as_texts(columns, roles)
    roles = {name: role if name not in found or role != "text" else "classes" for name, role in roles.items()}
    copies = find_copies(columns, roles, split_rows["train"]())
    names = [name for name, role in roles.items() if role == "text" and not decisions.says(name, "unused")]
    if not names:
        raise DataError(f"{file}: no column of texts ({'; '.join([_all_described(columns, roles), *notes])})")
    texts, comment = choose_texts(columns, names, {copy: kept for copy, kept in copies.items() if copy in names})
    found = [name for name in found if name not in texts]
    if not found:
        raise DataError(_no_labels(columns, roles, texts, file, notes))
    own: dict[str, Iterable[Row]] = {split: split_rows[split]() for split in ("train", "dev") if split in split_rows}
    labels = choose_labels(columns, found, roles, own, file, decisions)
    notes += labels.notes + _unused(columns, roles, {*texts, *labels.names, *labels.others}, tables.plan)
    proposals = []
    joined, _ = _joined(tables)
    for name in labels.names:
        values = read_values(joined[name], file, decisions)
        made = make_proposal(tables, values, texts, comment, labels.order.get(name), decisions)
        made.notes = [*notes, *made.notes]
        proposals.append(made)
    note_share(proposals, split_rows["train"], file)
    proposals += _offered(labels.others, joined, tables, texts, comment, labels.order)
    _name(proposals, tables.name)
    return proposals


def _offered(
    names: Sequence[str],
    columns: Mapping[str, Column],
    tables: Tables,
    texts: Sequence[str],
    comment: str,
    order: Mapping[str, Mapping[str, float]],
) -> Iterator[Proposal]:
    """Make proposals from the other columns that may be labels; no questions are asked about them."""
    for name in names:
        try:
            values = read_values(columns[name], tables.files["train"], Decisions(likely=True))
            made = make_proposal(tables, values, texts, comment, order.get(name), Decisions(likely=True))
        except DataError:
            continue
        made.likely = False
        yield made


def _name(proposals: Sequence[Proposal], name: str) -> None:
    several = sum(proposal.likely for proposal in proposals) > 1
    for proposal in proposals:
        if several or not proposal.likely:
            own = re.sub(r"[^a-z0-9_]+", "-", proposal.table["label"].casefold()).strip("-_")
            proposal.name = f"{name}-{own}".rstrip("-")


# ---- rows and columns ------------------------------------------------------------------------------------------------


def _tables(group: FileGroup, rows: Rows, decisions: Decisions, header: bool) -> tuple[Tables, SplitRows]:
    """Read all files once; a single file is read split by split if a column gives the splits."""
    split_rows: SplitRows = {split: partial(rows, file) for split, file in group.splits.items()}
    columns = {split: _profile(file, split_rows[split](), header) for split, file in group.splits.items()}
    plan = None
    if len(group.splits) == 1:
        plan = find_split_column(columns["train"], group.splits["train"], decisions)
    else:
        for split, file in group.splits.items():
            check_agreement(columns[split], file, split, decisions)
    if plan:
        whole = split_rows["train"]
        split_rows = {split: partial(_part, whole, plan.column, plan.values[split]) for split in plan.values}
        columns = {split: _profile(group.splits["train"], own(), header) for split, own in split_rows.items()}
        for own in columns.values():
            own.pop(plan.column, None)
    files = {split: group.splits.get(split, group.splits["train"]) for split in columns}
    return Tables(group.name, files, columns, plan), split_rows


def _part(rows: Callable[[], Iterable[Row]], column: str, values: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of one split of a file whose column gives the splits."""
    return (row for row in rows() if row.get(column, "").strip() in values)


def _profile(file: str, rows: Iterable[Row], header: bool) -> dict[str, Column]:
    columns, number = profile(rows)
    if not number:
        raise DataError(f"{file}: no rows")
    if header and form_of(file) not in ("json", "jsonl"):
        _check_header(file, columns)
    _check_alike(file, columns, number)
    for name, column in columns.items():
        lacking, column.rows = column.rows < number, number
        if lacking and column.role() == "text":  # only a label may be missing
            columns[name] = Column(name, number)
    return columns


def _check_alike(file: str, columns: Mapping[str, Column], number: int) -> None:
    """Raise DataError if some rows lack a column, and have one whose name looks the same instead."""
    partly = [name for name, column in columns.items() if column.rows < number]
    for name in partly:
        same = [other for other in partly if other != name and appearance(other) == appearance(name)]
        if same and columns[name].rows + columns[same[0]].rows == number:
            raise DataError(
                f"{file}: column {visible(name)} of {columns[name].rows:,} rows is {visible(same[0])} in the others; "
                f"give both the same name"
            )


def _check_header(file: str, columns: Mapping[str, Column]) -> None:
    """Raise a DataError if the first line is a row itself or has only one column."""
    name = value_in_header(columns)
    if name is not None:
        raise DataError(no_header(file, name))
    if len(columns) == 1:
        name = next(iter(columns))[:60]
        raise DataError(f"{file}:1: one column only, {name!r}; columns are cut at tabs, commas, semicolons or bars")


def _header_notes(tables: Tables, decisions: Decisions) -> list[str]:
    """Return a comment if the first line of a table has no usual name of a column, and so may be a row."""
    file, columns = tables.files["train"], tables.columns["train"]
    table = form_of(file) == "table"
    if not table or has_known_name(columns) or any(decisions.kind(name) for name in columns):
        return []
    names = ", ".join(map(repr, columns))
    return [f"guess: the first line names the columns ({names}); if it is a row: header = false, columns = [...]"]


def _joined(tables: Tables) -> tuple[dict[str, Column], list[str]]:
    """Merge train and dev column by column; a test split adds nothing and may lack columns."""
    columns, notes, dev = dict(tables.columns["train"]), [], tables.columns.get("dev")
    if dev is None:
        return columns, []
    for name, column in dev.items():
        if name in columns:
            columns[name] = columns[name].merged(column)
    lost, new = ([name for name in one if name not in other] for one, other in ((columns, dev), (dev, columns)))
    for name in lost:
        if same := [other for other in new if appearance(other) == appearance(name)]:
            raise DataError(
                f"{tables.files['dev']}: column {visible(same[0])} is {visible(name)} in "
                f"{tables.files['train']}; give both the same name"
            )
    if lost:
        notes.append(f"only in {tables.files['train']}: {', '.join(map(repr, lost))}")
        notes += [f"only in {tables.files['dev']}: {', '.join(map(repr, new))}"] if new else []
        columns = {name: column for name, column in columns.items() if name not in lost}
    return columns, notes


# ---- labels ----------------------------------------------------------------------------------------------------------


def _label_candidates(roles: Mapping[str, Role], decisions: Decisions) -> list[str]:
    """Return the columns that may hold labels, or that the user named."""
    return [
        name
        for name, role in roles.items()
        if (decisions.kind(name) or role in ("classes", "number")) and not decisions.says(name, "unused")
    ]


def _classes_named_as_texts(columns: Mapping[str, Column], roles: Mapping[str, Role]) -> list[str]:
    """Return columns with usual names of texts that hold few short words again and again, beside other texts."""
    texts = [name for name, role in roles.items() if role == "text"]
    found = [name for name in texts if columns[name].class_like]
    return found if len(found) < len(texts) else []


def _no_labels(
    columns: Mapping[str, Column], roles: Mapping[str, Role], texts: Sequence[str], file: str, notes: Sequence[str]
) -> str:
    """Return why no column holds labels."""
    for name, column in columns.items():
        sign = "a list" if roles[name] == "nested" else several_labels(list(column.values))
        if sign and name not in texts and column.labelled:
            return several(name, list(column.values), sign, file)
    described = _all_described(columns, {name: role for name, role in roles.items() if name not in texts})
    more = "".join(f"; {note}" for note in notes)
    return f"{file}: no column of labels beside the texts ({described or 'there is no other column'}{more})"


def _unused(
    columns: Mapping[str, Column], roles: Mapping[str, Role], used: set[str], plan: SplitPlan | None
) -> list[str]:
    rest = {name: role for name, role in roles.items() if name not in used and not (plan and plan.column == name)}
    listed = ", ".join(f"{name!r} ({_described(columns[name], role)})" for name, role in rest.items())
    return [f"columns not used: {listed}"] if listed else []


OTHER_ROLES: dict[Role, str] = {
    "text": "texts",
    "row name": "names of rows",
    "constant": "one value",
    "empty": "empty, or not in every row",
    "nested": "lists, objects or others that are no text",
}


def _all_described(columns: Mapping[str, Column], roles: Mapping[str, Role]) -> str:
    return "; ".join(f"{name!r} is {_described(columns[name], role)}" for name, role in roles.items())


def _described(column: Column, role: Role) -> str:
    """Describe a column in a few words."""
    if role == "classes":
        return f"{len(column.values)} classes"
    if role == "number":
        return f"numbers from {column.low:g} to {column.high:g}"
    if role == "other" and (number := odd_number(list(column.values))):
        return f"numbers, some not written with digits and a point alone, such as {number!r}"
    if role == "other" and column.labelled and not column.many:
        return f"{len(column.values):,} different words in {column.filled:,} rows, too many to be classes"
    return OTHER_ROLES.get(role, "words of many kinds")
