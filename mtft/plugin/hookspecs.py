"""The hooks that a plugin may implement; a module listed under the entry-point group ``mtft`` is a plugin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mtft.tasks.part import Part
    from mtft.tasks.task import Source, Task

API_VERSION = 1
"""Version of these hooks; a plugin with another ``MTFT_API_VERSION`` is not loaded."""

hookspec = pluggy.HookspecMarker("mtft")
hookimpl = pluggy.HookimplMarker("mtft")


@hookspec
def mtft_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Return tasks, each with its own dataset, head and metrics."""


@hookspec
def mtft_sources() -> Iterable[Source]:  # type: ignore[empty-body]
    """Return augmentation sources; the `task` of each is the task that it helps to train."""


@hookspec
def mtft_heads() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return heads, which declared tasks choose by name."""


@hookspec
def mtft_surgery() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return surgery methods (setting `surgery`), which map the Gram matrix of the tasks' gradients to task weights."""


@hookspec
def mtft_scores() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return selection scores (setting `score`), which map model and training data to a number per encoder weight."""


@hookspec
def mtft_encoders() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return families of encoders, named as in ``config.json``, which build encoders from model directories."""


@hookspec
def mtft_trackers() -> Iterable[Part]:  # type: ignore[empty-body]
    """Return trackers (setting `trackers`), which receive all records that a run logs and cannot change the run."""
