"""The context that every command receives in addition to its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mtft.plugin.manager import build_registry, load_plugins
from mtft.plugin.provenance import Provenance
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.notices import Notify, silent
from mtft.tasks.declared import with_declared
from mtft.tasks.registry import Registry


@dataclass(frozen=True)
class Progress:
    """Progress: step of total, epoch, mean losses per task so far in this epoch, tokens so far.

    A step is an optimizer step, or the given `unit`.
    """

    step: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    tokens: int
    unit: str = "step"


def _ignore(_: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Context:
    """The available tasks and parts, and the callbacks for messages.

    `notify` receives notices, and `progress` the position after each step; `group` are the processes that share the
    work.
    """

    registry: Registry
    provenance: Provenance
    notify: Notify = silent
    progress: Callable[[Progress], None] = _ignore
    group: Group = ALONE


def new_context(
    notify: Notify = silent,
    progress: Callable[[Progress], None] = _ignore,
    declared: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    file: str = "settings",
    group: Group = ALONE,
) -> Context:
    """Load the plugins, and return a context with all tasks; `declared` are the tables [tasks.NAME] of the `file`."""
    plugins = load_plugins()
    registry = with_declared(build_registry(plugins), declared, file)
    return Context(registry, Provenance(registry, plugins), notify, progress, group)
