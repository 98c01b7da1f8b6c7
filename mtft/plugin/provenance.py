"""The plugin that provides each task, source and part: stored with a run, required to use it, named in errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError, PluginError, missing_distribution
from mtft.plugin.manager import BUILTIN, Plugin, Plugins
from mtft.runtime.notices import Notify
from mtft.tasks.declared import OWNER
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task


@dataclass(frozen=True)
class Provenance:
    """The plugins that were found, and the registry of what each provides."""

    registry: Registry
    plugins: Plugins

    def requirements(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the distributions other than mtft that provide these tasks, sources and parts ("surgery NAME").

        Each has its "version" and what it "gives".
        """
        required: dict[str, dict[str, Any]] = {}
        for name in names:
            owner = self.registry.owners.get(name, OWNER)  # a task declared in a model is not in the registry
            if owner not in (OWNER, BUILTIN.name):
                plugin = self.plugins.get(owner)
                entry = required.setdefault(plugin.distribution, {"version": plugin.version, "gives": []})
                entry["gives"].append(name)
        return required

    def check(self, path: Path, requirements: Mapping[str, Any], notify: Notify) -> None:
        """Raise CheckpointError with the packages to install unless all `requirements` stored for `path` are met.

        A different version gives a warning.
        """
        versions = {plugin.distribution: plugin.version for plugin in self.plugins if plugin.status == "ok"}
        for distribution, entry in requirements.items():
            version, gives = entry["version"], ", ".join(entry["gives"])
            if distribution not in versions:
                raise CheckpointError(f"{path}: needs {gives} of {missing_distribution(distribution, version)}")
            if (installed := versions[distribution]) != version:
                notify("warning", f"{path}: {gives} came from {distribution} {version}; {installed} is installed")

    def origins(self, tasks: Iterable[Task], encoder: str) -> dict[str, dict[str, str]]:
        """Return the plugin, distribution and version of each task, and of the encoder unless it is built in."""
        origins = {task.name: self._origin(task) for task in tasks}
        plugin = self.plugins.get(self.registry.owner(f"encoder {encoder}"))
        if plugin.name != BUILTIN.name:
            origins[f"encoder {encoder}"] = _described(plugin.name, plugin)
        return origins

    def _origin(self, task: Task) -> dict[str, str]:
        """Return the origin of a task; a declared task comes from settings, its head possibly from a plugin."""
        part = f"head {task.declaration['head']}" if task.declaration else task.name
        plugin = self.plugins.get(self.registry.owner(part))
        if task.declaration and plugin.name == BUILTIN.name:
            return {"name": OWNER}
        return _described(OWNER if task.declaration else plugin.name, plugin)

    @contextmanager
    def attribute_errors(self) -> Iterator[None]:
        """Add the plugin and the possible remedies to an error raised in its code."""
        try:
            yield
        except PluginError as error:
            task = self.registry.tasks.get(error.part)
            part = f"head {task.declaration['head']}" if task and task.declaration else error.part
            owner = self.registry.owners.get(part, BUILTIN.name)
            if owner in (BUILTIN.name, OWNER):
                raise
            plugin = self.plugins.get(owner)
            advice = f"tell its authors, or switch it off with MTFT_DISABLE_PLUGINS={plugin.name}"
            raise PluginError(f"{error}\n{plugin} gave it: {advice}") from error


def _described(name: str, plugin: Plugin) -> dict[str, str]:
    return {"name": name, "distribution": plugin.distribution, "version": plugin.version}
