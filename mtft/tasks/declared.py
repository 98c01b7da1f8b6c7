"""Tasks declared in settings by a `[tasks.NAME]` table: files and columns in, a Task out, no code.

A declaration holds nothing but text and numbers, so that it travels in a model's manifest: where the model is
loaded, the task is made again from it. Heads go by the names that plugins give them, for a model from elsewhere must
not name code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mtft.data.declared_reader import DeclaredReader
from mtft.data.formats import ALLOWED, can_read
from mtft.errors import ConfigError, PluginError, unknown
from mtft.metrics import METRICS
from mtft.outputs import Binary, Bounded, Categorical, Ordinal, Output
from mtft.tasks.part import Part
from mtft.tasks.registry import Registry, check_task
from mtft.tasks.task import Source, Task

OWNER = "declared"
"""Stands for the plugin of a declared task."""

LARGEST = 3.4e38
"""Ends of a range; targets are numbers of 32 bits."""

HEADS = {
    part.name: part
    for part in (
        Part("report", "mtft.heads:report_head", "one more transformer layer, its mean, the pooler output, two layers"),
        Part("linear", "mtft.heads:linear_head", "one projection of the pooler output"),
    )
}
"""Heads that are built in."""

LOSSES = {
    "classification": "mtft.losses:cross_entropy",
    "binary": "mtft.losses:binary_cross_entropy",
    "ordinal": "mtft.losses:cumulative_link",
    "regression": "mtft.losses:squared_error",
}
"""Kinds of tasks, and the loss of each."""

OF_NUMBERS = ("pearson", "spearman", "mse", "mae")
"""Metrics of regression; the others are of classes."""


def declare(name: str, table: Mapping[str, Any], place: str, heads: Mapping[str, Part] = HEADS) -> Task:
    """Make a task of its declaration; ConfigError has a line for each thing that is wrong, with its place.

    `heads` are those it may name.
    """
    checks = {**KEYS, "head": _choice(heads, "report")}
    where = f"{place}: tasks.{name}"
    problems: list[str] = []
    found: dict[str, Any] = {}
    for key in table:
        if key not in KEYS:
            problems.append(f"{where}: {unknown('key', key, KEYS)}")
    for key, check in checks.items():
        try:
            value = check(table.get(key), found)
        except (ValueError, OverflowError) as error:
            problems.append(f"{where}: {key}: {error}")
        else:
            if value is not None:
                found[key] = value
    if not problems:
        task = _task(name, found, heads)
        try:
            check_task(task)
            return task
        except PluginError as error:
            problems.append(f"{where}: {error}")
    raise ConfigError("\n".join(problems))


def with_declared(registry: Registry, tables: Mapping[str, Mapping[str, Any]], place: str) -> Registry:
    """Return the registry with declared tasks in it; a name that a plugin took is a ConfigError."""
    tasks, owners, problems = dict(registry.tasks), dict(registry.owners), []
    for name, table in tables.items():
        try:
            if owner := registry.owners.get(name):
                raise ConfigError(
                    f"{place}: tasks.{name}: plugin {owner!r} has this name; choose another, or "
                    "leave the table empty to mean the plugin's task"
                )
            tasks[name], owners[name] = declare(name, table, place, registry.parts.get("head", HEADS)), OWNER
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return replace(registry, tasks=MappingProxyType(tasks), owners=MappingProxyType(owners))


def _task(name: str, found: Mapping[str, Any], heads: Mapping[str, Part]) -> Task:
    output = _output(found)
    dev = found["dev"]
    splits = tuple((split, found[split]) for split in ("train", "dev", "test") if isinstance(found.get(split), str))
    reader = DeclaredReader(splits, tuple(found["text"]), found["label"], output, 0.0 if isinstance(dev, str) else dev)
    source = Source(name, reader, "single" if len(found["text"]) == 1 else "pair", LOSSES[found["kind"]])
    return Task(
        name,
        output,
        source,
        heads[found["head"]].make,
        tuple(found.get("metrics", ())),
        found.get("description", f"declared: {found['kind']}"),
        dict(found),
    )


def _output(found: Mapping[str, Any]) -> Output:
    if found["kind"] == "regression":
        return Bounded(*found["range"])
    names = tuple(found["names"])
    if found["kind"] == "binary":
        return Binary((names[0], names[1]))
    return Ordinal(names) if found["kind"] == "ordinal" else Categorical(names)


def metrics_of(kind: str) -> list[str]:
    """Return the names of the metrics that a kind of task may have."""
    return [name for name in METRICS if (name in OF_NUMBERS) == (kind == "regression")]


# ---- one key each: (value or None, what was found before) -> checked value ------------------------------------------


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _choice(allowed: Mapping[str, Any], default: str | None = None) -> Callable[[Any, Mapping[str, Any]], str]:
    def check(value: Any, _found: Mapping[str, Any]) -> str:
        value = default if value is None else value
        if value is None:
            raise ValueError(f"missing; give one of {', '.join(allowed)}")
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(unknown("value", str(value)[:80], allowed))
        return value

    return check


def _text(value: Any, _found: Mapping[str, Any]) -> list[str]:
    columns = [value] if isinstance(value, str) else value
    if not isinstance(columns, list) or not 1 <= len(columns) <= 2 or not all(map(_is_name, columns)):
        raise ValueError(f"{_show(value)} is not a column, or a list of two columns")
    if len(set(columns)) < len(columns):
        raise ValueError(f"column {columns[0]!r} is given twice")
    return columns


def _label(value: Any, found: Mapping[str, Any]) -> str:
    if not _is_name(value):
        raise ValueError(f"{_show(value)} is not a column")
    if value in found.get("text", ()):
        raise ValueError(f"column {value!r} is a text column too")
    return str(value)


def _names(value: Any, found: Mapping[str, Any]) -> list[str] | None:
    kind: str | None = found.get("kind")
    if kind == "regression" and value is not None:
        raise ValueError("a regression has a range instead of names")
    if kind in (None, "regression"):
        return None
    names = value
    if isinstance(value, list):
        names = [str(name) if isinstance(name, int) and not isinstance(name, bool) else name for name in value]
    wanted = {"binary": "two label names, the one for no first", "ordinal": "label names, the lowest rank first"}
    if not isinstance(names, list) or len(names) < 2 or (kind == "binary" and len(names) > 2):
        raise ValueError(f"{_show(value)} is not a list of {wanted.get(kind, 'two or more label names')}")
    for name in names:
        if not _is_name(name) or name != name.strip():
            raise ValueError(f"{_show(name)} is not a label name: text, without white space around it")
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is given twice")
    return names


def _range(value: Any, found: Mapping[str, Any]) -> list[float] | None:
    if found.get("kind") != "regression":
        if value is not None and "kind" in found:
            raise ValueError("only a regression has a range; classes have names")
        return None
    numbers = value if isinstance(value, list) else []
    fine = all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= LARGEST for n in numbers)
    if len(numbers) != 2 or not fine or not numbers[0] < numbers[1]:
        raise ValueError(f"{_show(value)} is not [LOWEST, HIGHEST], two numbers of 32 bits")
    return [float(number) for number in numbers]


def _file(value: Any, _found: Mapping[str, Any]) -> str:
    if not _is_name(value) or not can_read(value):
        raise ValueError(f"{'missing; give' if value is None else f'{_show(value)} is not'} {ALLOWED}")
    return str(value)


def _dev(value: Any, found: Mapping[str, Any]) -> str | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < 1:
            raise ValueError(f"{value:g} is not a share of train, above 0 and below 1")
        return float(value)
    try:
        return _file(value, found)
    except ValueError as error:
        raise ValueError(f"{error}, or the share of train's rows that is held out") from None


def _test(value: Any, found: Mapping[str, Any]) -> str | None:
    return None if value is None else _file(value, found)


def _metrics(value: Any, found: Mapping[str, Any]) -> list[str] | None:
    if value is None:
        return None
    allowed = metrics_of(found.get("kind", ""))
    if not isinstance(value, list) or not value:
        raise ValueError(f"{_show(value)} is not a list of metrics (allowed: {', '.join(allowed)})")
    for name in value:
        if name not in allowed:
            raise ValueError(unknown("metric", str(name)[:80], allowed))
        if value.count(name) > 1:
            raise ValueError(f"{name!r} is given twice")
    return value


def _description(value: Any, _found: Mapping[str, Any]) -> str | None:
    if value is not None and not _is_name(value):
        raise ValueError(f"{_show(value)} is not text")
    return value  # type: ignore[no-any-return]


KEYS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "kind": _choice(LOSSES),
    "text": _text,
    "label": _label,
    "names": _names,
    "range": _range,
    "train": _file,
    "dev": _dev,
    "test": _test,
    "head": _choice(HEADS, "report"),  # and those of plugins, see `declare`
    "metrics": _metrics,
    "description": _description,
}
"""Keys of a declaration, in the order in which they are checked."""
