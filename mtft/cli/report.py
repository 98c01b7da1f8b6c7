"""``mtft report``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, warn
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import ReportConfig


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@options_for(ReportConfig)
@json_option
@quiet_option
def command(runs: tuple[Path, ...], loaded: Loaded[ReportConfig], as_json: bool, quiet: bool) -> None:
    """Write an HTML report about runs: scores, curves, conflicts, selection, calibration, confusion, settings.

    One file without scripts that needs no network. With several runs, differences are from the first, and verdicts are
    corrected for their number (Holm). A note says what is missing in a run.

    \b
    Examples:
      mtft report runs/unified
      mtft report runs/unified runs/refined --out report.html --figures figures
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.report import report

    with open_context(loaded, quiet=quiet) as context:
        result = report(runs, loaded.config, context)
    if as_json:
        print_json(result)
        return
    if not quiet:
        for name, notes in result.missing.items():
            for note in notes:
                warn(f"{name}: {note}; left out")
        if result.figures:
            say(f"{len(result.figures)} pictures in {loaded.config.figures}")
    click.echo(result.path)
