"""``mtft merge``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import MergeConfig


@click.command("merge")
@click.argument("run", type=click.Path(path_type=Path))
@options_for(MergeConfig)
@json_option
@quiet_option
def command(run: Path, loaded: Loaded[MergeConfig], as_json: bool, quiet: bool) -> None:
    """Write the encoder of RUN, with the trained values, as a model directory in Hugging Face form.

    transformers loads it (AutoModel.from_pretrained), and so does --model of mtft. The heads are not included.

    \b
    Example:
      mtft merge runs/unified --out encoder
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.merge import merge

    with open_context(loaded, quiet=quiet) as context:
        result = merge(run, loaded.config, context)
    if as_json:
        print_json(result)
        return
    if not quiet:
        say(f"{result.changed:,} of {result.parameters:,} weights differ from the base model; heads are not in it")
    click.echo(result.path)
