"""The words of a command's progress: phase, epoch and time left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtft.cli.console import duration
from mtft.io.text import printable

if TYPE_CHECKING:
    from mtft.plugin.context import Progress


def where(at: Progress) -> str:
    """Return the phase and the epoch, as in "train, epoch 2 of 3"; "" without both."""
    return ", ".join(filter(None, [printable(at.phase), f"epoch {at.epoch} of {at.epochs}" if at.epochs else ""]))


def time_left(seconds: float | None) -> str:
    """Return the time that is left, as in "about 3:10 left" (minutes and seconds, with hours if needed)."""
    return f"about {duration(seconds).removeprefix('0:').removeprefix('0')} left" if seconds is not None else ""
