"""Check whether a share of the training rows with rows of each label can be held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mtft.data.guess.proposals import Proposal
from mtft.data.held_out import LEAST, Strata, Stratum, hold_out, position, too_few
from mtft.data.labels import canonical, visible

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares that are tried if rows are held out by their texts alone."""

Row = Mapping[str, str]

Placed = tuple[float, list[Stratum]]
"""The position of a row, and its strata."""


def note_share(proposals: Sequence[Proposal], rows: Callable[[], Iterable[Row]], file: str) -> None:
    """Add a comment to the key `dev` of each proposal that holds out a share if a label has too few rows for it."""
    tables = [proposal.table for proposal in proposals if isinstance(proposal.table.get("dev"), float)]
    if not tables:
        return
    columns: dict[bool, list[str]] = {True: [], False: []}
    for table in tables:
        columns[table["kind"] == "regression"].append(table["label"])
    strata = Strata(tuple(columns[False]), tuple(columns[True]))

    def placed() -> Iterator[Placed]:
        return strata_of(rows(), tables[0]["text"], strata)

    found = hold_out(placed(), tables[0]["dev"])
    for proposal in proposals:
        table = proposal.table
        every = {label: _meant(table, label) for label in found.labels(table["label"])}
        meanings = {label: name for label, name in every.items() if name}
        if short := too_few(found, table["label"], meanings):
            note = (
                f"cannot hold out {LEAST} rows of each label and leave as many to train on: {short}; training stops; "
                f"label more rows, or name a file{_by_texts(placed(), table['label'], meanings)}"
            )
            proposal.comments["dev"] = note
            proposal.warnings.append(f"{file}: dev = {table['dev']:g} of column {table['label']!r} {note}")


def _by_texts(placed: Iterable[Placed], column: str, meanings: Mapping[Hashable, str]) -> str:
    """Return keys that hold out rows by their texts alone, with some of each label in dev and in train; "" if none do.

    `meanings` maps the labels of the column to names.
    """
    own = [
        (fraction, meanings[label])
        for fraction, strata in placed
        for name, label in strata
        if name == column and label in meanings
    ]
    for share in SHARES:
        dev, train = (
            Counter(name for fraction, name in own if (fraction < share) is inside) for inside in (True, False)
        )
        if own and dev.keys() == train.keys() == {*meanings.values()}:
            counts = ", ".join(f"{visible(name)} {dev[name]:,}" for name in sorted(dev)[:3])
            more = ", ..." if len(dev) > 3 else ""
            return f', or take few: dev = {share:g} and held_out = "texts" (dev has {counts}{more})'
    return ""


def _meant(table: Mapping[str, Any], label: object) -> str:
    if table["kind"] == "regression":
        return "the whole"
    name = table.get("aliases", {}).get(str(label), str(label))
    return "" if canonical(name) in map(canonical, table.get("missing", ())) else name


def strata_of(rows: Iterable[Row], text: str | Sequence[str], strata: Strata) -> Iterator[Placed]:
    """Yield the position of each row and its strata."""
    texts = [text] if isinstance(text, str) else text
    for row in rows:
        if all(name in row for name in texts):
            yield position([row[name] for name in texts]), strata.of(row)
