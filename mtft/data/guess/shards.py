"""Recognise files that are shards of one split by their names, and join them into one pattern."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from mtft.data.formats import HUB
from mtft.data.guess.split_words import pieces_of, split_of
from mtft.errors import DataError

_OF = re.compile(r"(?:^|.*[-_. ])(?P<number>[0-9]+)[-_]of[-_](?P<total>[0-9]+)(?=$|[-_.])", re.IGNORECASE)
_PART = re.compile(r"(?:^|.*[-_. ])(?:part|shard|chunk)[-_. ]?(?P<number>[0-9]+)(?=$|[-_.])", re.IGNORECASE)
_HASH = re.compile(r"-[0-9a-f]{16}(?=$|\.)")
_UNIQUE = r"(?:-[0-9a-f]{8}-[0-9a-f-]{27}.*|-[0-9a-f]{16}|-\*)?"
NUMBERS = "[0-9]*"
"""The pattern for the number of files that differ only in a number."""
_NUMBERED = re.compile(r"(?P<begin>|.*?[A-Za-z][-_. (]*)(?P<number>[0-9]+)(?P<end>\)?\.[^0-9].*)")
_COMMON = re.compile(
    r"[-_. ]*(?:(?:\*|[0-9]+)[-_]of[-_][0-9]+|(?:^|[-_. ])(?:part|shard|chunk)[-_. ]?(?:\*|[0-9]+))"
    + _UNIQUE
    + "(?=$|[-_.])",
    re.IGNORECASE,
)


def shard_pattern(name: str) -> tuple[str, int, int | None] | None:
    """Return the pattern of a shard's name, its number, and the number of shards if the name has it; None if no shard.

    Shards are called ``x-00000-of-00002``, ``x-part-0``, ``x.shard1`` and the like.
    """
    for form in (_OF, _PART):
        if found := form.match(name):
            begin, end = found.span("number")
            total = int(found["total"]) if "total" in found.groupdict() else None
            rest = _HASH.sub("-*", glob.escape(name[end:]), count=1) if total else glob.escape(name[end:])
            return f"{glob.escape(name[:begin])}*{rest}", int(found["number"]), total
    return None


def without_shard(stem: str) -> str:
    """Return the common name of shards, given a shard or their pattern."""
    plain = stem.removesuffix(")")
    if plain.endswith(NUMBERS):
        return plain.removesuffix(NUMBERS).rstrip("-_. (")
    return _COMMON.sub("", stem, count=1)


def join_numbered(files: Sequence[str]) -> list[str]:
    """Return the files, with training files that differ in a number alone replaced by their pattern.

    Such files are called train_0.csv, train_1.csv and so on, or 0.csv, 1.csv in a directory. They stay apart if other
    splits have the same numbers, as the folds of a cross-validation do.
    """
    groups: dict[tuple[str, str, str], dict[int, str]] = {}
    for file in files:
        path = Path(file)
        found = None if file.startswith(HUB) else _NUMBERED.fullmatch(path.name)
        if found and (not found["begin"] or split_of(pieces_of(found["begin"].rstrip("-_. ("))[-1])):
            groups.setdefault((str(path.parent), found["begin"], found["end"]), {})[int(found["number"])] = file
    patterns: dict[str, str] = {}
    for (parent, begin, end), own in groups.items():
        others = [numbers for (where, other, _), numbers in groups.items() if where == parent and other != begin]
        consecutive = sorted(own) in (list(range(len(own))), list(range(1, len(own) + 1)))
        if len(own) > 1 and consecutive and not any({*own} == {*numbers} for numbers in others):
            pattern = str(Path(parent) / f"{glob.escape(begin)}{NUMBERS}{glob.escape(end)}")
            _check_beside(pattern, list(own.values()))
            patterns |= dict.fromkeys(own.values(), pattern)
    return list(dict.fromkeys(patterns.get(file, file) for file in files))


def join_shards(files: Sequence[str]) -> list[str]:
    """Return the files, with the shards of each split replaced by their pattern.

    DataError if shards are missing, or if the pattern matches files that were not given.
    """
    joined: dict[str, list[tuple[int, str]]] = {}
    totals: dict[str, int | None] = {}
    for file in files:
        path = Path(file)
        found = None if file.startswith(HUB) else shard_pattern(path.name)
        pattern = str(path.parent / found[0]) if found else file
        joined.setdefault(pattern, []).append((found[1] if found else 0, file))
        totals[pattern] = found[2] if found else None
    return [_checked(pattern, shards, totals[pattern]) for pattern, shards in joined.items()]


def _checked(pattern: str, shards: Sequence[tuple[int, str]], total: int | None) -> str:
    given = [file for _, file in shards]
    if total is None and len(shards) == 1:
        return given[0]
    numbers = {number for number, _ in shards}
    if total is not None and len(numbers) < total:
        first = 1 if 0 not in numbers and total in numbers else 0
        lacking = sorted({*range(first, first + total)} - numbers)
        raise DataError(f"{given[0]}: {len(numbers)} of {total} shards are given; number {lacking[0]} is not")
    if len(shards) == 1:
        return given[0]
    if lacking := sorted({*range(min(numbers), max(numbers))} - numbers):
        raise DataError(f"{given[0]}: number {lacking[0]} of the parts up to {max(numbers)} is not given")
    _check_beside(pattern, given)
    return pattern


def _check_beside(pattern: str, given: Sequence[str]) -> None:
    """Raise DataError if a pattern matches a file that was not given."""
    beside = sorted({str(Path(file)) for file in glob.glob(pattern)} - {str(Path(file)) for file in given})
    if beside:
        raise DataError(f"{beside[0]}: looks like a part of the same split as {given[0]}, but is not given")
