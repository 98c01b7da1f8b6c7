"""References from one run of a plan to another: ``run:NAME`` or ``run:NAME/FILE`` in the place of a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from mtft.runs.artifact import MASK

PREFIX = "run:"
_FORM = re.compile(r"run:([^/]+)((?:/.*)?)")


def references(value: Any) -> Iterator[str]:
    """Yield the names of the runs that a setting's value refers to."""
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str | PurePath) and (match := _FORM.fullmatch(str(text))):
            yield match[1]


def replaced(value: Any, rename: Callable[[str], str]) -> Any:
    """Return a value in which each reference `run:NAME/FILE` has become `rename(NAME)` and `/FILE`."""
    if isinstance(value, list | tuple):
        return type(value)(replaced(item, rename) for item in value)
    if isinstance(value, str | PurePath) and (match := _FORM.fullmatch(str(value))):
        text = f"{rename(match[1])}{match[2]}"
        return text if isinstance(value, str) else Path(text)
    return value


def with_file(key: str, value: Any) -> Any:
    """Return a value in which a run in the place of a mask has become its mask file."""
    if key == "mask" and isinstance(value, str) and (match := _FORM.fullmatch(value)) and not match[2].strip("/"):
        return f"{PREFIX}{match[1]}/{MASK}"
    return value
