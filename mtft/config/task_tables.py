"""The tables `[tasks.NAME]` of a settings file: the names of the tasks, and what the file declares of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Tables = dict[str, dict[str, Any]]


def take_tables(written: dict[str, Any], file: str, problems: list[str]) -> Tables:
    """Replace a table `tasks` by the list of its names, and return what it declares, task by task.

    An empty table declares nothing: it means the task of that name that a plugin brings.
    """
    tables = written.get("tasks")
    if not isinstance(tables, dict):
        return {}
    written["tasks"] = list(tables)
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(f'{file}: tasks.{name}: not a table; write [tasks.{name}], or tasks = ["{name}", ...]')
    return {name: plain(table) for name, table in tables.items() if isinstance(table, dict) and table}


def task_tables(names: tuple[str, ...], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `take_tables` took apart: a table for each of the names."""
    return {name: dict(declared.get(name, {})) for name in names}


def plain(value: Any) -> Any:
    """Turn decimals into floats, all the way down."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
