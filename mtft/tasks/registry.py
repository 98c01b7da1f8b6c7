"""All available tasks, augmentation sources and named parts, and the plugin that provides each."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from mtft.errors import ConfigError, PluginError, plugin_guard, unknown
from mtft.io.text import RESERVED
from mtft.metrics import METRICS
from mtft.outputs import Output
from mtft.tasks.part import HOOKS, Part
from mtft.tasks.task import InputKind, Source, Task, resolve

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
PART = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
"""A head or a loss given by name: ``package.module:name``."""


@dataclass(frozen=True)
class Contribution:
    """The values that one plugin's hooks returned, not yet checked: `tasks`, `sources`, and `parts` by kind."""

    owner: str
    tasks: tuple[Task, ...] = ()
    sources: tuple[Source, ...] = ()
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Registry:
    """Tasks by name, attached sources by name, parts by kind and name, and the plugin that owns each name.

    The key of a part's owner is its kind and name, as in "surgery pcgrad". `absent` describes the plugins that were
    found but are not in the registry, for errors about unknown names.
    """

    tasks: Mapping[str, Task]
    sources: Mapping[str, Source]
    owners: Mapping[str, str]
    parts: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def task(self, name: str) -> Task:
        """Return a task; ConfigError names near matches and the plugins that are not loaded."""
        if name not in self.tasks:
            raise ConfigError("; ".join([self._unknown_task(name), *self.absent]), setting="tasks")
        return self.tasks[name]

    def _unknown_task(self, name: str) -> str:
        """Describe a name that no task has; without a near match, say where tasks come from."""
        text = unknown("task", name, self.tasks)
        if "did you mean" in text:
            return text
        return f"{text}; no installed plugin gives it, and no settings file declares it in [tasks.{name[:80]}]"

    def sources_for(self, task: str) -> tuple[Source, ...]:
        """Return the sources attached to a task, without the task's own."""
        name = self.task(task).name
        return tuple(source for source in self.sources.values() if source.task == name)

    def part(self, kind: str, name: str) -> Part:
        """Return a part; ConfigError names near matches and the plugins that are not loaded."""
        known = self.parts.get(kind, {})
        if name not in known:
            raise ConfigError("; ".join([unknown(kind, name, known), *self.absent]))
        return known[name]

    def load(self, kind: str, name: str) -> Any:
        """Import the object that a part names; PluginError names its plugin if that fails."""
        part = self.part(kind, name)
        with plugin_guard(f"importing {kind} {name!r}", f"{kind} {name}"):
            return resolve(part.make)

    def owner(self, name: str) -> str:
        """Return the plugin that provides a task, a source or, by kind and name, a part."""
        if name not in self.owners:
            raise ConfigError("; ".join([unknown("task or source", name, self.owners), *self.absent]))
        return self.owners[name]


def assemble(contributions: Sequence[Contribution]) -> tuple[Registry, dict[str, Exception]]:
    """Join the contributions of plugins; the first plugin to use a name keeps it.

    A plugin that breaks the contract is left out entirely; the second value gives the reasons by owner. Any exception
    while a plugin's values are checked counts as a breach.
    """
    tasks: dict[str, Task] = {}
    sources: dict[str, Source] = {}
    parts: dict[str, dict[str, Part]] = {kind: {} for kind in HOOKS}
    owners: dict[str, str] = {}
    faults: dict[str, Exception] = {}
    for given in contributions:
        try:
            owners |= _claims(given, owners)
        except Exception as error:
            faults[given.owner] = error
            continue
        tasks |= {task.name: task for task in given.tasks}
        sources |= {source.name: source for source in given.sources}
        for kind, values in given.parts.items():
            parts[kind] |= {part.name: part for part in values}
    orphans: dict[str, Exception] = {
        owners[source.name]: PluginError(f"source {source.name!r}: {unknown('task', source.task, tasks)}")
        for source in sources.values()
        if source.task not in tasks
    }
    if orphans:
        registry, faults = assemble([given for given in contributions if given.owner not in orphans])
        return registry, faults | orphans
    frozen = {kind: MappingProxyType(named) for kind, named in parts.items()}
    registry = Registry(*map(MappingProxyType, (tasks, sources, owners, frozen)))  # type: ignore[arg-type]
    return registry, faults


