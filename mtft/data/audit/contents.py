"""Findings about the texts of one split: empty, repeated, swapped, with conflicting labels, or too long."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtft.data.audit.findings import Finding, example_of
from mtft.data.audit.split_reader import Split
from mtft.data.equal_rows import Ints, digests, first_equal
from mtft.data.example import Example
from mtft.data.examples import Examples
from mtft.data.tokenization import Tokenizer
from mtft.errors import setting


def normalised(text: str) -> str:
    """Return texts in a normal form for comparison: compatible characters, case and white space do not count."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


@dataclass(frozen=True)
class Keyed:
    """A split's rows for comparison: `rows` [m] numbers those without an empty text, `empty` the rows with one.

    `texts` [m, texts of a row] are numbers, equal for equal normalised texts of all splits that were keyed together.
    """

    split: Split
    rows: Ints
    texts: Ints
    empty: Ints


def keyed(splits: Sequence[Split]) -> list[Keyed]:
    """Compare the texts of all splits, by digests."""
    found = [_digests(split.examples) for split in splits]
    numbers = first_equal(np.concatenate([np.empty((0, 2), np.uint64), *(texts for _, texts, _ in found)]))
    ends = np.cumsum([len(texts) for _, texts, _ in found])
    return [
        Keyed(split, rows, own.reshape(-1, split.examples.width), empty)
        for split, (rows, _, empty), own in zip(splits, found, np.split(numbers, ends)[:-1], strict=True)
    ]


def _digests(examples: Examples) -> tuple[Ints, NDArray[np.uint64], Ints]:
    """Return the rows whose normalised texts are not empty, digests of these texts, and the rows with an empty text."""
    rows, empty = array("q"), array("q")

    def texts() -> Iterator[str]:
        for row, own in enumerate(examples.all_texts()):
            if not all(map(str.strip, own)):
                empty.append(row)
            key = [normalised(text) for text in own]
            if all(key):
                rows.append(row)
                yield from key

    found = digests(texts())
    return np.array(rows, np.int64), found, np.array(empty, np.int64)


def text_findings(keyed: Keyed) -> Iterator[Finding]:
    """Report empty texts, rows that repeat, and equal texts with different labels."""
    found, examples = keyed.split, keyed.split.examples
    where = found.source, found.split
    if len(keyed.empty):
        first = examples[int(keyed.empty[0])]
        yield Finding(
            "text-empty",
            "warning",
            *where,
            first.origin,
            len(keyed.empty),
            "rows with an empty text",
            example_of(first),
            "fill in the text, or drop the row",
            examples.origins(keyed.empty),
        )
    labelled = examples.labelled[keyed.rows]
    rows, texts = keyed.rows[labelled], keyed.texts[labelled]
    targets = examples.targets[rows] + 0.0  # so that -0 is 0
    groups = first_equal(texts)
    same = first_equal(np.column_stack([groups, targets.view(np.int64)]))  # rows with the same texts and label
    if len(again := np.flatnonzero(same != np.arange(len(same)))):
        again = rows[again[np.argsort(groups[again], kind="stable")]]  # group by group
        first = examples[int(again[0])]
        yield Finding(
            "duplicate",
            "warning",
            *where,
            first.origin,
            len(again),
            "rows that repeat an earlier one",
            example_of(first),
            "keep one of each",
            examples.origins(again),
        )
    names, labels = np.unique(groups[np.unique(same)], return_counts=True)
    if len(torn := names[labels > 1]):
        one = int(torn[0])
        other = np.flatnonzero((groups == one) & (targets != targets[one]))[0]
        yield Finding(
            "conflict",
            "warning",
            *where,
            examples.origin(int(rows[other])),
            int(np.isin(groups, torn).sum()),
            f"rows that share their texts with another one but not the label ({len(torn)} texts)",
            f"{example_of(examples[int(rows[other])])}, but {targets[one]:g} in {examples.origin(int(rows[one]))}",
            "decide which label is right",
        )
    unique = np.unique(groups)
    yield from _swapped(found, rows[unique], texts[unique])


def _swapped(found: Split, rows: Ints, texts: Ints) -> Iterator[Finding]:
    """Report pairs that occur in both orders; they are repeats unless the order of the texts matters.

    `rows` [g] are the first ones of each different pair, `texts` [g, 2] their texts by number.
    """
    if texts.shape[1] != 2 or not len(rows):
        return
    count = len(rows)
    others = first_equal(np.concatenate([texts, texts[:, ::-1]]))[count:]  # where each pair is the other way round
    swapped = np.flatnonzero((others < count) & (others != np.arange(count)))
    if len(swapped):
        targets = found.examples.targets
        differ = int((targets[rows[swapped]] != targets[rows[others[swapped]]]).sum()) // 2
        one = next(int(each) for each in swapped if _ascends(found.examples[int(rows[each])]))
        first, second = (found.examples[int(rows[each])] for each in (one, others[one]))
        yield Finding(
            "swapped",
            "warning" if differ else "note",
            found.source,
            found.split,
            second.origin,
            len(swapped) // 2,
            f"pairs that are there in both orders, {differ} of them with different labels",
            f"{example_of(second)}; the other way round in {first.origin}",
            "drop one of the two, unless the order of the texts matters",
        )


def _ascends(row: Example) -> bool:
    key = [*map(normalised, row.texts)]
    return key < key[::-1]


MANY_CUT = 0.05
"""Share of a split's tokens; a warning is given if more than this share is cut."""


def length_findings(found: Split, tokenizer: Tokenizer, *, apart: bool, max_length: int) -> Iterator[Finding]:
    """Report how much of the texts is cut by a limit of `max_length` tokens."""
    rows = found.examples.where(found.examples.labelled)
    table, truncation = tokenizer.table(rows.all_texts(), apart=apart, max_length=max_length)
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
