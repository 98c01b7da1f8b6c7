"""``mtft env``."""

from __future__ import annotations

import click

from mtft.cli.console import print_json, table
from mtft.cli.options import json_option


@click.command("env")
@json_option
def command(as_json: bool) -> None:
    """Describe this installation for a bug report: versions, machine, devices, plugins, environment.

    Shows no paths and no secrets. For variables that may contain them, it only shows whether they are set.

    \b
    Examples:
      mtft env
      mtft env --json | jq .plugins
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.env import environment

    facts = environment()
    if as_json:
        print_json(facts)
        return
    table(
        ["section", "what", "found"],
        [
            [section, name, "no" if value is False else "-" if value is None else value]
            for section, entries in facts.items()
            for name, value in entries.items()
        ],
    )
