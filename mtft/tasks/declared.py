"""Tasks declared in settings by a `[tasks.NAME]` table of files and columns, without code.

A declaration holds only text and numbers, so that it can be stored in a model's manifest. When the model is loaded,
the task is rebuilt from it. Heads are referred to by the names that plugins register, because a model of unknown
origin must not name code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mtft.data.declared_reader import DeclaredReader
from mtft.errors import ConfigError, PluginError
from mtft.outputs import Output
from mtft.tasks.declaration import Declaration, read_declaration
from mtft.tasks.declared_rows import split_column, strata
from mtft.tasks.part import Part
from mtft.tasks.registry import Registry, check_task
from mtft.tasks.task import Source, Task

OWNER = "declared"
"""Owner of declared tasks, instead of a plugin."""

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


def declare(
    name: str, table: Mapping[str, Any], file: str, heads: Mapping[str, Part] = HEADS, *, table_name: str = ""
) -> Task:
    """Return the task of a declaration; ConfigError has one line for each fault, with file and key.

    `file` is the file that holds the table; `heads` are the heads that it may name. Errors about the data call the
    table `table_name`, by default by its key and file.
    """
    where = f"{file}: tasks.{name}"
    task = _task(name, read_declaration(table, heads, where), heads, table_name or f"[tasks.{name}] of {file}")
    try:
        check_task(task)
    except PluginError as error:
        raise ConfigError(f"{where}: {error}") from None
    return task


def with_declared(registry: Registry, tables: Mapping[str, Mapping[str, Any]], file: str) -> Registry:
    """Return the registry with the declared tasks added; ConfigError for a name that a plugin uses."""
    tasks, owners, problems = dict(registry.tasks), dict(registry.owners), []
    for name, table in tables.items():
        try:
            if owner := registry.owners.get(name):
                raise ConfigError(
                    f"{file}: tasks.{name}: plugin {owner!r} has this name; choose another, or "
                    "leave the table empty to mean the plugin's task"
                )
            tasks[name], owners[name] = declare(name, table, file, registry.parts.get("head", HEADS)), OWNER
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return replace(registry, tasks=MappingProxyType(tasks), owners=MappingProxyType(owners))


def with_rule_of(kept: Task, now: Task) -> Task:
    """Return a newly declared task that holds out dev by the rule of the task on which a model was trained."""
    before, reader = kept.source.reader, now.source.reader
    if not (isinstance(before, DeclaredReader) and isinstance(reader, DeclaredReader) and before.held_out):
        return now
    return replace(now, source=replace(now.source, reader=replace(reader, strata=before.strata)))


def _class_weights(output: Output, given: Mapping[str, float] | None) -> tuple[float, ...]:
    """Return a weight for each class in the order of the names, none if none is given."""
    return tuple(given.get(name, 1.0) for name in output.describe()["names"]) if given else ()


def _task(name: str, declared: Declaration, heads: Mapping[str, Part], table: str) -> Task:
    files = {"train": declared.train, "dev": declared.dev, "test": declared.test}
    splits = tuple((split, file) for split, file in files.items() if isinstance(file, str | tuple))
    output = declared.output()
    reader = DeclaredReader(
        splits=splits,
        texts=declared.text,
        label=declared.label,
        output=output,
        held_out=declared.dev if isinstance(declared.dev, float) else 0.0,
        strata=strata(declared.held_out),
        column=split_column(declared.split),
        missing=tuple(declared.missing or ()),
        aliases=tuple((declared.aliases or {}).items()),
        layout=declared.layout(),
        table=table,
    )
    return Task(
        name,
        output,
        Source(
            name,
            reader,
            "single" if len(declared.text) == 1 else "pair",
            LOSSES[declared.kind],
            class_weights=_class_weights(output, declared.class_weights),
        ),
        heads[declared.head].make,
        declared.metrics or (),
        declared.description or f"declared: {declared.kind}",
        declared.model_dump(mode="json", exclude_none=True),
    )
