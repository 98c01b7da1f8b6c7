"""Repeated, contradicting, swapped and leaked rows are those that dictionaries of the texts find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.audit.contents import keyed, normalised, text_findings
from mtft.data.audit.findings import Finding
from mtft.data.audit.leakage import BEFORE, leakage_findings
from mtft.data.audit.split_reader import Split
from mtft.data.example import Example
from mtft.data.examples import Examples

Row = tuple[tuple[str, ...], float | None]
Found = tuple[str, str, str, str, int, list[str]]
TEXTS = st.sampled_from(["a", "A ", "b", "c", "ﬁ", "fi", "", " ", "a b"])


def rows(width: int) -> st.SearchStrategy[list[Row]]:
    target = st.sampled_from([None, 0.0, -0.0, 1.0])
    return st.lists(st.tuples(st.tuples(*[TEXTS] * width), target), max_size=9)


def split(source: str, name: str, given: Sequence[Row]) -> Split:
    examples = [Example(str(n), texts, target, f"{source}.{name}:{n}") for n, (texts, target) in enumerate(given, 2)]
    return Split(source, name, (), Examples(examples), (), evaluated=True)


def plain(finding: Finding) -> Found:
    found = finding.check, finding.source, finding.split, finding.location
    return *found, finding.count, list(finding.drop)


@settings(max_examples=150, deadline=None)
@given(rows(1), rows(1), rows(2), rows(2), rows(2))
def test_findings_are_those_of_dictionaries(
    train: list[Row], dev: list[Row], pairs: list[Row], pairs_dev: list[Row], pairs_test: list[Row]
) -> None:
    splits = [
        split("one", "train", train),
        split("one", "dev", dev),
        split("two", "train", pairs),
        split("two", "dev", pairs_dev),
        split("two", "test", pairs_test),
    ]
    comparable = keyed(splits)
    for each in comparable:
        assert [plain(finding) for finding in text_findings(each)] == list(naive_text(each.split))
    assert [plain(finding) for finding in leakage_findings(comparable)] == list(naive_leakage(splits))


def test_nothing_is_found_in_nothing() -> None:
    comparable = keyed([split("one", "train", []), split("one", "dev", [])])
    assert [finding for each in comparable for finding in text_findings(each)] == []
    assert list(leakage_findings(comparable)) == []
    assert keyed([]) == []


def key(row: Example) -> tuple[str, ...]:
    return tuple(map(normalised, row.texts))


def naive_text(found: Split) -> Iterator[Found]:
    where = found.source, found.split
    if empty := [row.origin for row in found.examples if not all(map(str.strip, row.texts))]:
        yield "text-empty", *where, empty[0], len(empty), empty
    groups: dict[tuple[str, ...], list[Example]] = defaultdict(list)
    for row in found.examples:
        if all(key(row)) and row.target is not None:
            groups[key(row)].append(row)
    again: list[str] = []
    for group in groups.values():
        again += [row.origin for n, row in enumerate(group) if row.target in [each.target for each in group[:n]]]
    if again:
        yield "duplicate", *where, again[0], len(again), again
    if torn := [group for group in groups.values() if len({row.target for row in group}) > 1]:
        other = next(row for row in torn[0] if row.target != torn[0][0].target)
        yield "conflict", *where, other.origin, sum(map(len, torn)), []
    swapped = [own for own in groups if len(own) == 2 and own < own[::-1] and own[::-1] in groups]
    if swapped:
        yield "swapped", *where, groups[swapped[0][::-1]][0].origin, len(swapped), []


def naive_leakage(splits: Sequence[Split]) -> Iterator[Found]:
    for found in splits:
        usable = [row for row in found.examples if all(key(row))]
        for earlier in BEFORE.get(found.split, ()):
            for known in splits:
                if (known.source, known.split) == (found.source, earlier):
                    hits = [(row, [tuple(sorted(key(row)))]) for row in usable]
                    yield from leaks("leakage", found, hits, [(tuple(sorted(key(row))), row) for row in known.examples])
        for known in splits if found.split in BEFORE else ():
            if known.split == "train" and known.source != found.source:
                hits = [(row, [(text,) for text in key(row)]) for row in usable]
                owners = [((text,), row) for row in known.examples if all(key(row)) for text in key(row)]
                yield from leaks("leakage-across", found, hits, owners)


def leaks(
    check: str,
    found: Split,
    asked: Sequence[tuple[Example, list[tuple[str, ...]]]],
    owners: Sequence[tuple[tuple[str, ...], Example]],
) -> Iterator[Found]:
    known: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for own, row in owners:
        if all(key(row)):
            known[own].append(row.origin)
    hits = [(row, [own for own in keys if own in known]) for row, keys in asked if any(own in known for own in keys)]
    if hits:
        drop = dict.fromkeys(origin for _, keys in hits for own in keys for origin in known[own])
        yield check, found.source, found.split, hits[0][0].origin, len(hits), list(drop)