def _claims(given: Contribution, owners: Mapping[str, str]) -> dict[str, str]:
    """Check one plugin's values, and return name -> owner for all of them."""
    claimed: dict[str, str] = {}
    for names in _checked_names(given):
        for name in names:
            holder = owners.get(name) or claimed.get(name)
            if holder:
                raise PluginError(f"plugin {given.owner!r} gives {name!r}, which plugin {holder!r} gave before")
        claimed |= dict.fromkeys(names, given.owner)
    return claimed


def _checked_names(given: Contribution) -> Iterator[set[str]]:
    """Yield the names that each value uses; a task's own source may have its task's name."""
    for task in given.tasks:
        check_task(task)
        yield {task.name, task.source.name}
    for source in given.sources:
        check_source(source)
        if not source.task:
            raise PluginError(f"source {source.name!r}: names no task to attach to")
        yield {source.name}
    for kind, parts in given.parts.items():
        for part in parts:
            check_part(kind, part)
            yield {f"{kind} {part.name}"}


def check_part(kind: str, part: object) -> None:
    """Raise PluginError unless `part` is a Part with a valid name."""
    if not isinstance(part, Part):
        raise PluginError(f"found {type(part).__name__} where a Part ({kind}) is needed")
    _check_name(kind, part.name)
    _check_part(f"{kind} {part.name!r}", "make", part.make)


def check_task(task: object) -> None:
    """Raise PluginError unless `task` is a Task with valid parts."""
    if not isinstance(task, Task):
        raise PluginError(f"found {type(task).__name__} where a Task is needed")
    _check_name("task", task.name)
    what = f"task {task.name!r}"
    check_source(task.source)
    if task.source.task not in ("", task.name):
        raise PluginError(f"{what}: its own source names another task, {task.source.task!r}")
    if task.source.input == "apart":
        raise PluginError(f"{what}: its own source has the input 'apart', which cannot be used for prediction")
    _check_output(what, task.output)
    if not task.metric_names:
        raise PluginError(f"{what}: no metrics")
    for name in task.metric_names:
        if name not in METRICS:
            raise PluginError(f"{what}: {unknown('metric', name, METRICS)}")
    _check_part(what, "head", task.head)


def _check_output(what: str, output: Output) -> None:
    for part in ("parse", "read", "present"):
        if not callable(getattr(output, part, None)):
            raise PluginError(f"{what}: its output, {type(output).__name__}, has no method {part!r}")
    if not isinstance(output.width, int) or output.width < 1:
        raise PluginError(f"{what}: the width of its output is {output.width!r}, not 1 or more")
    if json.loads(json.dumps(output.describe())).get("kind") != output.kind:
        raise PluginError(f"{what}: its output's description does not give its kind, {output.kind!r}")


def check_source(source: object) -> None:
    """Raise PluginError unless `source` is a Source with valid parts."""
    if not isinstance(source, Source):
        raise PluginError(f"found {type(source).__name__} where a Source is needed")
    _check_name("source", source.name)
    what = f"source {source.name!r}"
    if not isinstance(source.task, str):
        raise PluginError(f"{what}: task {source.task!r} is not the name of a task")
    if source.input not in get_args(InputKind):
        raise PluginError(f"{what}: {unknown('input', str(source.input), get_args(InputKind))}")
    if not isinstance(source.weight, (int, float)) or not 0 < source.weight < math.inf:
        raise PluginError(f"{what}: weight {source.weight!r} is not a positive, finite number")
    if not callable(source.reader):
        raise PluginError(f"{what}: reader {source.reader!r} cannot be called")
    _check_part(what, "loss", source.loss)


def _check_name(kind: str, name: object) -> None:
    """Raise PluginError for an invalid name; names become file names and words on the command line."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(f"{kind} name {name!r} is not made of a-z, 0-9, '-' and '_', a letter or digit first")
    if name in RESERVED:
        raise PluginError(f"{kind} name {name!r} is reserved")


def _check_part(what: str, role: str, part: str | Callable[..., Any]) -> None:
    if not (PART.fullmatch(part) if isinstance(part, str) else callable(part)):
        raise PluginError(f"{what}: {role} {part!r} is neither callable nor a name such as 'package.module:name'")
