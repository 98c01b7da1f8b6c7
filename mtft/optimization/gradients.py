"""Gradients of one task's loss, accumulated micro-batch by micro-batch: one graph alive at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtft.data.packing import micro_batches, pack, send
from mtft.data.tokenization import TokenTable
from mtft.errors import PluginError, plugin_guard
from mtft.model.multitask import MultiTaskModel, shown
from mtft.optimization.distillation import Distance
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.seeding import seeded

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Teacher:
    """Teachers' raw outputs [n, width] for a source's rows, and the distance of other outputs from them."""

    outputs: Tensor
    distance: Distance


@dataclass(frozen=True)
class TrainingSource:
    """One source as training sees it: its task, its tokens, its targets [n] and its loss per example.

    `ids` name its examples in errors. With a `teacher`, part of the loss is the distance from it.
    """

    name: str
    task: str
    table: TokenTable
    targets: Tensor
    loss: Callable[[Tensor, Tensor], Tensor]
    weight: float = 1.0
    ids: Sequence[str] = ()
    teacher: Teacher | None = None

    def __len__(self) -> int:
        return len(self.table)


Part = tuple[TrainingSource, Ints, float]
"""Rows of a source, and the weight of each row's loss."""


class MicroBatches:
    """The gradient of one task's loss: `add` adds that of one micro-batch to the model's gradients.

    `parts` are the rows of the task's sources; the loss is the sum over rows of scale times loss. Sources share
    micro-batches of at most `budget` tokens. This size affects only dropout, which is drawn per micro-batch from `seed`
    (run seed and names). In a `group` the micro-batches hold this process's share of the rows. `taught` is the weight
    of the teachers in the losses of sources with a teacher.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        parts: Sequence[Part],
        *,
        budget: int,
        seed: tuple[object, ...] = (),
        group: Group = ALONE,
        taught: float = 0.0,
    ) -> None:
        (self.task,) = {source.task for source, _, _ in parts}
        self.model, self.parts, self.seed, self.group, self.taught = model, parts, seed, group, taught
        self._device = next(model.parameters()).device
        self._owners = np.repeat(np.arange(len(parts)), [len(rows) for _, rows, _ in parts])
        self._rows = np.concatenate([rows for _, rows, _ in parts])
        lengths = np.concatenate([source.table.example_lengths[rows] for source, rows, _ in parts])
        own = group.own(lengths)
        self._cuts = [own[cut] for cut in micro_batches(lengths[own], budget)]

    def __len__(self) -> int:
        return len(self._cuts)

    def add(self, number: int, progress: Callable[[int, int], None] | None = None) -> float:
        """Add the gradient of a micro-batch; return its part of the loss, and report its examples and tokens."""
        cut = self._cuts[number]
        present = []
        for owner in np.unique(self._owners[cut]):
            source, _, scale = self.parts[owner]
            present.append((source, self._rows[cut[self._owners[cut] == owner]], scale))
        batch = pack(*((source.table, rows) for source, rows, _ in present), device=self._device)
        names = (*self.seed, number * self.group.size + self.group.rank)
        with seeded(*names) if self.seed else nullcontext():
            outputs = self.model(batch, [self.task])[self.task]
        sizes = [len(rows) * source.table.per_example for source, rows, _ in present]
        loss = outputs.new_zeros(())
        for (source, rows, scale), mine in zip(present, outputs.split(sizes), strict=True):
            loss = loss + scale * example_losses(source, mine, rows, self.taught).sum()
        if loss.requires_grad:  # a loss that depends on no weight has no gradient
            loss.backward()
        total = float(loss.detach())
        if progress:
            progress(len(cut), batch.tokens)
        return total


def accumulate(
    model: MultiTaskModel,
    parts: Sequence[Part],
    *,
    budget: int,
    seed: tuple[object, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    group: Group = ALONE,
    taught: float = 0.0,
) -> float:
    """Add the gradient of one task's loss to the model's gradients, with `MicroBatches`; return that loss."""
    batches = MicroBatches(model, parts, budget=budget, seed=seed, group=group, taught=taught)
    total = 0.0
    for number in range(len(batches)):
        total += batches.add(number, progress)
    return total


def example_losses(source: TrainingSource, outputs: Tensor, rows: Ints, taught: float = 0.0) -> Tensor:
    """Return one loss per example [B] from the outputs of its sequences, in the form that the loss takes."""
    if source.teacher and taught:
        distances = source.teacher.distance(outputs, send(source.teacher.outputs.numpy()[rows], outputs.device))
        return taught * distances + (1 - taught) * example_losses(source, outputs, rows) if taught < 1 else distances
    width = source.table.per_example
    shaped = outputs if width == 1 else outputs.unflatten(0, (-1, width)).transpose(0, 1)
    targets = send(source.targets.numpy()[rows], outputs.device)
    what = f"source {source.name!r}: its loss"
    with plugin_guard(what, source.name):
        losses = source.loss(shaped, targets)
    if not isinstance(losses, Tensor) or not losses.is_floating_point() or losses.shape != targets.shape:
        wanted = f"one loss per example, floats {list(targets.shape)}"
        raise PluginError(f"{what} gave {shown(losses)}, not {wanted}", source.name)
    if shaped.requires_grad and not losses.requires_grad:
        raise PluginError(f"{what} gave numbers without a gradient", source.name)
    return losses
