"""The arithmetic limit: products of the real tokens at the matrix-product rate of the same machine and minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mtft.data.sampling import Rows
from mtft.encoder.bert import EncoderConfig
from mtft.heads import report_head
from mtft.optimization.gradients import TrainingSource
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, batches, sources

TOKENS = 2048


def step_flops(found: Sequence[TrainingSource], rows: Rows, config: EncoderConfig) -> float:
    """Count forward and backward of one batch: 6 per weight and token, 12 L^2 H per sequence and layer of attention.

    The heads' transformer layer counts as one more layer, pooler and projections once per sequence. Embeddings,
    LayerNorm, GELU, softmax, dropout and the optimizer count nothing.
    """
    size = config.hidden_size
    layer = 4 * size * size + 2 * size * config.intermediate_size
    head = report_head(config, 1)
    per_sequence = size * size + matrix_entries(head.feed_forward) + matrix_entries(head.projection)
    total = 0.0
    for source in found:
        if source.name not in rows:
            continue
        width = source.table.per_example
        lengths = source.table.lengths.reshape(-1, width)[rows[source.name]].reshape(-1).astype(float)
        layers = config.layers + 1
        total += 6 * (layers * layer * lengths.sum() + per_sequence * len(lengths))
        total += 12 * layers * size * (lengths**2).sum()
    return total


def matrix_entries(module: nn.Linear) -> int:
    """Count the entries of a linear layer's matrix."""
    return module.weight.numel()


def matrix_rate(config: EncoderConfig, seconds: float = 1.0) -> float:
    """Measure products per second (multiply and add count two) of a layer's shapes, forward and backward."""
    size, wide = config.hidden_size, config.intermediate_size
    shapes = [(size, 3 * size), (size, size), (size, wide), (wide, size)]
    sets = []
    for inner, outer in shapes:
        x, w, g = torch.randn(TOKENS, inner), torch.randn(outer, inner), torch.randn(TOKENS, outer)
        sets.append((x, w, g, torch.empty_like(g), torch.empty_like(x), torch.empty_like(w)))

    def once() -> None:
        for x, w, g, y, dx, dw in sets:
            torch.mm(x, w.t(), out=y)
            torch.mm(g, w, out=dx)
            torch.mm(g.t(), x, out=dw)

    once()
    flops, spent, count = 6 * TOKENS * sum(a * b for a, b in shapes), 0.0, 0
    while spent < seconds:
        spent += timed(once)
        count += 1
    return flops * count / spent


class Limit:
    """A candidate like the others, whose seconds are computed: arithmetic by the rate measured now."""

    def __init__(self, work: dict[str, Any], seconds: float = 2.0) -> None:
        self.work, self.seconds = Workload(**work), seconds
        self.sources, self.config = sources(self.work), self.work.config()

    def __call__(self, size: int, index: int) -> dict[str, Any]:
        """Return the least seconds for batch `index`."""
        every = batches(self.sources, size)
        rate = matrix_rate(self.config, self.seconds)
        flops = step_flops(self.sources, every[index % len(every)], self.config)
        return {"seconds": flops / rate, "rate": rate}


def limit(**options: Any) -> Limit:
    """Build the limit."""
    return Limit(**options)
