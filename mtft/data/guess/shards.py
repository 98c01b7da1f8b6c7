"""Recognise files that are shards of one split by their names, and join them into one pattern."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from mtft.data.formats import HUB
from mtft.errors import DataError

_OF = re.compile(r"(?:^|.*[-_. ])(?P<number>[0-9]+)[-_]of[-_](?P<total>[0-9]+)(?=$|[-_.])", re.IGNORECASE)
_PART = re.compile(r"(?:^|.*[-_. ])(?:part|shard|chunk)[-_. ]?(?P<number>[0-9]+)(?=$|[-_.])", re.IGNORECASE)
_UNIQUE = r"(?:-[0-9a-f]{8}-[0-9a-f-]{27}.*)?"
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
            return f"{glob.escape(name[:begin])}*{glob.escape(name[end:])}", int(found["number"]), total
    return None


def without_shard(stem: str) -> str:
    """Return the common name of shards, given a shard or their pattern."""
    return _COMMON.sub("", stem, count=1)


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
    beside = sorted({str(Path(file)) for file in glob.glob(pattern)} - {str(Path(file)) for file in given})
    if beside:
        raise DataError(f"{beside[0]}: looks like a part of the same split as {given[0]}, but is not given")
    return pattern
