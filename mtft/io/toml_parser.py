"""Parse TOML: by the standard library from Python 3.11 on, by tomli before."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 11):
    from tomllib import loads as parse
else:
    from tomli import loads as parse

MOST_PARTS = 500
"""Parts of a dotted key; the parsers need memory that grows with the square of their number."""

_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")


def loads(text: str, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return the tables of a text; ValueError if it is not TOML, or has a key of more than 500 parts."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_PARTS and _QUOTED.sub("", line).count(".") > MOST_PARTS:
            raise ValueError(f"line {number}: a key of more than {MOST_PARTS} parts")
    return parse(text, parse_float=parse_float)
