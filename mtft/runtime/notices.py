"""What a command says to its user while it works: a level and a text, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Level = Literal["info", "warning"]
"""How serious a notice is; the names are those of the methods of `logging.Logger`."""

Notify = Callable[[Level, str], None]
"""Receives a notice: its level, and a line of text in which nothing speaks of the level."""

Notice = tuple[Level, str]
"""A notice that is kept until somebody can show it."""


def silent(_level: Level, _text: str) -> None:
    """Show nothing."""
