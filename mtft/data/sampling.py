"""Which rows make up which batch: pure functions of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mtft.seeding import numpy_generator

Rows = Mapping[str, NDArray[np.int64]]
"""Rows of each source present in a batch."""


def epoch_batches(sizes: Mapping[str, int], batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """Shuffle the union of all sources and cut it into batches; every row appears exactly once.

    `sizes` maps source names to row counts. A source without a row in a batch is absent from its mapping.
    """
    names = list(sizes)
    starts = np.cumsum([0, *sizes.values()])
    order = numpy_generator(seed, "order", epoch).permutation(int(starts[-1]))
    batches: list[Rows] = []
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        owners = np.searchsorted(starts, rows, side="right") - 1
        batches.append({names[i]: rows[owners == i] - starts[i] for i in np.unique(owners)})
    return batches
