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
"""The separator of values in each output format."""


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@options_for(PredictConfig)
@quiet_option
def command(run: Path, file: Path, loaded: Loaded[PredictConfig], quiet: bool) -> None:
    """Predict the texts in FILE (default: standard input) with RUN, in order: one answer for each record.

    The suffix of FILE determines its format:

    \b
    .csv, .tsv  a table with a header
    .jsonl      JSON, one object per line
    .json       JSON, an array of objects
    .parquet    a table
    .txt        one text per line, empty ones too; a tab separates pairs

    Columns or keys are `sentence`, or `sentence1` and `sentence2`, or those of the task's own data; `id` is optional.
    All but .parquet may be compressed (.gz, .zst). For other names and standard input, the first line determines the
    format. --format overrides both. Separator and quotes of a table are detected from the file.

    Output is one record per line: the id (or the line number), the answer of each task, and "truncated": true
    if the model's length limit cut the text. TSV and CSV have one column per value.

    A record is invalid if it is not a record, has no text for the tasks, cannot be decoded, or has over a million
    characters; with --on-error null also a blank line. By default the command answers all records before it, then
    stops with an error that names its line. --on-error skip leaves invalid records out and counts them on stderr.
    --on-error null writes their id and an "error" in their place. Both exit with 0.

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
    """Yield the file, or standard input as lines; undecodable bytes become characters that `read_records` refuses."""
    from mtft.data.lines import decoded_lines

    if str(file) != "-":
        yield file
        return
    if sys.stdin.isatty():
        raise click.UsageError("no input: name a file or pipe texts into standard input", click.get_current_context())
    try:
        lines = decoded_lines(sys.stdin.buffer, encoding or "utf-8")
    except LookupError:  # `predict` reports an unknown encoding together with the other settings
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
    """Return a value as the text of a cell: true, false, lists and objects in JSON, null as an empty text."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)


def _flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flatten(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item
