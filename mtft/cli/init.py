"""``mtft init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, quiet_option


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
@json_option
@quiet_option
def command(first: tuple[str, ...], more: tuple[str, ...], out: Path, as_json: bool, quiet: bool) -> None:
    """Look at files of your own and write settings that train on them.

    What the files hold is guessed from their names, columns and values: which are splits of one dataset (words
    such as train, dev, valid, test), which columns are texts and labels, and whether labels are two classes,
    several, ranks or numbers. Several label columns become several tasks. The file says what was guessed and
    what else fits; it is never overwritten. Nothing is asked, and nothing is trained.

    \b
    Examples:
      mtft init --from reviews.csv
      mtft init --from nli-train.jsonl nli-val.jsonl ratings.tsv --out run.toml
      mtft train --config run.toml
    """  # noqa: D301 - click reads the backspace
    if not (first or more):
        raise click.UsageError("give the files to look at, as in --from a.csv b.tsv", click.get_current_context())
    from mtft.commands.init import described, init

    with open_context(quiet=quiet) as context:
        result = init([*first, *more], None if str(out) == "-" else out, context)
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
    if not quiet and result.path:
        say(f"written: {result.path}; look at it, then: mtft train --config {shlex.quote(str(result.path))}")


def _texts(columns: str | list[str]) -> str:
    return columns if isinstance(columns, str) else " + ".join(columns)
