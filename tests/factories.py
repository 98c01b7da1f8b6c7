"""Toy models and sources: the built-in tasks on random tokens, and the naive gradient that every fast path equals."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.data.packing import TokenBatch, pack
from mtft.data.tokenization import TokenTable, load_tokenizer
from mtft.encoder.bert import Encoder, initialise
from mtft.encoder.pretrained import load_encoder, weights_digest
from mtft.errors import DISTRIBUTION
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel, build_model
from mtft.optimization.gradients import TrainingSource
from mtft.runs.checkpoint import TrainedModel
from mtft.runtime.seeding import numpy_generator, torch_generator
from mtft.selection.mask import Mask
from mtft.tasks.augmentation import CFIMDB, QUORA_CONSISTENCY, STS_CONSISTENCY
from mtft.tasks.quora import QUORA
from mtft.tasks.registry import Contribution, assemble
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.tasks.task import resolve
from mtft.testing.tiny import TINY, device_of_tests

Part = tuple[TrainingSource, NDArray[np.int64], float]

TASKS = (SST, QUORA, STS)
REGISTRY = assemble([Contribution("test", TASKS, (CFIMDB, QUORA_CONSISTENCY, STS_CONSISTENCY))])[0]
PLUGINS = {task.name: {"plugin": "test", "distribution": DISTRIBUTION, "version": "0"} for task in TASKS}
WORDS = 32
"""Toy texts use the word ids below this one, half of the tiny encoder's vocabulary."""
LONGEST = 12
"""Tokens of the longest toy text, a quarter of the tiny encoder's positions."""


def toy_model(dropout: float = 0.0, seed: int = 0) -> tuple[MultiTaskModel, FlatParameters]:
    """Build a tiny encoder with a head per task, all weights large enough to matter."""
    encoder = Encoder(replace(TINY, dropout=dropout, attention_dropout=dropout, head_dropout=dropout))
    initialise(encoder, torch_generator(seed, "toy"), scale=0.2)
    encoder.to(device_of_tests())
    model = build_model(encoder, TASKS, seed)
    for name, head in model.heads.items():
        initialise(head, torch_generator(seed, "toy", name), scale=0.2)
        head.to(device_of_tests())
    return model, FlatParameters(encoder)


def toy_source(name: str, count: int, seed: int = 0) -> TrainingSource:
    """Draw `count` examples of a built-in source: random tokens, random targets, its own loss and weight."""
    source = {**REGISTRY.sources, **{task.source.name: task.source for task in TASKS}}[name]
    generator = numpy_generator(seed, "toy", name)
    width = 2 if source.input == "apart" else 1
    offsets = np.cumsum([0, *generator.integers(2, LONGEST + 1, count * width)])
    ids = generator.integers(0, WORDS, offsets[-1]).astype(np.int32)
    segments = generator.integers(0, 2, offsets[-1]).astype(np.uint8)
    if name == "sts":
        targets = generator.uniform(0, 5, count)
    else:
        targets = generator.integers(0, 5 if name == "sst" else 2, count).astype(np.float64)
    return TrainingSource(
        name=name,
        task=source.task or name,
        table=TokenTable(ids, segments, offsets.astype(np.int64), width),
        targets=torch.from_numpy(targets.astype(np.float32)),
        loss=resolve(source.loss),
        weight=source.weight,
    )


def toy_sources(sizes: Mapping[str, int], seed: int = 0) -> list[TrainingSource]:
    """Draw several sources."""
    return [toy_source(name, count, seed) for name, count in sizes.items()]


@dataclass(frozen=True)
class Rowless:
    """Stands for a source where just its name, task and size matter."""

    name: str
    size: int
    task: str

    def __len__(self) -> int:
        return self.size


def rowless(sizes: Mapping[str, int], tasks: Mapping[str, str] | None = None) -> list[Rowless]:
    """Return several, each of a task of its own unless `tasks` says otherwise."""
    return [Rowless(name, size, (tasks or {}).get(name, name)) for name, size in sizes.items()]


def packed(*parts: tuple[TokenTable, NDArray[np.int64]]) -> TokenBatch:
    """Pack examples, given as (table, indices), where the tests' models are."""
    return pack(*parts, device=device_of_tests())


def mean_parts(sources: Sequence[TrainingSource], rows: Mapping[str, NDArray[np.int64]], task: str) -> list[Part]:
    """Return the parts of one task's loss: the weighted mean of the mean losses of its sources that are present."""
    present = [source for source in sources if source.task == task and source.name in rows]
    total = sum(source.weight for source in present)
    return [(source, rows[source.name], source.weight / total / len(rows[source.name])) for source in present]


def naive_gradient(model: MultiTaskModel, parts: Sequence[Part]) -> tuple[float, Tensor, Tensor]:
    """Loss of one task, and its gradients by the encoder [P] and by the task's head [H], in float64 without dropout.

    Every sequence goes through the model alone, one graph holds them all, and torch.autograd.grad differentiates it.
    """
    plain = copy.deepcopy(model).double().eval()
    task = parts[0][0].task
    total = torch.zeros((), dtype=torch.float64, device=device_of_tests())
    for source, rows, scale in parts:
        single, width = replace(source.table, per_example=1), source.table.per_example
        for row in rows.tolist():
            entries = [np.array([row * width + number]) for number in range(width)]
            outputs = [plain(packed((single, entry)), [task])[task] for entry in entries]
            shaped = outputs[0] if width == 1 else torch.stack(outputs)
            total = total + scale * source.loss(shaped, source.targets[row : row + 1].double().to(shaped.device)).sum()
    encoder, head = list(plain.encoder.parameters()), list(plain.heads[task].parameters())
    gradients = torch.autograd.grad(total, [*encoder, *head])
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    split = sum(parameter.numel() for parameter in encoder)
    return float(total.detach()), flat[:split], flat[split:]


def toy_trained(base: Path, *, full: bool = False, seed: int = 0) -> TrainedModel:
    """Make a trained model on a tiny model directory: every third weight, or all, moved at random, and fresh heads."""
    encoder = load_encoder(base)
    flat = FlatParameters(encoder)
    indices = torch.arange(0, len(flat), 1 if full else 3)
    mask = Mask(indices, len(flat), weights_digest(flat.theta), {"score": "toy"})
    model = build_model(encoder, TASKS, seed)
    flat.theta[indices] += 0.1 * torch.randn(len(indices), generator=torch_generator(seed, "move"))
    return TrainedModel(model, flat, mask, TASKS, load_tokenizer(base), TINY.positions, str(base))
