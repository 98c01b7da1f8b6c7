"""Leakage: find evaluation rows that are also trained on, by the same task or another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from mtft.data.audit.contents import Key
from mtft.data.audit.findings import Finding, example_of
from mtft.data.audit.split_reader import Split
from mtft.data.example import Example

Keyed = Sequence[tuple[Key, Example]]
"""Examples with their normalised texts, as `mtft.data.audit.contents.keys` gives them."""

Locations = dict[Key, list[str]]
"""Texts -> the origins of the rows that hold them."""

BEFORE = {"dev": ("train",), "test": ("train", "dev")}
"""For each split, the splits that must not share rows with it."""


def leakage_findings(splits: Iterable[tuple[Split, Keyed]]) -> Iterator[Finding]:
    """Compare each evaluated dev and test split with the splits that must not share rows with it.

    Inside a source, whole rows are compared, in either order of their texts; across sources, single texts. The rows
    to drop are those of the earlier split.
    """
    splits = list(splits)
    whole = {(found.source, found.split): _by_row(rows) for found, rows in splits if found.evaluated}
    single = {found.source: _by_text(rows) for found, rows in splits if found.split == "train"}
    for found, rows in splits:
        if not found.evaluated or found.split not in BEFORE:
            continue
        for earlier in BEFORE[found.split]:
            yield from _within(found, earlier, rows, whole.get((found.source, earlier), {}))
        for other, texts in single.items():
            if other != found.source:
                yield from _across(found, other, rows, texts)


def _by_row(rows: Keyed) -> Locations:
    found: Locations = defaultdict(list)
    for key, row in rows:
        found[tuple(sorted(key))].append(row.origin)
    return found


def _by_text(rows: Keyed) -> Locations:
    found: Locations = defaultdict(list)
    for key, row in rows:
        for text in key:
            found[text,].append(row.origin)
    return found


def _within(found: Split, earlier: str, rows: Keyed, known: Locations) -> Iterator[Finding]:
    hits = [(row, [key]) for key, row in ((tuple(sorted(key)), row) for key, row in rows) if key in known]
    if hits:
        message = f"{len(hits):,} of {len(rows):,} rows are in {earlier} too: its scores look better than they are"
        yield _finding("leakage", found, hits, known, message, earlier)


def _across(found: Split, other: str, rows: Keyed, known: Locations) -> Iterator[Finding]:
    hits: list[tuple[Example, list[Key]]] = []
    for key, row in rows:
        if texts := [(text,) for text in key if (text,) in known]:
            hits.append((row, [*texts]))
    if hits:
        message = f"{len(hits):,} of {len(rows):,} rows have a text that is in train of {other}"
        yield _finding("leakage-across", found, hits, known, message, f"train of {other}")


def _finding(
    check: str, found: Split, hits: Sequence[tuple[Example, list[Key]]], known: Locations, message: str, where: str
) -> Finding:
    """Make one finding; the rows to drop are collected once per key, however many rows share it."""
    row, (first, *_) = hits[0]
    drop = dict.fromkeys(origin for key in {key: None for _, each in hits for key in each} for origin in known[key])
    return Finding(
        check,
        "warning",
        found.source,
        found.split,
        row.origin,
        len(hits),
        message,
        f"{example_of(row)}; {where}: {known[first][0]}",
        f"take them out of {where}",
        tuple(drop),
    )
