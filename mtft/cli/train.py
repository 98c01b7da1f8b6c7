"""``mtft train``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import plain, print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.cli.plan import show_plan
from mtft.config.load import Loaded
from mtft.config.schema import TrainConfig
from mtft.io.text import epoch_name


@click.command("train")
@options_for(TrainConfig, resume="the run at PATH")
@click.option("--dry-run", is_flag=True, help="Only plan, as `mtft plan` does; write nothing.")
@json_option
@quiet_option
def command(loaded: Loaded[TrainConfig], resume: Path | None, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Fine-tune one encoder on several tasks at once.

    Selects the weights to train (unless --mask is given), trains all tasks together on the shuffled union of
    their datasets, and keeps the epoch with the best dev scores.

    \b
    Examples:
      mtft train --tasks sst,quora,sts --sample
      mtft train --tasks sst,quora,sts --data-dir data --epochs 2 --out runs/first
      mtft train --tasks sts --preset report-vanilla
      mtft train --resume runs/first
    """  # noqa: D301 - click reads the backspace
    if dry_run and resume:
        raise click.UsageError("--dry-run plans a new run; leave --resume out", click.get_current_context())
    if dry_run:
        show_plan(loaded, as_json=as_json, quiet=quiet)
        return
    from mtft.commands.train import train

    with open_context(loaded, quiet=quiet, shared=True) as context:
        result = train(loaded.config, context, resume)
    if as_json:
        print_json({**plain(result), "parameters": result.parameters.report()})
        return
    rows = [
        [task, name, value, result.baselines.get(task, {}).get(name)]
        for task, scores in result.dev.items()
        for name, value in scores.items()
    ]
    table(["task", "dev metric", "value", "baseline"], rows)
    counts = result.parameters
    if not quiet:
        best = epoch_name(result.best_epoch, result.best_cut_at)
        say(
            f"best epoch {best} of {result.epochs}; {counts.stored:,} parameters stored, {counts.tunable:,} tuned; "
            f"run: {result.path}"
        )
        say(f"to look at it: mtft report {shlex.quote(str(result.path))}")
