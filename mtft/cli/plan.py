"""``mtft plan``, and what ``mtft train --dry-run`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import duration, print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import TrainConfig
from mtft.config.values import size_text

if TYPE_CHECKING:
    from mtft.commands.plan import PlanResult


@click.command("plan")
@options_for(TrainConfig)
@json_option
@quiet_option
def command(loaded: Loaded[TrainConfig], as_json: bool, quiet: bool) -> None:
    """Estimate what `mtft train` with the same options needs, without training.

    Counts parameters, bytes on disk, steps and tokens, estimates the peak memory of each phase, and times a few
    real steps. Without data files, only figures that need none are shown.

    \b
    Examples:
      mtft plan --tasks sst,quora,sts --sample
      mtft plan --tasks sst,sts --model bert-base-uncased --max-memory 5G
    """  # noqa: D301 - click reads the backspace
    show_plan(loaded, as_json=as_json, quiet=quiet)


def show_plan(loaded: Loaded[TrainConfig], *, as_json: bool, quiet: bool) -> None:
    """Plan and print."""
    from mtft.commands.plan import plan

    with open_context(loaded, quiet=quiet) as context:
        result = plan(loaded.config, context)
    if as_json:
        print_json(result.report())
        return
    table(["what", "how much"], rows(result))
    if result.missing and not quiet:
        say(f"{result.missing[0]}: no such file; memory, steps, tokens and time need the data")


def rows(plan: PlanResult) -> list[list[str]]:
    """Return the lines of the table."""
    counts, disk, memory, work, seconds = plan.parameters, plan.disk, plan.memory, plan.work, plan.seconds
    rows = [
        ["parameters stored", f"{counts.stored:,}"],
        ["parameters tuned", f"{counts.tunable:,}"],
        ["optimizer state", f"2 x {counts.tunable:,} numbers"],
        ["best model on disk", size_text(disk.model)],
        ["state to resume on disk", size_text(disk.state)],
        ["disk needed at most", f"{size_text(disk.needed)} of {size_text(plan.free['disk'])} free"],
    ]
    if memory:
        rows += [[f"memory to {phase}", size_text(size)] for phase, size in memory.phases.items()]
        available = size_text(plan.free["memory"])
        rows.append(["peak memory", f"{size_text(memory.peak)} of {available} available"])
        rows.append(["tokens of a micro-batch", f"{memory.micro_batch_tokens:,}"])
    if work:
        rows.append(["steps", f"{work.steps:,}"])
        rows += [[f"tokens to {phase}", f"{tokens:,}"] for phase, tokens in work.tokens.items()]
    if seconds:
        rows += [[f"time to {phase}", duration(spent)] for phase, spent in seconds.items()]
        rows.append(["time in all", duration(sum(seconds.values()))])
    return rows
