"""Apply a model to tokenized data: raw outputs in the data's order, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtft.data.packing import micro_batches, pack
from mtft.data.tokenization import TokenTable
from mtft.metrics import metric
from mtft.model import MultiTaskModel
from mtft.outputs import Array
from mtft.tasks.task import Task

BUDGET = 8192
"""Tokens per micro-batch when no gradient is kept."""


@torch.no_grad()
def apply(
    model: MultiTaskModel, table: TokenTable, tasks: Sequence[str], budget: int = BUDGET
) -> dict[str, NDArray[np.float32]]:
    """Return raw outputs [n, width] per task, n > 0; one encoder pass serves all tasks given."""
    model.eval()
    device = next(model.parameters()).device
    parts: dict[str, list[NDArray[np.float32]]] = {task: [] for task in tasks}
    cuts = micro_batches(table.example_lengths, budget)
    for rows in cuts:
        for task, outputs in model(pack((table, rows), device=device), tasks).items():
            parts[task].append(outputs.float().cpu().numpy())
    order = np.argsort(np.concatenate(cuts))
    return {task: np.concatenate(arrays)[order] for task, arrays in parts.items()}


def read_values(model: MultiTaskModel, task: Task, table: TokenTable) -> Array:
    """Return the task's readable values: probabilities [n, C] or scores [n]."""
    return task.output.read(apply(model, table, [task.name])[task.name])


def scores(task: Task, values: Array, targets: NDArray[Any]) -> dict[str, float]:
    """Return the task's metrics, the primary one first, of readable values against targets [n]."""
    return {name: metric(name).function(values, targets) for name in task.metric_names}
