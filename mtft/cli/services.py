"""Services for commands: the plugins, and messages and progress to stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mtft.cli.console import Progress as Display
from mtft.cli.console import say
from mtft.workflows.services import Progress, Services, services


@contextmanager
def open_services(*, quiet: bool) -> Iterator[Services]:
    """Give services that speak on stderr; with `quiet` they say nothing."""
    started: list[float] = []
    with Display(quiet=quiet) as display:

        def progress(at: Progress) -> None:
            started[:] = started or [time.monotonic() - 1e-9]
            rate = at.tokens / (time.monotonic() - started[0]) if at.step > 1 else None
            display.update(at.step, at.total, at.losses, rate)

        yield services(notify=(lambda text: None) if quiet else say, progress=progress)
