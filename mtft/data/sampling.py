"""Which rows make up which batch: pure functions of (seed, epoch).

An epoch always has as many rows as all sources together. By default it has each row once. Other schedules draw tasks
in proportion to a power of their size. The power is one half ("sqrt"), or it falls from 1 in the first epoch to 0.2 in
the last ("annealed"; Stickland and Murray 2019, "BERT and PALs", section 4.2). Within a task, sources are always drawn
in proportion to their size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

import numpy as np

from mtft.data.tokenization import Ints
from mtft.runtime.seeding import numpy_generator

Rows = Mapping[str, Ints]
"""Rows of each source present in a batch."""

Sampling = Literal["proportional", "sqrt", "annealed"]
LEAST_POWER = 0.2
"""Power of the task size in the last epoch of annealed sampling."""


def power(sampling: Sampling, epoch: int, epochs: int) -> float:
    """Return the power of the task size used for sampling in `epoch` (from 1) of `epochs`."""
    if sampling == "annealed":
        return 1 - (1 - LEAST_POWER) * (epoch - 1) / max(epochs - 1, 1)
    return 1.0 if sampling == "proportional" else 0.5


def drawn(sizes: Mapping[str, int], tasks: Mapping[str, str], power: float) -> dict[str, int]:
    """Return how many rows of each source an epoch has; `tasks` names each source's task.

    The counts add up to the number of all rows. Rows left over by rounding go to the largest remainders; of equal
    remainders, to the first.
    """
    total = sum(sizes.values())
    if power == 1 or not total:
        return dict(sizes)
    of_task = {task: sum(size for name, size in sizes.items() if tasks[name] == task) for task in tasks.values()}
    weights = {name: size and size * of_task[tasks[name]] ** (power - 1) for name, size in sizes.items()}
    exact = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    found = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: found[name] - exact[name])[: total - sum(found.values())]
    return {name: count + (name in rest) for name, count in found.items()}


def epoch_batches(
    sizes: Mapping[str, int], batch_size: int, seed: int, epoch: int, counts: Mapping[str, int] | None = None
) -> Batches:
    """Shuffle an epoch's rows of all sources and cut them into batches.

    `sizes` maps source names to row counts. An epoch has each row once or, with `counts`, the given number of rows of
    each source: all its rows as often as they fit, and some of them once more. A source without rows in a batch is
    absent from the batch's mapping.
    """
    names = list(sizes)
    starts = np.cumsum([0, *sizes.values()])
    if counts is None or dict(counts) == dict(sizes):
        order = numpy_generator(seed, "order", epoch).permutation(int(starts[-1]))
    else:
        every = [
            start + _some(sizes[name], counts[name], seed, epoch, name)
            for name, start in zip(names, starts[:-1], strict=True)
        ]
        order = numpy_generator(seed, "order", epoch).permutation(np.concatenate(every))
    return Batches(names, starts, order, batch_size, range(-(-len(order) // batch_size)))


@dataclass(frozen=True)
class Batches(Sequence[Rows]):
    """The batches `numbers` of an epoch, each cut out of the shuffled `order` when it is asked for.

    `order` counts the rows of all sources end to end; the source i of `names` begins at `starts[i]`.
    """

    names: list[str]
    starts: Ints
    order: Ints
    size: int
    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Rows: ...
    @overload
    def __getitem__(self, index: slice) -> Batches: ...
    def __getitem__(self, index: int | slice) -> Rows | Batches:
        if isinstance(index, slice):
            return replace(self, numbers=self.numbers[index])
        begin = self.numbers[index] * self.size
        rows = self.order[begin : begin + self.size]
        owners = np.searchsorted(self.starts, rows, side="right") - 1
        return {self.names[i]: rows[owners == i] - self.starts[i] for i in np.unique(owners)}


def _some(size: int, count: int, seed: int, epoch: int, name: str) -> Ints:
    """Draw `count` of `size` rows; the numbers of times that two rows are drawn differ by one at most."""
    whole, rest = divmod(count, size) if size else (0, 0)
    more = numpy_generator(seed, "rows", name, epoch).permutation(size)[:rest]
    return np.concatenate([np.tile(np.arange(size), whole), more])
