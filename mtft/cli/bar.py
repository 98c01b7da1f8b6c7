"""The live bar of a command on a terminal: phase, epoch, steps and time left on one line, losses below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mtft.cli.progress_text import time_left, where

if TYPE_CHECKING:
    from mtft.plugin.context import Progress

GAP = 2
"""Spaces between the parts of a line."""

LONGEST, SHORTEST = 40, 5
"""Columns of the bar; where there is less room, there is no bar."""


class Bar:
    """A live bar; it shares its console with `say`, whose messages appear above it. It is removed at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: RenderableType = Text("")
        self._live = Live(
            console=console,
            get_renderable=lambda: self._shown,
            refresh_per_second=10,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def show(self, at: Progress, details: str, left: float | None) -> None:
        self._shown = bar(at, details, left, self._console.width)

    def stop(self) -> None:
        self._live.stop()


def bar(at: Progress, details: str, left: float | None, width: int) -> RenderableType:
    """Return the lines of a bar for a terminal of this width; what does not fit is cut, the losses first."""
    unit = f"{at.unit}s" if at.unit.islower() else at.unit  # KiB stays
    texts = [where(at), f"{at.step:,}/{at.total:,} {unit}", time_left(left)]
    room = min(width - 1 - sum(len(text) + GAP for text in texts if text), LONGEST)
    parts: list[RenderableType] = [Text(text, no_wrap=True, overflow="ellipsis") for text in texts if text]
    if room >= SHORTEST:
        parts.insert(1 if texts[0] else 0, ProgressBar(total=max(at.total, 1), completed=at.step, width=room))
    line = Table.grid(padding=(0, GAP, 0, 0))
    line.add_row(*parts)
    return Group(line, Text(details, no_wrap=True, overflow="ellipsis")) if details else line
