"""A cleaned copy of a file: bad rows are left out, all other bytes stay the same, and a diff shows the change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from mtft.data.audit.scan import Scan

CONTEXT = 3
"""Context lines of a diff."""


def without_rows(scan: Scan, lines: Set[int]) -> bytes:
    """Return a file's bytes without the rows that begin at these lines (from 1)."""
    kept, at = [], 0
    for row in scan.rows:
        if row.line in lines:
            kept.append(scan.data[at : row.begin])
            at = row.end
    kept.append(scan.data[at:])
    return b"".join(kept)


def deletion_diff(name: str, scan: Scan, lines: Set[int]) -> bytes:
    """Return a unified diff from a file to its copy without the rows that begin at these lines; empty without any.

    If rows end inside a line of the diff (files whose lines end in a bare carriage return), it replaces all lines.
    """
    texts = re.findall(rb"[^\n]*\n|[^\n]+", scan.data)
    spans = [(row.begin, row.end) for row in scan.rows if row.line in lines]
    if not spans:
        return b""
    gone = _whole_lines(texts, spans)
    head = b"--- a/%b\n+++ b/%b\n" % (name.encode("utf-8", "replace"), name.encode("utf-8", "replace"))
    if gone is None:
        after = re.findall(rb"[^\n]*\n|[^\n]+", without_rows(scan, lines))
        body = [_marked(b"-", text) for text in texts] + [_marked(b"+", text) for text in after]
        return head + _range(1, len(texts), min(1, len(after)), len(after)) + b"".join(body)
    return head + b"".join(_hunks(texts, gone))


def _whole_lines(texts: list[bytes], spans: list[tuple[int, int]]) -> list[int] | None:
    """Return the lines covered by spans of bytes, None if a line is only partly covered."""
    gone, begin, waiting = [], 0, iter(spans)
    span = next(waiting, None)
    for number, text in enumerate(texts):
        end = begin + len(text)
        if span and span[0] < end:
            if span[0] > begin or span[1] < end:
                return None
            gone.append(number)
            if span[1] == end:
                span = next(waiting, None)
        begin = end
    return gone


def _hunks(texts: list[bytes], gone: list[int]) -> Iterator[bytes]:
    groups: list[list[int]] = []
    for number in gone:
        if groups and number - groups[-1][-1] <= 2 * CONTEXT + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    removed = 0
    for group in groups:
        begin, end = max(group[0] - CONTEXT, 0), min(group[-1] + 1 + CONTEXT, len(texts))
        members, left = set(group), end - begin - len(group)
        yield _range(begin + 1, end - begin, begin + 1 - removed if left else begin - removed, left)
        for number in range(begin, end):
            yield _marked(b"-" if number in members else b" ", texts[number])
        removed += len(group)


def _range(old: int, old_count: int, new: int, new_count: int) -> bytes:
    return b"@@ -%d,%d +%d,%d @@\n" % (old, old_count, new, new_count)


def _marked(mark: bytes, text: bytes) -> bytes:
    return mark + text + (b"" if text.endswith(b"\n") else b"\n\\ No newline at end of file\n")
