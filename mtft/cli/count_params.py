"""``mtft count-params``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, table
from mtft.cli.flags import flag
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import CountConfig


@click.command("count-params")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@options_for(CountConfig)
@json_option
@quiet_option
def command(run: Path | None, loaded: Loaded[CountConfig], as_json: bool, quiet: bool) -> None:
    """Count the parameters that a model stores, and those that training may change.

    Counts those of a finished RUN, or of a plan (--model NAME --tasks ... --keep ...), which needs no weights. The
    ratios compare with one fully tuned individual model per task: with the same heads, and as bare encoders.

    \b
    Examples:
      mtft count-params runs/unified
      mtft count-params --model bert-base-uncased --tasks sst,quora,sts --keep 0.3
    """  # noqa: D301 - click reads the backspace
    from mtft.training.count import count_plan, count_run

    given = [flag(key) for key, origin in loaded.origins.items() if origin.startswith(("flag ", "--set"))]
    if run and (foreign := set(given) - {"--tasks"}):
        raise click.UsageError(f"{', '.join(sorted(foreign))}: {run} has its own", click.get_current_context())
    if run:
        counts = count_run(run, loaded.config.tasks)
    else:
        with open_context(loaded, quiet=quiet) as context:
            counts = count_plan(loaded.config, context)
    if as_json:
        print_json(counts.report())
        return
    rows = [["encoder", f"{counts.encoder:,}", f"{counts.selected:,}"]]
    rows += [[f"head {task}", f"{size:,}", f"{size:,}"] for task, size in counts.heads.items()]
    table(["part", "stored", "tunable"], [*rows, ["all", f"{counts.stored:,}", f"{counts.tunable:,}"]])
    print()
    ratios = counts.ratios()
    names = {"individuals_with_same_heads": "individual models with the same heads", "bare_encoders": "bare encoders"}
    table(
        [f"share of {len(counts.heads)}", "stored", "tunable"],
        [[text, f"{ratios[f'stored_to_{k}']:.1%}", f"{ratios[f'tunable_to_{k}']:.1%}"] for k, text in names.items()],
    )
