"""``mtft plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mtft.cli.console import print_json, table
from mtft.cli.options import json_option

if TYPE_CHECKING:
    from mtft.plugin.manager import Plugin


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List the plugins that are installed, from which distribution, and whether they work.

    A broken plugin is listed with its error and stops nothing. MTFT_DISABLE_PLUGINS=1 switches off all but the
    built-in one, or those named (NAME,...); MTFT_STRICT_PLUGINS=1 makes a broken one an error.

    \b
    Example:
      mtft plugins
    """  # noqa: D301 - click reads the backspace
    from mtft.plugin.manager import build_registry, load_plugins

    plugins = load_plugins()
    build_registry(plugins)
    if as_json:
        print_json({"plugins": [_record(plugin) for plugin in plugins]})
        return
    rows = [
        [each.name, each.distribution, each.version, _status(each), ", ".join(each.hooks) or None] for each in plugins
    ]
    table(["name", "distribution", "version", "status", "hooks"], rows)


def _status(plugin: Plugin) -> str:
    return f"{plugin.status}: {plugin.error}" if plugin.error else plugin.status


def _record(plugin: Plugin) -> dict[str, object]:
    return {
        "name": plugin.name,
        "module": plugin.module,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "error": plugin.error,
        "hooks": plugin.hooks,
    }
