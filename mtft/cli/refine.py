"""``mtft refine``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import RefineConfig
from mtft.errors import ConfigError
from mtft.runtime import processes


@click.command("refine")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@options_for(RefineConfig, resume="the refinement at PATH")
@json_option
@quiet_option
def command(run: Path | None, loaded: Loaded[RefineConfig], resume: Path | None, as_json: bool, quiet: bool) -> None:
    """Train heads of RUN further, one at a time, with the encoder and the other heads frozen.

    A head is replaced only if its dev metric improves. RUN is not changed; the result is a new run.

    \b
    Examples:
      mtft refine runs/unified --tasks sst,quora,sts --out runs/refined
      mtft refine --resume runs/refined
    """  # noqa: D301 - click reads the backspace
    if processes.size() > 1:
        raise ConfigError("mtft refine trains one small head at a time, in one process: start it without torchrun")
    from mtft.commands.refine import refine

    with open_context(loaded, quiet=quiet) as context:
        result = refine(run, loaded.config, context, resume)
    if as_json:
        print_json(result)
        return
    rows = [
        [task, name, result.before[task][name], value, "new" if task in result.kept else "as before"]
        for task, scores in result.after.items()
        for name, value in scores.items()
    ]
    table(["task", "dev metric", "before", "after", "head"], rows)
    if not quiet:
        say(f"run: {result.path}")
        say(f"to look at it: mtft report {shlex.quote(str(result.path))}")
