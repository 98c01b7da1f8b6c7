"""Texts from anywhere, made harmless to show, and the names that none may become."""

from __future__ import annotations

import re

RESERVED = ("all", "none", "id", "truncated", "error")
"""Words that the settings `tasks` and `augment` take for themselves, and keys of a prediction beside its tasks'."""

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Escape what could steer a terminal or reorder a line: control characters except tab and newline."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
