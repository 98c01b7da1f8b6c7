"""Apply a model to tokenized data: raw outputs in the data's order, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.data.packing import micro_batches, pack
from mtft.data.table_union import merge
from mtft.data.tokenization import TokenTable
from mtft.errors import plugin_guard
from mtft.metrics import metric
from mtft.model.multitask import MultiTaskModel
from mtft.outputs import Array
from mtft.runtime.distributed import ALONE, Group
from mtft.tasks.task import Task

BUDGET = 8192
"""Tokens per micro-batch when no gradient is kept."""


Watch = Callable[[int, int], None]
"""Called after each micro-batch with the number of its examples and of its tokens."""


@torch.no_grad()
def apply(
    model: MultiTaskModel,
    table: TokenTable,
    tasks: Sequence[str],
    budget: int = BUDGET,
    group: Group = ALONE,
    watch: Watch | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return raw outputs [n, width] per task, n > 0; one encoder pass serves all tasks given.

    Each process of a `group` computes a share, and all return all outputs. `watch` follows the process's own share.
    """
    model.eval()
    device = next(model.parameters()).device
    lengths = table.example_lengths
    if len(table) < group.size:  # too few to share
        group = ALONE
    own = group.own(lengths)
    results: dict[str, Tensor] = {}
    for rows in (own[cut] for cut in micro_batches(lengths[own], budget)):
        for task, outputs in model(pack((table, rows), device=device), tasks).items():
            every = results.setdefault(task, torch.zeros(len(table), outputs.shape[1]))
            every[torch.from_numpy(rows)] = outputs.float().cpu()
        if watch:
            watch(len(rows), int(lengths[rows].sum()))
    return {task: group.sum(outputs).numpy() for task, outputs in results.items()}


def run_leader(
    model: MultiTaskModel, table: TokenTable, tasks: Sequence[str], group: Group
) -> dict[str, NDArray[np.float32]]:
    """Run `apply` in process 0 of a `group`, and send the table to the others, which run `run_worker`."""
    if group.size > 1:
        arrays = {"ids": table.ids, "segments": table.segments, "offsets": table.offsets}
        sent = {name: torch.from_numpy(array) for name, array in arrays.items()}
        group.of_first(sent, [list(tasks), table.per_example])
    return apply(model, table, tasks, group=group)


def stop_workers(group: Group) -> None:
    """End `run_worker` in the other processes."""
    if group.size > 1:
        group.of_first({}, [[], 0])


def run_worker(model: MultiTaskModel, group: Group) -> None:
    """Compute this process's share of each table that `run_leader` sends, until `stop_workers`."""
    while True:
        sent, (tasks, per_example) = group.of_first({}, None)
        if not tasks:
            return
        arrays = {name: tensor.numpy() for name, tensor in sent.items()}
        apply(model, TokenTable(**arrays, per_example=per_example), tasks, group=group)


def read_outputs(task: Task, raw: NDArray[np.float32]) -> Array:
    """Return the readable values of raw outputs [n, width], as the task's output reads them."""
    with plugin_guard(f"task {task.name!r}: reading its output", task.name):
        values = np.asarray(task.output.read(raw))
        if len(values) != len(raw):
            raise ValueError(f"{len(values)} values of {len(raw)} examples")
    return values


def read_together(
    model: MultiTaskModel,
    tasks: Sequence[Task],
    tables: Sequence[TokenTable],
    group: Group = ALONE,
    watch: Watch | None = None,
) -> list[Array]:
    """Return each task's readable values of its own table; rows that several tables share are encoded once."""
    merged, indices = merge(tables)
    raw = apply(model, merged, [task.name for task in tasks], group=group, watch=watch)
    return [read_outputs(task, raw[task.name][own]) for task, own in zip(tasks, indices, strict=True)]


def scores(task: Task, values: Array, targets: NDArray[Any]) -> dict[str, float]:
    """Return the task's metrics, the primary one first, of readable values against targets [n]."""
    with plugin_guard(f"task {task.name!r}: scoring it", task.name):
        return {name: metric(name).function(values, targets) for name in task.metric_names}
