"""What every command is given beside its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mtft.errors import CheckpointError, PluginError, missing_distribution
from mtft.plugin.manager import BUILTIN, Plugins, build_registry, load_plugins
from mtft.runtime.distributed import ALONE, Group
from mtft.tasks.declared import OWNER, with_declared
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task


@dataclass(frozen=True)
class Progress:
    """How far something is: step of total, epoch, mean losses per task so far this epoch, tokens so far.

    A step is an optimizer step, or whatever `unit` says.
    """

    step: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    tokens: int
    unit: str = "step"


def _silent(_: object) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Services:
    """Tasks at hand, and whom to tell: `notify` takes a line for the user, `progress` each step."""

    registry: Registry
    plugins: Plugins
    notify: Callable[[str], None] = field(default=_silent)
    progress: Callable[[Progress], None] = field(default=_silent)
    group: Group = ALONE

    def needs(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Name the distributions, beside mtft, that give these tasks, sources and parts ("surgery NAME")."""
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            owner = self.registry.owners.get(name, OWNER)  # a task that a model declares itself is in no registry
            if owner not in (OWNER, BUILTIN.name):
                plugin = self.plugins.get(owner)
                entry = found.setdefault(plugin.distribution, {"version": plugin.version, "gives": []})
                entry["gives"].append(name)
        return found

    def demand(self, path: Path, needs: Mapping[str, Any]) -> None:
        """Raise CheckpointError, saying what to install, unless what `needs` told for `path` is here."""
        here = {plugin.distribution: plugin.version for plugin in self.plugins if plugin.status == "ok"}
        for distribution, entry in needs.items():
            version, gives = entry["version"], ", ".join(entry["gives"])
            if distribution not in here:
                raise CheckpointError(f"{path}: needs {gives} of {missing_distribution(distribution, version)}")
            if here[distribution] != version:
                self.notify(
                    f"WARNING: {path}: {gives} came from {distribution} {version}; {here[distribution]} is here"
                )

    @contextmanager
    def attribute_plugin_errors(self) -> Iterator[None]:
        """Say of an error in a plugin's code which plugin that is and what can be done."""
        try:
            yield
        except PluginError as error:
            task = self.registry.tasks.get(error.part)
            part = f"head {task.declaration['head']}" if task and task.declaration else error.part
            owner = self.registry.owners.get(part, BUILTIN.name)
            if owner in (BUILTIN.name, OWNER):
                raise
            plugin = self.plugins.get(owner)
            raise PluginError(f"{error}\n{plugin} gave it: tell its authors, or switch it off with "
                              f"MTFT_DISABLE_PLUGINS={plugin.name}") from error  # fmt: skip

    def origins(self, tasks: Iterable[Task], encoder: str) -> dict[str, dict[str, str]]:
        """Name the plugin, distribution and version that each task came from, and the encoder unless it is built in."""
        found = {task.name: self._origin(task) for task in tasks}
        plugin = self.plugins.get(self.registry.owner(f"encoder {encoder}"))
        if plugin.name != BUILTIN.name:
            origin = {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
            found[f"encoder {encoder}"] = origin
        return found

    def _origin(self, task: Task) -> dict[str, str]:
        """A declared task comes from settings, its head perhaps from a plugin."""
        named = f"head {task.declaration['head']}" if task.declaration else task.name
        plugin = self.plugins.get(self.registry.owner(named))
        if task.declaration and plugin.name == BUILTIN.name:
            return {"name": OWNER}
        name = OWNER if task.declaration else plugin.name
        return {"name": name, "distribution": plugin.distribution, "version": plugin.version}


def services(
    notify: Callable[[str], None] = _silent,
    progress: Callable[[Progress], None] = _silent,
    declared: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    place: str = "settings",
    group: Group = ALONE,
) -> Services:
    """Load the plugins and put the services together; `declared` are the tables [tasks.NAME] of the file `place`."""
    plugins = load_plugins()
    return Services(with_declared(build_registry(plugins), declared, place), plugins, notify, progress, group)
