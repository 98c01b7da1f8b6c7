"""The hooks that a plugin may implement; a module listed under the entry-point group ``mtft`` is a plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mtft.tasks.part import Part
    from mtft.tasks.task import Source, Task

API_VERSION = 1
"""Version of these hooks; a plugin whose ``MTFT_API_VERSION`` is another is set aside."""

hookspec = pluggy.HookspecMarker("mtft")
hookimpl = pluggy.HookimplMarker("mtft")


@hookspec
def mtft_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Return tasks, each with its own dataset, head and metrics."""


@hookspec
def mtft_sources() -> Iterable[Source]:  # type: ignore[empty-body]
    """Return augmentation sources; each names in `task` the task that it helps to train."""


@hookspec
def mtft_heads() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return heads, which declared tasks choose by name."""


@hookspec
def mtft_surgery() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return surgery methods (setting `surgery`): from the Gram matrix of the tasks' gradients to a weight per task."""


@hookspec
def mtft_scores() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return selection scores (setting `score`): from model and training data to a number per encoder weight."""


@hookspec
def mtft_encoders() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return families of encoders, named as in ``config.json``: what makes a shared encoder of a model directory."""


@hookspec
def mtft_trackers() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return trackers (setting `trackers`): each receives whatever a run logs, and can change nothing in it."""
