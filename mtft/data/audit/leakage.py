"""Leakage: find evaluation rows that are also trained on, by the same task or another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mtft.data.audit.contents import Keyed
from mtft.data.audit.findings import Finding, example_of
from mtft.data.equal_rows import Ints, distinct, first_equal

BEFORE = {"dev": ("train",), "test": ("train", "dev")}
"""For each split, the splits that must not share rows with it."""


def leakage_findings(splits: Sequence[Keyed]) -> Iterator[Finding]:
    """Compare each evaluated dev and test split with the splits that must not share rows with it.

    Inside a source, whole rows are compared, in either order of their texts; across sources, single texts. The rows
    to drop are those of the earlier split.
    """
    whole = {(each.split.source, each.split.split): each for each in splits if each.split.evaluated}
    single = {each.split.source: each for each in splits if each.split.split == "train"}
    for each in splits:
        found = each.split
        if not found.evaluated or found.split not in BEFORE:
            continue
        for earlier in BEFORE[found.split]:
            if known := whole.get((found.source, earlier)):
                yield from _within(each, known)
        for source, known in single.items():
            if source != found.source:
                yield from _across(each, known)


def _within(found: Keyed, known: Keyed) -> Iterator[Finding]:
    if not len(found.rows) or not len(known.rows):
        return
    earlier = known.split.split
    numbers = first_equal(np.sort(np.concatenate([known.texts, found.texts]), axis=1))[:, None]
    message = f"rows are in {earlier} too: its scores look better than they are"
    asked, own = numbers[len(known.rows) :], numbers[: len(known.rows)]
    yield from _finding("leakage", found, asked, known, own, message, earlier)


def _across(found: Keyed, known: Keyed) -> Iterator[Finding]:
    train = f"train of {known.split.source}"
    message = f"rows have a text that is in {train}"
    yield from _finding("leakage-across", found, found.texts, known, known.texts, message, train)


def _finding(
    check: str, found: Keyed, asked: Ints, known: Keyed, own: Ints, message: str, where: str
) -> Iterator[Finding]:
    """Report the rows of `found` one of whose numbers `asked` [m, w] is among the numbers `own` [n, v] of `known`.

    The rows to drop are collected once per number, however many rows share it.
    """
    hit = np.isin(asked, own)
    hits = np.flatnonzero(hit.any(axis=1))
    if not len(hits):
        return
    row = found.split.examples[int(found.rows[hits[0]])]
    drop = known.rows[_owners(distinct(asked[hit]), own)]
    yield Finding(
        check,
        "warning",
        found.split.source,
        found.split.split,
        row.origin,
        len(hits),
        f"{len(hits):,} of {len(found.rows):,} {message}",
        f"{example_of(row)}; {where}: {known.split.examples.origin(int(drop[0]))}",
        f"take them out of {where}",
        known.split.examples.origins(drop),
    )


def _owners(wanted: Ints, own: Ints) -> Ints:
    """Return the rows of numbers `own` [n, v] that have one of the `wanted`, ordered by these, each once."""
    flat, order = own.reshape(-1), np.argsort(wanted)
    rank = order[np.searchsorted(wanted, flat, sorter=order).clip(max=len(wanted) - 1)]
    entries = np.flatnonzero(wanted[rank] == flat)
    return distinct(entries[np.argsort(rank[entries], kind="stable")] // own.shape[1])
