"""Make texts and values safe to show, and list the names that tasks must not have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

RESERVED = ("all", "none", "id", "truncated", "error")
"""Words with a meaning of their own in the settings `tasks` and `augment`, and other keys of a prediction."""

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Escape what could steer a terminal or reorder a line: control characters except tab and newline."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def epoch_name(epoch: object, cut_at: object) -> str:
    """Name an epoch, and the step that it ended with if it was cut short there."""
    return f"{epoch} (to step {cut_at})" if cut_at else f"{epoch}"


def worst_few(texts: Mapping[str, str], badness: Mapping[str, float], what: str, most: int = 6) -> str:
    """Join the texts of tasks on one line; of more than `most`, those of the highest badness, nan first."""
    if len(texts) <= most:
        return "  ".join(texts.values())
    worst = sorted(texts, key=lambda task: -math.inf if math.isnan(badness[task]) else -badness[task])[:most]
    return f"worst {most} of {len(texts)} {what}: {'  '.join(texts[task] for task in worst)}"


def show(value: Any) -> str:
    """Return a value as a user would write it: text quoted, true and false, no names of Python types; cut when long."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "a value too long to show"
    text = str(value) if isinstance(value, Decimal | PurePath) else printable(text)
    return text if len(text) <= 80 else f"{text[:77]}..."
