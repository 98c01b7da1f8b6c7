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

    A step is an optimizer step, or the given `unit`. `phase` is what the steps do, such as "select" or "train"; with
    `epochs`, `epoch` is one of so many.
    """

    step: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    tokens: int
    unit: str = "step"
    phase: str = ""
    epochs: int = 0


@dataclass
class Evaluation:
    """Shows the progress of an evaluation of `total` examples, in `epoch` of `epochs` if it is part of a training.

    Each process of a group counts its own share.
    """

    context: Context
    total: int
    epoch: int = 0
    epochs: int = 0
    examples: int = 0
    tokens: int = 0

    def __call__(self, examples: int, tokens: int) -> None:
        """Add examples and tokens that were evaluated."""
        self.examples, self.tokens = self.examples + examples, self.tokens + tokens
        total = max(-(-self.total // self.context.group.size), self.examples)
        at = Progress(self.examples, total, self.epoch, {}, self.tokens, "example", "evaluate", self.epochs)
        self.context.progress(at)


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
