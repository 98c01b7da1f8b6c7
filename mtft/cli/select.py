"""``mtft select``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import SelectConfig
from mtft.errors import FinishedError

if TYPE_CHECKING:
    from mtft.commands.select import SelectResult


def or_finished(command: Callable[..., None]) -> Callable[..., None]:
    """Make the command show a finished mask when asked to resume it; its settings no longer exist on disk."""

    @functools.wraps(command)
    def wrapped(resume: Path | None, as_json: bool, quiet: bool, **given: Any) -> None:
        try:
            command(resume=resume, as_json=as_json, quiet=quiet, **given)
        except FinishedError as error:
            if resume is None:
                raise
            from mtft.commands.select import finished_mask

            model = given["model"] or SelectConfig.model_fields["model"].default
            with open_context(quiet=quiet) as context:
                context.notify("info", str(error))
                show(finished_mask(resume, model, context), as_json=as_json, quiet=quiet)

    return wrapped


@click.command("select")
@or_finished
@options_for(SelectConfig, resume="the mask that was to be at PATH")
@json_option
@quiet_option
def command(loaded: Loaded[SelectConfig], resume: Path | None, as_json: bool, quiet: bool) -> None:
    """Rank the encoder's weights on the training data and write those to tune as a mask file.

    Prints the share kept per layer and per kind of tensor.

    \b
    Examples:
      mtft select --tasks sst,sts --keep 0.1 --out mask.safetensors
      mtft train --tasks sst,sts --mask mask.safetensors
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.select import select

    with open_context(loaded, quiet=quiet, shared=True) as context:
        result = select(loaded.config, context, resume)
    show(result, as_json=as_json, quiet=quiet)


def show(result: SelectResult, *, as_json: bool, quiet: bool) -> None:
    """Print a mask's shares."""
    if as_json:
        print_json(result)
        return
    table(["part", "share kept"], [*result.layers.items(), *result.kinds.items()])
    if not quiet:
        say(f"{result.selected:,} of {result.total:,} encoder weights selected; mask: {result.path}")
