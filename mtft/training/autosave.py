"""Save the state of a run when it is due, and stop the run within one step on a signal or at a time limit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from mtft.config.values import period, seconds
from mtft.errors import MtftError, setting
from mtft.io.disk import stops_when_full
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.notices import Notify, silent

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedError(MtftError):
    """The time given as `max_time` is over; the run can be resumed."""

    exit_code = 4


class Autosaver:
    """Saves when it is due and before a requested stop; all processes of a `group` do so after the same step.

        `every` is a number of steps ("200") or a time ("10m"), `most` the time that the run may take. `hint` says in
    errors and notices how to continue.
    """

    def __init__(self, every: str, most: str | None, hint: str, group: Group = ALONE, notify: Notify = silent) -> None:
        self.steps, self.seconds = period(every)
        self.most = None if most is None else seconds(most)
        self.hint, self.group, self.notify = hint, group, notify
        self._signal = 0
        self._start = self._saved = time.monotonic()
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Delay the first signal until the step is done; a second one acts at once."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            with stops_when_full(self.hint):
                yield
        finally:
            self._unwatch()

    def after_step(self, number: int, save: Callable[[], None], *, saved: bool = False) -> None:
        """Save if it is due after step `number`, and stop if requested; `saved` means that it was just saved."""
        now = time.monotonic()
        due = number % self.steps == 0 if self.steps else now - self._saved >= self.seconds
        if due and not saved:
            self._save(save)
        if saved or due:
            self._saved = now
        self.stop_if_asked(f"after step {number}", save, saved=saved or due)

    def stop_if_asked(self, when: str, save: Callable[[], None], *, saved: bool = False) -> None:
        """If a stop was requested, save unless that was just done, and raise; the error says `when`."""
        asked = self._asked()
        if asked and not saved:
            self._save(save)
        if asked in SIGNALS:
            self.notify("info", f"stopped {when}; {self.hint}")
            self._unwatch()
            signal.raise_signal(asked)
        if asked:
            raise StoppedError(f"stopped by {setting('max_time')} {when}; {self.hint}")

    def _save(self, save: Callable[[], None]) -> None:
        with stops_when_full(self.hint):  # the caller, which may be a plugin's score, sees an error of mtft
            save()

    def end_if_asked(self) -> None:
        """Stop at once on a signal: several processes cannot save together between two steps."""
        if self._signal and self.group.size > 1:
            self._unwatch()
            signal.raise_signal(self._signal)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._signal:
            self._unwatch()
            signal.raise_signal(number)
        self._signal = number

    def _unwatch(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _asked(self) -> int:
        """Return the signal that any process received, -1 if the time is over, else 0."""
        over = self.most is not None and time.monotonic() - self._start >= self.most
        asked = [*(self._signal == number for number in SIGNALS), over]
        if self.group.size > 1:
            asked = self.group.sum(torch.tensor(asked, dtype=torch.int64)).bool().tolist()
        return next((number for number, yes in zip((*SIGNALS, -1), asked, strict=True) if yes), 0)
