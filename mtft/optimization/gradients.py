"""Gradients of one task's loss, accumulated micro-batch by micro-batch: one graph alive at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mtft.data.packing import micro_batches, pack, send
from mtft.data.tokenization import Ints, TokenTable
from mtft.errors import PluginError, plugin_guard
from mtft.model.multitask import MultiTaskModel, shown
from mtft.optimization.distillation import Distance
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.seeding import seeded


@dataclass(frozen=True)
class Teacher:
    """A teacher's raw outputs [n, width] for a source's rows, and the distance of other outputs from them."""

    outputs: Tensor
    distance: Distance


@dataclass(frozen=True)
class TrainingSource:
    """One source in training: its task, its tokens, its targets [n] and its loss per example.

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


def accumulate(
    model: MultiTaskModel,
    parts: Sequence[tuple[TrainingSource, Ints, float]],
    *,
    budget: int,
    seed: tuple[object, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    group: Group = ALONE,
    skip: int = 0,
    taught: float = 0.0,
) -> float:
    """Add the gradient of one task's loss to the model's gradients; return that loss.

    `parts` are (source, rows, scale) of the task's sources; the loss is the sum over rows of scale times loss.
    Sources share micro-batches of at most `budget` tokens. Their size affects dropout only, which is drawn per
    micro-batch from `seed` (run seed and names). `progress` gets the examples and tokens of each micro-batch done.
    In a `group`, gradient and loss cover this process's share of the rows. The first `skip` micro-batches, done
    before, are left out. `taught` is the teachers' share of the loss, in sources that have one.
    """
    (task,) = {source.task for source, _, _ in parts}
    device = next(model.parameters()).device
    owners = np.repeat(np.arange(len(parts)), [len(rows) for _, rows, _ in parts])
    every = np.concatenate([rows for _, rows, _ in parts])
    lengths = np.concatenate([source.table.example_lengths[rows] for source, rows, _ in parts])
    total = 0.0
    own = group.own(lengths)
    for number, cut in enumerate(own[cut] for cut in micro_batches(lengths[own], budget)):
        if number < skip:
            continue
        present = [(*parts[owner][::2], every[cut[owners[cut] == owner]]) for owner in np.unique(owners[cut])]
        batch = pack(*((source.table, rows) for source, _, rows in present), device=device)
        with seeded(*seed, number * group.size + group.rank) if seed else nullcontext():
            outputs = model(batch, [task])[task]
        sizes = [len(rows) * source.table.per_example for source, _, rows in present]
        loss = outputs.new_zeros(())
        for (source, scale, rows), mine in zip(present, outputs.split(sizes), strict=True):
            loss = loss + scale * example_losses(source, mine, rows, taught).sum()
        if loss.requires_grad:  # a loss that depends on no weight has no gradient
            loss.backward()
        total += float(loss.detach())
        if progress:
            progress(len(cut), batch.tokens)
    return total


def example_losses(source: TrainingSource, outputs: Tensor, rows: Ints, taught: float = 0.0) -> Tensor:
    """Return one loss per example [B] from the outputs of its sequences, shaped as the loss expects."""
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
