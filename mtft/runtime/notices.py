"""Notices of a running command to its user: a level and a text; the caller shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Level = Literal["info", "warning"]
"""How serious a notice is; the names are those of the methods of `logging.Logger`."""

Notify = Callable[[Level, str], None]
"""Receives a notice: its level, and a line of text that does not mention the level."""

Notice = tuple[Level, str]
"""A notice that is kept until it can be shown."""


def silent(_level: Level, _text: str) -> None:
    """Show nothing."""
