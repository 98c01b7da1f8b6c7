"""``mtft verify``."""

from __future__ import annotations

from pathlib import Path

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say, table
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import VerifyConfig
from mtft.config.values import size_text
from mtft.errors import CheckpointError


@click.command("verify")
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@options_for(VerifyConfig)
@json_option
@quiet_option
def command(path: Path, loaded: Loaded[VerifyConfig], as_json: bool, quiet: bool) -> None:
    """Check every file of RUN against its digest, and the outputs of its model against the saved ones.

    Names files that are damaged, missing or foreign, checks the digest of the base model if it is found, and computes
    the saved outputs again. RUN may also be a stopped run, a mask file, or a bundle of `mtft export`. Any fault gives
    exit code 2.

    \b
    Example:
      mtft verify runs/unified
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.verify import verify

    with open_context(loaded, quiet=quiet) as context:
        result = verify(path, loaded.config, context)
    try:
        if as_json:
            print_json({"ok": not result.problems, **vars(result)})
        elif result.problems:
            table(["file", "problem"], [[problem.file, problem.what] for problem in result.problems])
        for note in () if quiet else result.notes:
            say(note)
        if not (quiet or as_json):
            base = f"; base model: {result.base}" if result.base else ""
            say(f"{result.files} files ({size_text(result.bytes)}) are as written; probe: {result.probe}{base}")
    finally:  # a reader that closed the pipe must not hide the problems
        if count := len(result.problems):
            raise CheckpointError(f"{path}: {count} problem{'s' if count > 1 else ''} found")
