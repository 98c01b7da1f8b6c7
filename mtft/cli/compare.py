"""``mtft compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import CompareConfig
from mtft.errors import ConfigError

if TYPE_CHECKING:
    from mtft.commands.compare import ComparedColumn, Comparison


@click.command("compare")
@click.argument("groups", nargs=-1, required=True, metavar="NAME=RUN[,RUN...]...")
@options_for(CompareConfig)
@json_option
@quiet_option
def command(groups: tuple[str, ...], loaded: Loaded[CompareConfig], as_json: bool, quiet: bool) -> None:
    """Compare groups of finished runs: dev scores, stored and tunable parameters, bytes.

    A group is one run with all tasks, or several runs that cover them. Differences are from the first group, with
    95 % paired bootstrap intervals over the same dev examples. A sentence for each says whether it is more than noise,
    after Holm's correction for their number. The last lines name the rows and runs that the sentences hold for. A
    warning names groups whose epochs were chosen on these rows.

    With --seeds, runs that differ in their seed alone are one column: the mean, and in brackets the deviation over
    seeds. Intervals are then over rows and seeds. Runs may be named without a group. Records of `mtft experiment` can
    be compared like runs.

    \b
    Examples:
      mtft compare alone=runs/sst,runs/quora,runs/sts unified=runs/all
      mtft compare --seeds runs/plan/records/*
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.compare import compare

    with open_context(loaded, quiet=quiet) as context:
        config = loaded.config
        parsed = _parse(groups, bare=config.seeds)
        result = compare(parsed, context, resamples=config.resamples, half=config.half, seeds=config.seeds)
    if as_json:
        print_json(result)
    else:
        render(result)


def _parse(groups: tuple[str, ...], *, bare: bool) -> dict[str, list[Path]]:
    """Return the runs of each group; runs without a group, which may be `bare`, are grouped by what they share."""
    from mtft.runs.seed_groups import group_by_seed

    ungrouped = [Path(group) for group in groups if bare and "=" not in group]
    groups_by_name = group_by_seed(ungrouped)
    for group in groups:
        if bare and "=" not in group:
            continue
        name, equals, runs = group.partition("=")
        if not (name and equals and all(runs.split(","))):
            raise ConfigError(f"{group!r} is not NAME=RUN[,RUN...]")
        if name in groups_by_name:
            raise ConfigError(f"group {name!r} is given twice")
        groups_by_name[name] = [Path(run) for run in runs.split(",")]
    return groups_by_name


def render(result: Comparison) -> None:
    """Print the table of a comparison and its sentences."""
    rows: list[list[object]] = []
    for task, name in result.metrics.items():
        scores = [_score(column, task) for column in result.columns]
        rows.append([f"{task} {name} (n={result.examples[task]:,})", *scores, f"{result.baselines[task]:.4f}"])
    for label, key in (
        ("stored parameters", "stored"),
        ("tunable parameters", "tunable"),
        ("bytes of model files", "bytes"),
    ):
        rows.append([label, *(_number(column, result.columns[0], key) for column in result.columns), ""])
    sizes = [column.base_bytes for column in result.columns]
    rows.append(["bytes of base models", *("not found" if size is None else f"{size:,}" for size in sizes), ""])
    if any(column.seeds for column in result.columns):
        rows.append(["seeds", *(", ".join(map(str, column.seeds)) for column in result.columns), ""])
    table(["", *(column.name for column in result.columns), "baseline"], rows)
    for sentence in (*result.verdicts, *result.scope):
        click.echo(sentence)


def _score(column: ComparedColumn, task: str) -> str:
    text = f"{column.scores[task]:.4f}"
    if len(column.seeds) > 1:
        text += f" (s {column.deviations[task]:.4f})"
    if task not in column.differences:
        return text
    difference = column.differences[task]
    return f"{text} ({difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}])"


def _number(column: ComparedColumn, first: ComparedColumn, key: str) -> str:
    value, reference = getattr(column, key), getattr(first, key)
    share = "" if column is first else f" ({value / reference:.1%})"
    return f"{value:,}{share}"
