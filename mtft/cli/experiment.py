"""``mtft experiment``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtft.cli.command_context import open_context
from mtft.cli.compare import render as render_comparison
from mtft.cli.console import duration, print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import ExperimentConfig
from mtft.config.values import size_text
from mtft.errors import ConfigError, MtftError
from mtft.runtime import processes

if TYPE_CHECKING:
    from mtft.commands.experiment import ExperimentResult, RunStatus


class _StoppedRunsError(MtftError):
    """Runs were stopped by their `max_time`."""

    exit_code = 4


@click.command("experiment")
@click.argument("plan", type=click.Path(path_type=Path), required=False, metavar="PLAN.toml")
@options_for(ExperimentConfig)
@click.option("--dry-run", is_flag=True, help="Only list the runs that are due, in order, with estimates.")
@json_option
@quiet_option
def command(plan: Path | None, loaded: Loaded[ExperimentConfig], dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Make the runs of a plan: several at once, each with a log, and a record of each without its weights.

    The same command goes on where it stopped. Ctrl-C saves the runs in progress. A run that fails stops only those
    that need it; the exit code is then 1. With --baselines RUN and no plan, each task of RUN is trained alone with the
    same settings, and a sentence says whether training together helped it.

    \b
    Examples:
      mtft experiment plan.toml --dry-run
      mtft experiment plan.toml --jobs auto --out runs/plan
      mtft experiment --baselines runs/unified
    """  # noqa: D301 - click reads the backspace
    if processes.size() > 1:
        raise ConfigError("mtft experiment starts processes by itself: start it without torchrun")
    from mtft.commands.experiment import experiment

    with open_context(loaded, quiet=quiet) as context:
        result = experiment(plan, loaded.config, context, dry_run=dry_run)
    if as_json:
        print_json(result)
    else:
        _render(result, dry_run=dry_run)
    if not (dry_run or quiet):
        say(f"records: {result.path / 'records'}")
    if result.failed:
        raise MtftError(
            f"{len(result.failed)} of {len(result.runs)} runs failed or were skipped: {', '.join(result.failed)}"
        )
    if result.stopped:
        raise _StoppedRunsError(f"{', '.join(result.stopped)} stopped by --max-time; the same command goes on")


def _render(result: ExperimentResult, *, dry_run: bool) -> None:
    if not dry_run:
        table(["run", "state"], [[run.name, run.state] for run in result.runs])
    else:
        table(["run", "state", "needs", "tokens", "time", "memory"], [_estimated(run) for run in result.runs])
        seconds = [run.estimate.seconds for run in result.runs if run.estimate and run.estimate.seconds]
        say(f"{len(result.runs)} runs are due; {duration(sum(seconds))} of training in those that could be estimated")
        for run in result.runs:
            if run.estimate and run.estimate.problem:
                say(f"{run.name}: no estimate: {run.estimate.problem}")
    if result.comparison:
        render_comparison(result.comparison)
    for sentence in result.advice:
        click.echo(sentence)


def _estimated(run: RunStatus) -> list[str]:
    """Return a row of the list: estimates that are unknown are empty."""
    estimate = run.estimate
    tokens = f"{estimate.tokens:,}" if estimate and estimate.tokens is not None else ""
    time = duration(estimate.seconds) if estimate and estimate.seconds is not None else ""
    memory = size_text(estimate.memory) if estimate and estimate.memory is not None else ""
    return [run.name, run.state, ", ".join(run.needs), tokens, time, memory]
