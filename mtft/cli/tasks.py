"""``mtft tasks``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mtft.cli.console import print_json, table, warn
from mtft.cli.options import json_option, quiet_option

if TYPE_CHECKING:
    from mtft.plugin.manager import Plugins
    from mtft.tasks.registry import Registry

Record = dict[str, object]


@click.command("tasks")
@json_option
@quiet_option
def command(as_json: bool, quiet: bool) -> None:
    """List tasks, the sources that train them, and the package that each comes from.

    \b
    Examples:
      mtft tasks
      mtft tasks --json | jq -r '.tasks[].name'
    """  # noqa: D301 - click reads the backspace
    from mtft.plugin.manager import build_registry, load_plugins

    plugins = load_plugins()
    registry = build_registry(plugins)
    for plugin in plugins:
        if plugin.status == "broken" and not quiet:
            warn(plugin.trouble)
    tasks, sources = _tasks(registry, plugins), _sources(registry, plugins)
    if as_json:
        print_json({"tasks": tasks, "sources": sources})
        return
    _render(tasks, "task", "output", "input", "metrics", "sources")
    print()
    _render(sources, "source", "task", "input", "weight")


def _render(records: list[Record], title: str, *columns: str) -> None:
    """Print one table; its first column, `title`, holds the names."""
    rows = [
        [
            *(_text(record[key]) for key in ("name", *columns)),
            f"{record['distribution']} {record['version']}",
            record["description"],
        ]
        for record in records
    ]
    table((title, *columns, "from", "description"), rows)


def _tasks(registry: Registry, plugins: Plugins) -> list[Record]:
    return [
        {
            "name": task.name,
            "output": task.output.describe(),
            "input": task.source.input,
            "metrics": task.metric_names,
            "sources": [source.name for source in registry.sources_for(task.name)],
            **_origin(registry, plugins, task.name),
            "description": task.description,
        }
        for task in registry.tasks.values()
    ]


def _sources(registry: Registry, plugins: Plugins) -> list[Record]:
    """Describe every source of each task, its own one first."""
    return [
        {
            "name": source.name,
            "task": task.name,
            "input": source.input,
            "weight": source.weight,
            **_origin(registry, plugins, source.name),
            "description": source.description,
        }
        for task in registry.tasks.values()
        for source in (task.source, *registry.sources_for(task.name))
    ]


def _origin(registry: Registry, plugins: Plugins, name: str) -> Record:
    plugin = plugins.get(registry.owner(name))
    return {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}


def _text(value: object) -> object:
    """Return a value as the text of a cell: the kind of an output, or names in one line."""
    if isinstance(value, dict):
        return value["kind"]
    return ", ".join(map(str, value)) or None if isinstance(value, (list, tuple)) else value
