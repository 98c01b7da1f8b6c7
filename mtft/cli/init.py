"""``mtft init``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table, warn
from mtft.cli.options import json_option, quiet_option, settings_of
from mtft.config.schema import InitConfig
from mtft.data.guess.doubts import READINGS, Doubt, decisions_of


@click.command("init")
@click.option(
    "--from",
    "first",
    metavar="FILE...",
    multiple=True,
    type=click.Path(),
    help="Files of your own: .csv, .tsv, .jsonl, .parquet, or hub:NAME[@CONFIGURATION]:SPLIT.",
)
@click.argument("more", nargs=-1, type=click.Path(), metavar="[FILE...]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path("run.toml"),
    show_default=True,
    help="Settings file to write, which must not be there; - prints it instead.",
)
@click.option(
    "--read",
    "read",
    metavar="COLUMN=READING",
    multiple=True,
    help=f"How a column is read: {', '.join(READINGS)}.",
)
@click.option(
    "--split", "splits", metavar="FILE=SPLIT", multiple=True, help="Which split a file is: train, dev or test."
)
@click.option("--missing", metavar="LABEL", multiple=True, help="A label that stands for no label, as in NA.")
@click.option("--yes", is_flag=True, help="Ask nothing: where two readings are close, take the likelier one.")
@settings_of(InitConfig)
@json_option
@quiet_option
def command(
    first: tuple[str, ...],
    more: tuple[str, ...],
    out: Path,
    read: tuple[str, ...],
    splits: tuple[str, ...],
    missing: tuple[str, ...],
    yes: bool,
    config: InitConfig,
    as_json: bool,
    quiet: bool,
) -> None:
    """Look at files of your own and write settings that train on them.

    The command guesses from names, columns and values: which files are splits of one dataset (words such as
    train, dev, valid, test), which columns are texts and labels, and whether labels are two classes, several,
    ranks or numbers. Several label columns become several tasks. The settings file lists each guess and its
    alternatives. It never overwrites a file, and nothing is trained.

    If two readings are close and the wrong one would lose, join or leak rows, the command asks on a terminal.
    Elsewhere it names the readings with the options that choose them, and exits with 2.

    Separator, quotes, encoding and decimal sign are detected in each file. An option that sets one holds for all
    files, and is written into the tasks' tables.

    \b
    Examples:
      mtft init --from reviews.csv
      mtft init --from nli-train.jsonl nli-val.jsonl ratings.tsv --out run.toml
      mtft init --from answers.csv --read label=classification --missing NA
      mtft init --from old.csv --delimiter pipe --no-header --columns text,label
      mtft train --config run.toml
    """  # noqa: D301 - click reads the backspace
    if not (first or more):
        raise click.UsageError("give the files to look at, as in --from a.csv b.tsv", click.get_current_context())
    from mtft.commands.init import described, init

    asking = sys.stdin.isatty() and sys.stderr.isatty() and not (as_json or quiet)
    decisions = decisions_of(read, splits, missing, yes=yes, ask=_ask if asking else None)
    with open_context(quiet=quiet) as context:
        result = init([*first, *more], None if str(out) == "-" else out, context, decisions, config)
    if as_json:
        print_json({"path": result.path, "tasks": {task.name: task for task in result.tasks}, "text": result.text})
    elif result.path is None:
        click.echo(result.text, nl=False)
    else:
        rows = [
            [
                task.name,
                task.table["kind"],
                _texts(task.table["text"]),
                task.table["label"],
                described(task.table),
                task.labelled.get("train"),
            ]
            for task in result.tasks
            if task.likely
        ]
        table(["task", "kind", "texts", "label", "labels", "rows"], rows)
    for text in (text for task in result.tasks for text in task.warnings if not quiet):
        warn(text)
    if not quiet and result.path:
        say(f"written: {result.path}; look at it, then: mtft train --config {shlex.quote(str(result.path))}")


def _ask(doubt: Doubt) -> int:
    """Ask which reading is right; the likelier one comes first and is the default."""
    say(f"{doubt.file}: {doubt.question}:")
    for number, reading in enumerate(doubt.readings, 1):
        say(f"  {number}  {reading.text}  ({reading.option})")
    numbers = click.IntRange(1, len(doubt.readings))
    return int(click.prompt("which one", default=1, type=numbers, err=True)) - 1


def _texts(columns: str | list[str]) -> str:
    return columns if isinstance(columns, str) else " + ".join(columns)
