"""``mtft export``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import ExportConfig


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@options_for(ExportConfig)
@json_option
@quiet_option
def command(run: Path, loaded: Loaded[ExportConfig], as_json: bool, quiet: bool) -> None:
    """Write RUN as one file; the file is compared with RUN first.

    bundle: all of RUN's model except its base model, with digests. predict, eval, verify, merge and count-params
    take the file in place of RUN.

    onnx: a graph with all tasks as named outputs, for any batch size and length, and FILE.json, which describes the
    outputs. --int8 also writes a file with 8-bit weights, and scores both on dev.

    \b
    Examples:
      mtft export runs/unified --format bundle --out model.mtft
      mtft export runs/unified --format onnx --out model.onnx
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.export import export

    with open_context(loaded, quiet=quiet) as context:
        result = export(run, loaded.config, context)
    if as_json:
        print_json(result)
        return
    if result.difference is not None and not quiet:
        say(f"outputs differ from mtft's by at most {result.difference:.2g}")
    if result.int8:
        rows = [
            [task, scores["n"], scores["metric"], scores["full"], scores["int8"], scores["int8"] - scores["full"]]
            for task, scores in result.int8["dev"].items()
        ]
        table(["task", "n", "dev metric", "full", "int8", "change"], rows)
    for file in result.files:
        click.echo(file)
