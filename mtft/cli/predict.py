"""``mtft predict``."""

from __future__ import annotations

import csv
import json
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

DELIMITERS = {"tsv": "\t", "csv": ","}
"""What parts the values of each form of a table."""


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@options_for(PredictConfig)
@quiet_option
def command(run: Path, file: Path, loaded: Loaded[PredictConfig], quiet: bool) -> None:
    """Predict the texts in FILE (default: standard input) with RUN, in order: one answer for each record.

    The suffix decides what FILE is: a table (.csv, .tsv) whose header has the columns `sentence`, or `sentence1` and
    `sentence2` (or those that the task's own data have), and maybe `id`; JSON with such keys, an object a line
    (.jsonl) or an array (.json); .parquet; or plain text (.txt), where every line is a text, a blank one an empty
    text, and a pair two texts around a tab. All but .parquet may be packed (.gz, .zst). Other names and standard
    input are judged by their first line; --format decides in any case. How a table is written is found in the file.

    Output is one record per line: the id (or the line number), the answer of each task, and "truncated": true
    if the model's length limit cut the text; as TSV or CSV, one column per value.

    A record that cannot be answered (not a record, no text for the tasks, not text in the encoding, over a million
    characters; with --on-error null a blank line) is an error that names its line; all records before it are
    answered. --on-error skip leaves such records out and counts them on stderr; --on-error null writes their id and
    an "error" in their place; both exit with 0.

    \b
    Examples:
      echo "What a film." | mtft predict runs/first
      mtft predict runs/first pairs.tsv --tasks quora,sts --output-format tsv
      mtft predict runs/first films.csv --id film --keep stars --output-format csv
      mtft predict runs/first --on-error null < records.jsonl > answers.jsonl
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.predict import predict

    with (
        open_context(loaded, quiet=quiet, shared=True, serving=True) as context,
        _source(file, loaded.config.encoding) if context.group.first else nullcontext(()) as source,
        closing(predict(run, source, loaded.config, context)) as results,
    ):
        if loaded.config.output_format in DELIMITERS:
            _print_table(results, DELIMITERS[loaded.config.output_format], loaded.config.keep_columns)
        else:
            for result in results:
                print_json(result, indent=None)
                sys.stdout.flush()


@contextmanager
def _source(file: Path, encoding: str | None) -> Iterator[Path | Iterator[str]]:
    """Give the file, or standard input as lines; bytes that are no text become what `read_records` refuses."""
    from mtft.data.lines import decoded_lines

    if str(file) != "-":
        yield file
        return
    if sys.stdin.isatty():
        raise click.UsageError("no input: name a file or pipe texts into standard input", click.get_current_context())
    try:
        lines = decoded_lines(sys.stdin.buffer, encoding or "utf-8")
    except LookupError:  # `predict` refuses what is no encoding, with the other settings
        yield iter(())
        return
    try:
        yield lines
    finally:
        lines.detach()


def _print_table(results: Iterator[dict[str, Any]], delimiter: str, kept: tuple[str, ...]) -> None:
    """Print one column per value, the header taken from the first record; other columns are an error."""
    writer = csv.writer(sys.stdout, delimiter=delimiter, lineterminator="\n")
    header: list[str] = []
    for result in results:
        own = {name: _text(plain(result[name])) for name in kept if name in result}
        row = dict(_flatten({**plain(result), **own, "truncated": "truncated" in result}))
        if not header:
            header = list(row)
            writer.writerow(header)
        if list(row) != header:
            advice = "its columns differ from the first one's; use --output-format jsonl"
            raise DataError(f"record {result['id']}: {advice}")
        writer.writerow(printable(_text(value)) for value in row.values())
        sys.stdout.flush()


def _text(value: object) -> str:
    """Write a value into a cell; true, false, lists and objects as JSON has them, null as nothing."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)


def _flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flatten(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
