"""``mtft select``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import SelectConfig


@click.command("select")
@options_for(SelectConfig, resume="the selection of the mask PATH")
@json_option
@quiet_option
def command(loaded: Loaded[SelectConfig], resume: Path | None, as_json: bool, quiet: bool) -> None:
    """Rank the encoder's weights on the training data and write a mask file of the weights to train.

    Prints the share kept per layer and per kind of tensor.

    \b
    Examples:
      mtft select --tasks sst,sts --keep 0.1 --out mask.safetensors
      mtft train --tasks sst,sts --mask mask.safetensors
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.select import select

    with open_context(loaded, quiet=quiet, shared=True) as context:
        result = select(loaded.config, context, resume)
    if as_json:
        print_json(result)
        return
    table(["part", "share kept"], [*result.layers.items(), *result.kinds.items()])
    if not quiet:
        say(f"{result.selected:,} of {result.total:,} encoder weights selected; mask: {result.path}")
