"""Check whether a share of the training rows with rows of each label can be held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mtft.data.guess.proposals import Proposal
from mtft.data.held_out import LEAST, Strata, Stratum, hold_out, position, too_few
from mtft.data.labels import canonical

Row = Mapping[str, str]


def note_share(proposals: Sequence[Proposal], rows: Callable[[], Iterable[Row]], file: str) -> None:
    """Add a comment to the key `dev` of each proposal that holds out a share if a label has too few rows for it."""
    tables = [proposal.table for proposal in proposals if isinstance(proposal.table.get("dev"), float)]
    if not tables:
        return
    columns: dict[bool, list[str]] = {True: [], False: []}
    for table in tables:
        columns[table["kind"] == "regression"].append(table["label"])
    strata = Strata(tuple(columns[False]), tuple(columns[True]))
    found = hold_out(strata_of(rows(), tables[0]["text"], strata), tables[0]["dev"])
    for proposal in proposals:
        table = proposal.table
        meanings = {label: _meant(table, label) for label in found.labels(table["label"])}
        short = too_few(found, table["label"], {label: name for label, name in meanings.items() if name})
        if short:
            told = f'cannot hold out {LEAST} rows of each label: {short}; name a file, or add held_out = "texts"'
            proposal.comments["dev"] = told
            proposal.warnings.append(f"{file}: dev = {table['dev']:g} of column {table['label']!r} {told}")


def _meant(table: Mapping[str, Any], label: object) -> str:
    if table["kind"] == "regression":
        return "the whole"
    name = table.get("aliases", {}).get(str(label), str(label))
    return "" if canonical(name) in map(canonical, table.get("missing", ())) else name


def strata_of(rows: Iterable[Row], text: str | Sequence[str], strata: Strata) -> Iterator[tuple[float, list[Stratum]]]:
    """Yield the position of each row and its strata."""
    texts = [text] if isinstance(text, str) else text
    for row in rows:
        if all(name in row for name in texts):
            yield position([row[name] for name in texts]), strata.of(row)
