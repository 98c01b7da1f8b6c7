"""Estimate the memory that each phase of a training needs, before it starts.

Weights, gradients, moments and masks follow from counts. For activations, a micro-batch goes through the forward and
backward pass on torch's meta device, where tensors have shapes but no data. The bytes of all live tensors are added up.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mtft.data.packing import micro_batches, pack
from mtft.data.tokenization import Ints, TokenTable
from mtft.encoder.bert import Encoder, EncoderConfig, SharedEncoder
from mtft.model.flat import FlatParameters
from mtft.model.multitask import apply_head, build_head
from mtft.model.parameters import ParameterCount
from mtft.tasks.task import Task

FLOAT, INDEX = 4, 8
"""Bytes of a number and of an index."""
HEAP = {"select": 1.5, "train": 1.6, "evaluate": 3.0}
"""Bytes of glibc's heap per live byte, measured with micro-batches of changing sizes."""


def phases(
    counts: ParameterCount,
    *,
    baseline: int,
    scoring: int,
    training: int,
    evaluation: int,
    scores: int = 1,
    asking: int = 0,
) -> dict[str, int]:
    """Return the peak bytes of each phase of a training.

    `baseline` is what Python, torch and the data hold; `scoring`, `training` and `evaluation` are the activations of
    the largest micro-batch of each; `scores` are the vectors [P] that selection keeps; `asking` is the memory that the
    largest teacher takes, if any.
    """
    total, chosen, heads, tasks = counts.encoder, counts.selected, counts.heads.values(), len(counts.heads)
    scoring, training = round(HEAP["select"] * scoring), round(HEAP["train"] * training)
    weights = baseline + FLOAT * (2 * total + sum(heads))  # theta and grad; the heads' theta
    select = weights + FLOAT * (scores * total + sum(heads))
    indices = total + INDEX * chosen  # which scores are finite; what is chosen
    held = weights + 3 * FLOAT * sum(heads)  # their gradients and moments
    held += chosen * (INDEX + 2 * FLOAT + tasks * FLOAT)  # indices, moments, gradient matrix [T, k]
    update = FLOAT * (chosen + max(heads))  # merged gradients
    return {
        "load": weights + FLOAT * total,  # the file's tensors, or the bytes that a digest is made of
        "select": select + max(scoring, indices),
        **({"ask teachers": weights + INDEX * chosen + asking} if asking else {}),
        "train": held + max(training, update),
        "evaluate": held + round(HEAP["evaluate"] * evaluation),
        "save": held + FLOAT * chosen,
        "check": held + FLOAT * (2 * total + sum(heads)) + max(FLOAT * total, total + INDEX * chosen),
    }


# ---- activations ----------------------------------------------------------------------------------------------


def activation_bytes(
    config: EncoderConfig,
    task: Task,
    lengths: Sequence[int],
    *,
    dropout: bool = True,
    backward: bool = True,
    kind: type[SharedEncoder] = Encoder,
) -> int:
    """Return the peak bytes, beyond weights and gradients, of one pass over sequences of these lengths [S].

    `kind` is the kind of encoder.
    """
    with torch.device("meta"):
        encoder, head = kind(config), build_head(task, config)
    held = [vector for module in (encoder, head) for vector in _vectors(module)]
    offsets = np.cumsum([0, *lengths])
    table = TokenTable(np.zeros(offsets[-1], np.int32), np.zeros(offsets[-1], np.uint8), offsets, 1)
    with torch.set_grad_enabled(backward), _Alive(held) as alive:
        encoded = encoder.train(dropout)(pack((table, np.arange(len(table))), device="meta"))
        outputs = apply_head(task.name, head.train(dropout), encoded, task.output.width)
        if backward:
            outputs.sum().backward()
    peak: int = alive.peak
    return peak


def _vectors(module: nn.Module) -> tuple[Tensor, Tensor]:
    flat = FlatParameters(module)
    return flat.theta, flat.grad


class _Alive(TorchDispatchMode):
    """Adds up the storage of tensors made inside and not yet freed; the tensors `held` existed before."""

    def __init__(self, held: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata: 0 for tensor in held}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._see(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known[key] = storage.nbytes()
            self.now += storage.nbytes()
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._known.pop(key)


# ---- which micro-batch needs most -----------------------------------------------------------------------------


def heaviest(
    config: EncoderConfig,
    tables: Mapping[str, Mapping[str, TokenTable]],
    batches: Iterable[Mapping[str, Ints]],
    budget: int,
) -> dict[str, tuple[int, list[int]]]:
    """Return for each task the cost of the micro-batch that needs most memory, and the lengths of its sequences.

    `tables` are each task's sources, and `batches` name rows of each; rows of other sources are ignored. A task without
    rows has 0, []. The cost counts the floats of linear layers per token and those of attention per pair of tokens.
    """
    every = {name: table for own in tables.values() for name, table in own.items()}
    tasks = {name: task for task, own in tables.items() for name in own}
    worst: dict[str, tuple[int, list[int]]] = dict.fromkeys(tables, (0, []))
    for batch in batches:
        parts: dict[str, list[Ints]] = {}
        for name, rows in batch.items():
            if name in tasks:
                lengths = every[name].lengths.reshape(-1, every[name].per_example)
                parts.setdefault(tasks[name], []).append(lengths[rows])
        for task, groups in parts.items():
            worst[task] = max(worst[task], _heaviest_cut(config, groups, budget), key=itemgetter(0))
    return worst


def _heaviest_cut(config: EncoderConfig, parts: Sequence[Ints], budget: int) -> tuple[int, list[int]]:
    """Return cost and lengths of the heaviest micro-batch; each of the parts has its rows' lengths [n, per_example]."""
    per_token = 18 * config.hidden_size + 2 * config.intermediate_size
    costs = np.concatenate([(part * (per_token + 2 * config.heads * part)).sum(1) for part in parts])
    cuts = micro_batches(np.concatenate([part.sum(1) for part in parts]), budget)
    if not cuts:
        return 0, []
    cut = max(cuts, key=lambda cut: int(costs[cut].sum()))
    groups = [group for part in parts for group in part]
    return int(costs[cut].sum()), [int(length) for index in cut for length in groups[index]]
