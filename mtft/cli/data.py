"""The commands `mtft data ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import plain, print_json, say, table
from mtft.cli.options import json_option, offer, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import DataCheckConfig, DataFetchConfig
from mtft.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mtft.commands.data_check import DataCheckResult
    from mtft.data.audit.findings import Finding

DATASETS = ("sst", "quora", "sts", "cfimdb")
"""Names for completion; a test checks that they are those of the catalogue."""

SCHEMA_VERSION = 1
"""Raised when a key of the JSON document is renamed or removed."""


@click.group("data")
def command() -> None:
    """Fetch public data, and check data before training."""


@command.command("check", short_help="Find faults in data files before training.")
@options_for(DataCheckConfig)
@json_option
@quiet_option
def check(loaded: Loaded[DataCheckConfig], as_json: bool, quiet: bool) -> None:
    """Check the data files of tasks: unreadable rows, labels, texts, duplicates, leakage.

    Reads train, dev and, if it exists, test. Errors give exit code 2; warnings and notes do not. --fix writes
    cleaned copies to a new directory. They lack the rows that cannot be read, have no label or an empty text,
    repeat an earlier row, or leak into a later split. All other bytes are unchanged.

    \b
    Examples:
      mtft data check --tasks sst,quora,sts --data-dir data
      mtft data check --tasks sts --data-dir data --model minilm --fix data-clean
    """  # noqa: D301 - click reads the backspace
    config = loaded.config
    if config.max_length and not config.model and not loaded.origins["max_length"].startswith("file "):
        raise ConfigError("--max-length counts the tokens of a model; give --model too")
    from mtft.commands.data_check import check_data

    with open_context(loaded, quiet=quiet) as context:
        result = check_data(config, context)
    try:
        if as_json:
            print_json(_document(result))
        else:
            _render(result)
        if result.fixed and not quiet:
            say(f"{sum(result.fixed.dropped.values()):,} rows left out of the copies in {result.fixed.path}")
    finally:  # a reader that closed the pipe must not hide the errors
        if errors := result.counts()["error"]:
            raise DataError(f"{errors} {'kinds of errors' if errors > 1 else 'kind of error'} in the data")


@command.command("fetch", short_help="Fetch public datasets.")
@click.argument("names", nargs=-1, metavar="[sst|quora|sts|cfimdb]...", shell_complete=offer(DATASETS))
@options_for(DataFetchConfig)
@json_option
@quiet_option
def fetch(names: tuple[str, ...], loaded: Loaded[DataFetchConfig], as_json: bool, quiet: bool) -> None:
    """Fetch public datasets (default: all) as the files that the built-in tasks read.

    --origin course: CS 224N's own train and dev files, byte for byte, checked against known digests. The course's
    test labels are not public. --origin hub: the public datasets in the same columns, with the splits of the hub,
    so that scores are not comparable. Their digests are recorded in fetched.json and must be the same later; the
    hub has no cfimdb. Broken downloads are resumed. Licences are printed; read them.

    \b
    Examples:
      mtft data fetch sst quora sts cfimdb --out data
      mtft data fetch sst --origin hub --out data-hub
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.fetch import fetch_data
    from mtft.fetch.lock_file import LOCK

    with open_context(loaded, quiet=quiet) as context:
        result = fetch_data(names, loaded.config, context, quiet=quiet)
    if as_json:
        print_json({"files": result})
        return
    states = {True: "fetched", False: "was there"}
    rows = [[each.path, states[each.new], f"{each.path.stat().st_size:,}", each.digest[:19]] for each in result]
    table(["file", "state", "bytes", f"digest (in full: {LOCK})"], rows)


def _document(result: DataCheckResult) -> dict[str, object]:
    """Return the result in the fixed format of `--json`."""
    return {
        "version": SCHEMA_VERSION,
        "counts": result.counts(),
        "files": plain(result.files),
        "findings": [_record(finding) for finding in result.findings],
        "fixed": plain(result.fixed),
    }


def _record(finding: Finding) -> dict[str, object]:
    path, _, line = finding.location.rpartition(":")
    placed = bool(path) and line.isdecimal()
    return {
        "check": finding.check,
        "severity": finding.severity,
        "source": finding.source,
        "split": finding.split,
        "file": path if placed else finding.location,
        "line": int(line) if placed else None,
        "count": finding.count,
        "message": finding.message,
        "example": finding.example,
        "advice": finding.advice,
    }


def _render(result: DataCheckResult) -> None:
    """Print the files and the numbered findings; for findings that need an action, also the location and the action."""
    files = [[each.source, each.split, each.rows, each.lines, each.path] for each in result.files]
    table(["source", "split", "rows", "lines", "file"], files)
    numbered = list(enumerate(result.findings, 1))
    print()
    table(
        ["", "severity", "check", "source", "split", "count", "finding"],
        [[n, each.severity, each.check, each.source, each.split, each.count, each.message] for n, each in numbered],
    )
    details = [[n, each.location, each.example, each.advice] for n, each in numbered if each.advice]
    if details:
        print()
        table(["", "first at", "example", "what to do"], details)
