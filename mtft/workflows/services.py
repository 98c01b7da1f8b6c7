"""What every command is given beside its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mtft.distributed import ALONE, Group
from mtft.plugin.manager import Plugins, build_registry, load_plugins
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

    def origins(self, tasks: Iterable[Task]) -> dict[str, dict[str, str]]:
        """Name the plugin, distribution and version that each task came from."""
        return {task.name: {"name": OWNER} if task.declaration else self._origin(task.name) for task in tasks}

    def _origin(self, task: str) -> dict[str, str]:
        plugin = self.plugins.get(self.registry.owner(task))
        return {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}


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
