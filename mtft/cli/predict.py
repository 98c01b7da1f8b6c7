"""``mtft predict``."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import plain, print_json
from mtft.cli.options import options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import PredictConfig
from mtft.errors import DataError
from mtft.io.text import printable


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@options_for(PredictConfig)
@quiet_option
def command(run: Path, file: Path, loaded: Loaded[PredictConfig], quiet: bool) -> None:
    """Predict the texts in FILE (default: standard input) with RUN, line by line, in order.

    Input is JSON Lines with the keys `sentence`, or `sentence1` and `sentence2` (or those that the table of the
    task names), and an optional `id`; a TSV or CSV table with such a header; or plain lines, with a tab between
    the two texts of a pair.

    Output is one record per line: the id (or the line number), the answer of each task, and "truncated": true
    if the model's length limit cut the text; as TSV, one column per value.

    A record that cannot be answered (not a record, no text for the tasks, not UTF-8, over a million characters) is
    an error that names its line; all records before it are answered. --on-error skip leaves such records out and
    counts them on stderr; --on-error null writes their id and an "error" in their place; both exit with 0.

    \b
    Examples:
      echo "What a film." | mtft predict runs/first
      mtft predict runs/first pairs.tsv --tasks quora,sts --output-format tsv
      mtft predict runs/first --on-error null < records.jsonl > answers.jsonl
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.predict import predict

    with (
        open_context(loaded, quiet=quiet, shared=True, serving=True) as context,
        _lines(file) if context.group.first else nullcontext(()) as lines,
        closing(predict(run, lines, loaded.config, context)) as results,
    ):
        if loaded.config.output_format == "tsv":
            _print_table(results)
        else:
            for result in results:
                print_json(result, indent=None)
                sys.stdout.flush()


@contextmanager
def _lines(file: Path) -> Iterator[Iterator[str]]:
    """Open the input as lines of UTF-8 text; other bytes become what `read_records` refuses line by line."""
    from mtft.data.records import bounded_lines

    name = "standard input" if str(file) == "-" else str(file)
    if name == "standard input" and sys.stdin.isatty():
        raise click.UsageError("no input: name a file or pipe texts into standard input", click.get_current_context())
    try:
        stream = sys.stdin.buffer if name == "standard input" else file.open("rb")
    except OSError as error:
        raise DataError(f"{name}: {(error.strerror or str(error)).lower()}") from None
    with io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape") as text:
        yield bounded_lines(text)


def _print_table(results: Iterator[dict[str, Any]]) -> None:
    """Print one column per value, the header taken from the first record; other columns are an error."""
    writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    header: list[str] = []
    for result in results:
        row = dict(_flatten({**plain(result), "truncated": "truncated" in result}))
        if not header:
            header = list(row)
            writer.writerow(header)
        if list(row) != header:
            advice = "its columns differ from the first one's; use --output-format jsonl"
            raise DataError(f"record {result['id']}: {advice}")
        writer.writerow(printable(_text(value)) for value in row.values())
        sys.stdout.flush()


def _text(value: object) -> str:
    """Write a value into a cell; true and false as JSON has them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flatten(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
