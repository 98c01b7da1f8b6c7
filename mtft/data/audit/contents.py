"""Findings about the texts of one split: empty, repeated, swapped, with conflicting labels, or too long."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from mtft.data.audit.findings import Finding, example_of
from mtft.data.audit.split_reader import Split
from mtft.data.example import Example
from mtft.data.tokenization import Tokenizer
from mtft.errors import setting

Key = tuple[str, ...]


def normalised(text: str) -> str:
    """Return texts in a normal form for comparison: compatible characters, case and white space do not count."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def keys(found: Split) -> list[tuple[Key, Example]]:
    """Return each example without an empty text, with its normalised texts."""
    pairs = [(tuple(map(normalised, row.texts)), row) for row in found.examples]
    return [(key, row) for key, row in pairs if all(key)]


def text_findings(found: Split, keyed: Sequence[tuple[Key, Example]]) -> Iterator[Finding]:
    """Report empty texts, rows that repeat, and equal texts with different labels; `keyed` is of `keys`."""
    where = found.source, found.split
    if empty := [row for row in found.examples if not all(map(str.strip, row.texts))]:
        yield Finding(
            "text-empty",
            "warning",
            *where,
            empty[0].origin,
            len(empty),
            "rows with an empty text",
            example_of(empty[0]),
            "fill in the text, or drop the row",
            _origins(empty),
        )
    groups: dict[Key, list[Example]] = defaultdict(list)
    for key, row in keyed:
        if row.target is not None:
            groups[key].append(row)
    repeated = [group for group in groups.values() if len(group) > 1]
    if again := [row for group in repeated for row in _repeats(group)]:
        yield Finding(
            "duplicate",
            "warning",
            *where,
            again[0].origin,
            len(again),
            "rows that repeat an earlier one",
            example_of(again[0]),
            "keep one of each",
            _origins(again),
        )
    if torn := [group for group in repeated if len({row.target for row in group}) > 1]:
        other = next(row for row in torn[0] if row.target != torn[0][0].target)
        yield Finding(
            "conflict",
            "warning",
            *where,
            other.origin,
            sum(map(len, torn)),
            f"rows that share their texts with another one but not the label ({len(torn)} texts)",
            f"{example_of(other)}, but {torn[0][0].target:g} in {torn[0][0].origin}",
            "decide which label is right",
        )
    yield from _swapped(found, groups)


def _repeats(group: Sequence[Example]) -> Iterator[Example]:
    seen: set[float | None] = set()
    for row in group:
        if row.target in seen:
            yield row
        seen.add(row.target)


def _swapped(found: Split, groups: dict[Key, list[Example]]) -> Iterator[Finding]:
    """Report pairs that occur in both orders; they are repeats unless the order of the texts matters."""
    swapped = [
        (group[0], groups[key[::-1]][0])
        for key, group in groups.items()
        if len(key) == 2 and key < key[::-1] and key[::-1] in groups
    ]
    if swapped:
        first, second = swapped[0]
        differ = sum(one.target != other.target for one, other in swapped)
        yield Finding(
            "swapped",
            "warning" if differ else "note",
            found.source,
            found.split,
            second.origin,
            len(swapped),
            f"pairs that are there in both orders, {differ} of them with different labels",
            f"{example_of(second)}; the other way round in {first.origin}",
            "drop one of the two, unless the order of the texts matters",
        )


def _origins(rows: Sequence[Example]) -> tuple[str, ...]:
    return tuple(row.origin for row in rows)


MANY_CUT = 0.05
"""Share of a split's tokens; a warning is given if more than this share is cut."""


def length_findings(found: Split, tokenizer: Tokenizer, *, apart: bool, max_length: int) -> Iterator[Finding]:
    """Report how much of the texts is cut by a limit of `max_length` tokens."""
    rows = [row for row in found.examples if row.target is not None]
    table, truncation = tokenizer.table([row.texts for row in rows], apart=apart, max_length=max_length)
    if truncation.texts_cut:
        first = rows[truncation.cut[0] // table.per_example]
        much = truncation.tokens_cut > MANY_CUT * truncation.tokens
        yield Finding(
            "text-length",
            "warning" if much else "note",
            found.source,
            found.split,
            first.origin,
            truncation.texts_cut,
            f"{truncation} at {max_length} tokens",
            example_of(first),
            f"raise {setting('max_length')} if the model has the positions, or shorten the texts" if much else "",
        )
