"""Single lines of TOML with a comment after the value, for files that people read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import tomli_w

from mtft.io.text import printable

COLUMN = 44
"""Column at which comments begin, after short values."""


def toml_line(key: str, value: Any, comment: str = "") -> str:
    """Write one key on one line."""
    text = f"{key} = {toml_value(value)}"
    return f"{text.ljust(COLUMN)}  # {one_line(comment)}" if comment else text


def toml_value(value: Any) -> str:
    """Write a value on one line: tables and lists inline, paths as text, decimals as numbers."""
    if isinstance(value, Mapping):
        pairs = [f"{_key(str(key))} = {toml_value(item)}" for key, item in value.items()]
        return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, PurePath):
        value = str(value)
    text = tomli_w.dumps({"x": float(value) if isinstance(value, Decimal) else value}).removeprefix("x = ").rstrip("\n")
    return "".join(
        _escaped(sign) if not (sign.isprintable() or "\ud800" <= sign <= "\udfff") else sign for sign in text
    )


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def _escaped(sign: str) -> str:
    """Return an invisible character as its code."""
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def one_line(text: str) -> str:
    """Return a text as one line for a comment."""
    return " ".join(printable(text).split())
