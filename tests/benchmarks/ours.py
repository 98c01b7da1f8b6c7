"""mtft's own candidates, through the same modules that its commands use."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from mtft.optimization.surgery import SURGERY, Surgery
from mtft.runtime.devices import keep_freed_memory
from mtft.training.step import Stepper
from tests.benchmarks.worker import timed
from tests.benchmarks.workload import Workload, batches, model, selection, sources, tokens_in


class Training:
    """Training steps of mtft; `options` go to `Stepper`."""

    def __init__(self, work: dict[str, Any], keep: float = 0.3, granularity: str = "element", **options: Any) -> None:
        keep_freed_memory()
        given = Workload(**work)
        self.sources = sources(given)
        self.model, self.flat = model(given)
        chosen = selection(given, self.model, self.flat, self.sources, keep, granularity)
        self.stepper = Stepper(self.model, self.flat, self.sources, chosen, **options)
        self.number, self.seconds = 0, 0.0

    def __call__(self, size: int, index: int, surgery: str | None = None) -> dict[str, Any]:
        """Take one step on batch `index` of `size` examples, with another surgery if asked."""
        if surgery:
            self.stepper.surgery = self.clocked(SURGERY[surgery])
        every = batches(self.sources, size)
        rows = every[index % len(every)]
        seconds = timed(lambda: self.stepper.step(rows, 1e-5, self.number))
        self.number += 1
        return {
            "seconds": seconds,
            "surgery": self.seconds,
            "tokens": tokens_in(self.sources, rows),
            "entries": self.entries(),
            "selected": self.stepper.gradients.shape[1],
            "heads": sum(len(head) for head in self.stepper.heads.values()),
        }

    def clocked(self, method: Surgery) -> Surgery:
        """Return a method that leaves the seconds of its last call in `seconds`."""

        def weights(K: Tensor, generator: torch.Generator) -> Tensor:
            begin = time.perf_counter()
            found = method(K, generator)
            self.seconds = time.perf_counter() - begin
            return found

        return weights

    def entries(self) -> int:
        """Count the numbers that the optimizer keeps."""
        return sum(o.exp_avg.numel() + o.exp_avg_sq.numel() for o in self.stepper.optimizers.values())


def training(**options: Any) -> Training:
    """Build mtft's step."""
    return Training(**options)
