"""The tables `[tasks.NAME]` of a settings file: the names of the tasks, and their declarations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

Tables = dict[str, dict[str, Any]]

FILE_KEYS = ("train", "dev", "test")
"""Keys of a table that name files."""


def take_tables(written: dict[str, Any], file: str, problems: list[str]) -> Tables:
    """Replace a table `tasks` by the list of its names, and return the declaration of each task.

    An empty table declares nothing: it selects the installed task of that name.
    """
    tables = written.get("tasks")
    if not isinstance(tables, dict):
        return {}
    written["tasks"] = list(tables)
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(f'{file}: tasks.{name}: not a table; write [tasks.{name}], or tasks = ["{name}", ...]')
    return {name: plain(table) for name, table in tables.items() if isinstance(table, dict) and table}


def with_rules(tables: Tables) -> Tables:
    """Return tables that say how a share of train is held out for dev.

    A share is stratified by the labels of all tables that hold out the same share of the same texts of the same file,
    so that none of these trains on dev rows of another. A recorded table without a rule is older than this one; it
    uses the former rule: by texts alone.
    """
    together: dict[str, dict[str, list[str]]] = {}
    for table in tables.values():
        if (key := _share(table)) and isinstance(label := table.get("label"), str):
            kind = "numbers" if table.get("kind") == "regression" else "classes"
            columns = together.setdefault(key, {}).setdefault(kind, [])
            columns += [label] if label not in columns else []
    found = {}
    for name, table in tables.items():
        rule = together.get(_share(table))
        found[name] = {**table, "held_out": rule} if rule and "held_out" not in table else table
    return found


def with_files(tables: Tables, settings_file: Path, data_dir: Path) -> Tables:
    """Return tables with resolved file names: in the data directory, else in the directory of the settings file."""
    return {
        name: {
            key: _found(value, settings_file, data_dir) if key in FILE_KEYS else value for key, value in table.items()
        }
        for name, table in tables.items()
    }


def _found(value: Any, settings_file: Path, data_dir: Path) -> Any:
    """Return the full path of a file that is not in the data directory, but in that of the settings file."""
    if isinstance(value, list):
        return [_found(item, settings_file, data_dir) for item in value]
    if not isinstance(value, str) or "\0" in value or re.match(r"\w+:", value) or not value.strip():
        return value
    pattern = value if not Path(value).is_absolute() and ".." not in Path(value).parts else ""
    if (data_dir / value).exists() or (pattern and any(data_dir.glob(pattern))):
        return value
    neighbour = settings_file.parent / value
    if neighbour.exists() or (pattern and any(settings_file.parent.glob(pattern))):
        return str(neighbour.parent.resolve() / neighbour.name)
    return value


def _share(table: Mapping[str, Any]) -> str:
    """Return a key that is equal for tables that hold out the same rows; "" if no rows are held out."""
    dev = table.get("dev")
    if not isinstance(dev, int | float) or isinstance(dev, bool):
        return ""
    return repr([table.get(key) for key in ("train", "dev", "text", "split")])


def task_tables(names: tuple[str, ...], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables before `take_tables`: one for each of the names."""
    return {name: dict(declared.get(name, {})) for name in names}


def plain(value: Any) -> Any:
    """Turn decimals into floats, also in nested values."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
