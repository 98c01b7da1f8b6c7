"""``mtft eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import EvalConfig
from mtft.errors import GateError

if TYPE_CHECKING:
    from mtft.commands.evaluate import EvalResult


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path))
@options_for(EvalConfig)
@json_option
@quiet_option
def command(run: Path, loaded: Loaded[EvalConfig], as_json: bool, quiet: bool) -> None:
    """Score RUN on a split, with 95 % bootstrap intervals; with --json also confusion and calibration.

    The baseline is what the best constant answer scores: the most frequent class, or the mean. A warning names a task
    whose score is not above it, or whose model gives the same answer to every row.

    Each score on test is counted in the run: the more often test decides, the less its scores mean.

    With --fail-under, a score below its limit gives exit code 3.

    \b
    Examples:
      mtft eval runs/unified --data-dir data
      mtft eval runs/unified --split test --json > test.json
      mtft eval runs/unified --fail-under sts.pearson=0.8,sst.accuracy=0.45
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.evaluate import evaluate
    from mtft.runs.looks import looks_text

    with open_context(loaded, quiet=quiet, shared=True) as context:
        result = evaluate(run, loaded.config, context)
    try:
        if as_json:
            print_json(result)
        else:
            _render(result)
            if result.looks and not quiet:
                say(looks_text(result.looks))
    finally:  # a reader that closed the pipe must not open the gate
        if result.failures:
            raise GateError("; ".join(result.failures))


def _render(result: EvalResult) -> None:
    rows = [
        [task, evaluation.n, name, score.value, score.low, score.high, score.baseline]
        for task, evaluation in result.tasks.items()
        for name, score in evaluation.metrics.items()
    ] + [
        [task, evaluation.n, "calibration error", evaluation.calibration["ece"], None, None, None]
        for task, evaluation in result.tasks.items()
        if evaluation.calibration
    ]
    table(["task", "n", f"{result.split} metric", "value", "low", "high", "baseline"], rows)
