"""Services for commands: the plugins, and messages and progress to stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mtft.cli.console import Progress as Display
from mtft.cli.console import say
from mtft.cli.main import VERBOSE
from mtft.config.toml import toml_value

if TYPE_CHECKING:
    from mtft.config.load import Loaded
    from mtft.workflows.services import Progress, Services


@contextmanager
def open_services(loaded: Loaded[Any] | None = None, *, quiet: bool) -> Iterator[Services]:
    """Give services that know the tasks declared in settings and speak on stderr; with `quiet` they say nothing.

    Of several processes that ``torchrun`` started the first one speaks and prints, the others only tell errors.
    """
    from mtft.distributed import joined
    from mtft.workflows.services import services

    start, last = (0.0, 0), 0
    with joined() as group, Display(quiet=quiet or not group.first) as display:
        if not group.first:
            quiet, sys.stdout = True, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends

        def progress(at: Progress) -> None:
            nonlocal start, last
            now = time.monotonic()
            if not last or at.step <= last:  # a new count begins
                start = now, at.tokens
            last = at.step
            rate = (at.tokens - start[1]) / (now - start[0]) if now > start[0] else None
            display.update(at.step, at.total, at.losses, rate, at.unit)

        if loaded and group.first and click.get_current_context().meta.get(VERBOSE):
            _say_origins(loaded)
        declared, place = {}, ""
        if loaded and "declared" in loaded.origins:
            declared, place = loaded.config.declared, loaded.origins["declared"].removeprefix("file ")
        yield services((lambda text: None) if quiet else say, progress, declared, place, group)


def _say_origins(loaded: Loaded[Any]) -> None:
    """Say which settings are no defaults, and where they come from."""
    for key, origin in loaded.origins.items():
        if origin != "default" and key != "declared":
            say(f"{key} = {toml_value(getattr(loaded.config, key))}  ({origin})")
