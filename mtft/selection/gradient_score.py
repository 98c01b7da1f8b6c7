"""How much each encoder weight matters at the start of training.

The second-order approximation of Fu et al. 2022 (arXiv 2211.15583) keeps the weights whose squared gradient of
the training loss is largest; with a random head in front, since heads are untrained then. Other scores are
there to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mtft.data.sampling import Rows
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource, accumulate
from mtft.runtime.distributed import ALONE, Group
from mtft.runtime.seeding import torch_generator

Statistic = Literal["sum", "abs", "fisher"]
Combination = Literal["joint", "normalised"]
Position = Sequence[int]
"""How far a scoring is: tasks done, chunks of the next task done, micro-batches of its next chunk done."""
Save = Callable[[], tuple[dict[str, Tensor], Position]]
"""Returns what a scoring needs to go on."""


def gradient_score(
    model: MultiTaskModel,
    flat: FlatParameters,
    sources: Sequence[TrainingSource],
    batches: Sequence[Rows],
    *,
    statistic: Statistic = "sum",
    combination: Combination = "joint",
    budget: int = 2048,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    group: Group = ALONE,
    start: tuple[Mapping[str, Tensor], Position] | None = None,
    keep: Callable[[Save], None] | None = None,
) -> Tensor:
    """Score every encoder weight [P] by the gradient of the whole loss over some batches.

    "sum" squares the summed gradient, "abs" sums its absolute value batch by batch (and squares that),
    "fisher" sums its square batch by batch. Each task's loss is its mean over all rows, so tasks count alike:
    "joint" adds the tasks' gradients (with "sum"), their absolute gradients ("abs") or their scores ("fisher"; with
    these two each task has batches of its own), "normalised" divides each task's score by its sum first. Dropout is on
    only with a `seed`. `progress` is told the examples and tokens of each micro-batch done.
    The processes of a `group` read a share each and get the same score. After each micro-batch, in a group after each
    chunk, `keep` is given what returns the tensors and the position from which to `start` again, with the same result
    to the bit.
    """
    model.train(seed is not None)
    counts = {source.name: sum(len(rows.get(source.name, ())) for rows in batches) for source in sources}
    tensors = {name: torch.zeros_like(flat.theta) for name in ("total", "score")[: 1 + (combination == "normalised")]}
    total, score = tensors["total"], tensors.get("score", tensors["total"])
    tasks_done, chunks_done, skip = (0, 0, 0) if start is None else start[1]
    flat.zero_grad()
    if start is not None:
        for name, tensor in tensors.items():
            tensor.copy_(start[0][name])
        if group.size == 1:
            flat.grad.copy_(start[0]["grad"])
        else:  # what one process had of a chunk is no share of it
            skip = 0
    for place, task in list(enumerate(dict.fromkeys(source.task for source in sources)))[tasks_done:]:
        present = [source for source in sources if source.task == task and counts[source.name]]
        weight = sum(source.weight for source in present)
        scales = {source.name: source.weight / weight / counts[source.name] for source in present}
        for number, rows in list(enumerate(_chunks(batches, present, whole=statistic == "sum")))[chunks_done:]:
            names = () if seed is None else (seed, "select", task, number)
            parts = [(source, rows[source.name], scales[source.name]) for source in present if source.name in rows]
            watch = _watch(tensors, flat, (place, number), skip, progress, keep if group.size == 1 else None)
            accumulate(model, parts, budget=budget, seed=names, progress=watch, group=group, skip=skip)
            group.sum(flat.grad)
            _add(score, flat.grad, statistic)
            flat.zero_grad()
            skip = 0
            if keep and group.size > 1:
                keep(_state(tensors, flat, (place, number + 1, 0)))
        chunks_done = 0
        if combination == "normalised":
            _square(score, statistic)
            whole = float(score.cpu().sum(dtype=torch.float64).clamp_min(torch.finfo(score.dtype).tiny))
            total += score / whole
            score.zero_()
    return _square(total, statistic) if combination == "joint" else total


def _watch(
    tensors: Mapping[str, Tensor],
    flat: FlatParameters,
    place: tuple[int, int],
    done: int,
    progress: Callable[[int, int], None] | None,
    keep: Callable[[Save], None] | None,
) -> Callable[[int, int], None]:
    """Return what is to be called after each micro-batch."""

    def watch(examples: int, tokens: int) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(examples, tokens)
        if keep:
            keep(_state(tensors, flat, (*place, done)))

    return watch


def _state(tensors: Mapping[str, Tensor], flat: FlatParameters, position: Position) -> Save:
    """Return what returns the state of a scoring."""
    return lambda: ({**tensors, "grad": flat.grad}, position)


def _chunks(batches: Sequence[Rows], sources: Sequence[TrainingSource], *, whole: bool) -> list[Rows]:
    """Take batches that hold any of the sources as they are, or, where only the total counts, all rows at once."""
    names = [source.name for source in sources]
    held = [rows for rows in batches if any(name in rows for name in names)]
    if not whole or not held:
        return held
    return [{name: np.concatenate([rows[name] for rows in held if name in rows]) for name in names}]


def _add(score: Tensor, grad: Tensor, statistic: Statistic) -> None:
    if statistic == "sum":
        score += grad
    elif statistic == "abs":
        score += grad.abs()
    else:
        score.addcmul_(grad, grad)


def _square(score: Tensor, statistic: Statistic) -> Tensor:
    return score if statistic == "fisher" else score.square_()


def random_score(size: int, seed: int) -> Tensor:
    """Draw scores [P] uniformly: a random mask."""
    return torch.rand(size, generator=torch_generator(seed, "random-score"))


def magnitude_score(theta: Tensor) -> Tensor:
    """Score weights [P] by their absolute value."""
    return theta.abs()


def bias_score(flat: FlatParameters) -> Tensor:
    """Score biases one and all other weights zero (BitFit, Zaken et al. 2022)."""
    score = torch.zeros_like(flat.theta)
    for name, part in zip(flat.names, score.split(flat.sizes), strict=True):
        if name.endswith(".bias"):
            part.fill_(1.0)
    return score
