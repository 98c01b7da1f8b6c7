"""The context of commands: the plugins, and notices and progress on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from mtft.cli.console import say, show_notice
from mtft.cli.main import VERBOSE
from mtft.cli.progress import ProgressBar
from mtft.config.toml import toml_value
from mtft.runtime import processes

if TYPE_CHECKING:
    from mtft.config.load import Loaded
    from mtft.plugin.context import Context


IDLE = timedelta(days=7)
"""How long worker processes wait for work."""


@contextmanager
def open_context(
    loaded: Loaded[Any] | None = None, *, quiet: bool, shared: bool = False, serving: bool = False
) -> Iterator[Context]:
    """Yield a context with the tasks declared in settings; it prints notices on stderr, unless `quiet`.

    The processes that ``torchrun`` started share the work of a `shared` command; with `serving` they wait long for it.
    Any other command runs only in the first process. Only the first one prints, and continues after the block.
    """
    if not shared and processes.rank():
        raise click.exceptions.Exit(0)
    from mtft.config.load import declared_tasks
    from mtft.plugin.context import new_context
    from mtft.runtime.distributed import ALONE, PATIENCE, joined
    from mtft.runtime.notices import silent

    joining = joined(IDLE if serving else PATIENCE) if shared else nullcontext(ALONE)
    with joining as group, ProgressBar(quiet=quiet or not group.first) as display:
        if loaded and group.first and click.get_current_context().meta.get(VERBOSE):
            _say_origins(loaded)
        declared, file = declared_tasks(loaded) if loaded else ({}, "")
        opened = new_context(silent if quiet or not group.first else show_notice, display.update, declared, file, group)
        with opened.provenance.attribute_errors():
            yield opened
    if not group.first:
        raise click.exceptions.Exit(0)


def _say_origins(loaded: Loaded[Any]) -> None:
    """Print the settings that are not defaults, and where they come from."""
    for key, origin in loaded.origins.items():
        if origin != "default" and key != "declared":
            say(f"{key} = {toml_value(getattr(loaded.config, key))}  ({origin})")
