"""Progress of a command on stderr: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mtft.cli.console import rich_console
from mtft.cli.progress_text import time_left, where
from mtft.cli.streams import tell
from mtft.io.text import printable, worst_few

if TYPE_CHECKING:
    from mtft.plugin.context import Progress

EVALUATION = "evaluate"
"""The phase that comes again after every epoch."""


class Display(Protocol):
    """Shows what is done and what is left."""

    def show(self, at: Progress, details: str, left: float | None) -> None:
        """Show the position, `details` on it, and the seconds `left` if they are known."""

    def stop(self) -> None:
        """Show nothing more."""


class ProgressBar:
    """Progress of a run on stderr: a live bar on a terminal, elsewhere a line at each tenth and every `every` seconds.

    ``with ProgressBar(quiet=...) as progress: progress.update(at)``
    """

    def __init__(
        self, *, quiet: bool = False, every: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet, self._every, self._clock = quiet, every, clock
        self._display: Display | None = None
        self._counts: dict[str, _Count] = {}

    def __enter__(self) -> ProgressBar:
        if not self._quiet:
            self._display = self._new_display()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._display:
            self._display.stop()

    def update(self, at: Progress) -> None:
        """Show a position: its phase and epoch, the latest loss of each task, the speed, and the time that is left."""
        if self._display is None:
            return
        now = self._clock()
        count = self._counts.get(at.phase)
        if not count or at.step <= count.step or at.total != count.total:  # a new count begins
            count = self._counts[at.phase] = _Count(at.step, at.tokens, now, at.total)
        count.step = at.step
        losses = {task: f"{task} {loss:.4f}" for task, loss in at.losses.items()}
        parts = [worst_few(losses, at.losses, "losses")] if losses else []
        if at.tokens > count.first_tokens and now > count.start:
            parts.append(f"{(at.tokens - count.first_tokens) / (now - count.start):,.0f} tokens/s")
        self._display.show(at, printable("  ".join(parts)), count.left(now))

    def _new_display(self) -> Display:
        if console := rich_console(sys.stderr):
            from mtft.cli.bar import Bar

            return Bar(console)
        return _Lines(self._every, self._clock)


@dataclass
class _Count:
    """The steps of one phase: the first one that was shown, the latest one, and their total."""

    first: int
    first_tokens: int
    start: float
    total: int
    step: int = field(default=0)

    def left(self, now: float) -> float | None:
        """Return the seconds that the rest takes at the mean speed so far; None without a speed or a rest."""
        if not self.first < self.step < self.total:
            return None
        return (now - self.start) / (self.step - self.first) * (self.total - self.step)


class _Lines:
    """Plain lines: the first step, each tenth of the way, every `every` seconds, the last step.

    An evaluation has lines only where it takes more than `every` seconds.
    """

    def __init__(self, every: float, clock: Callable[[], float]) -> None:
        self._every, self._clock = every, clock
        self._tenths: dict[tuple[str, int], int] = {}
        self._last = clock()

    def show(self, at: Progress, details: str, left: float | None) -> None:
        now, tenth, key = self._clock(), 10 * at.step // max(at.total, 1), (at.phase, at.total)
        due = tenth != self._tenths.get(key) or at.step == at.total
        if now - self._last < self._every and (not due or at.phase == EVALUATION):
            return
        self._tenths[key], self._last = tenth, now
        head = f"{where(at)}: " if where(at) else ""
        tell(f"{head}{'  '.join(filter(None, [f'{at.unit} {at.step}/{at.total}', details, time_left(left)]))}")

    def stop(self) -> None:
        """Nothing is open."""
