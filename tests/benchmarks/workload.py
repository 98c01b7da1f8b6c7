"""What every candidate works on: the same tokens, the same batches, the same model and starting weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.data.dataset import build_dataset
from mtft.data.sampling import Rows, epoch_batches
from mtft.data.tokenization import TokenTable, load_tokenizer
from mtft.encoder.bert import Encoder, EncoderConfig, initialise
from mtft.encoder.directory import find_model, known_config, read_config
from mtft.encoder.pretrained import load_encoder
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel, build_model
from mtft.optimization.gradients import TrainingSource, accumulate
from mtft.plugin.manager import build_registry, load_plugins
from mtft.runtime.seeding import torch_generator
from mtft.selection import budget
from mtft.tasks.task import Source, Task, resolve

TASKS = ("sst", "quora", "sts")
DROPOUT, HEAD_DROPOUT = 0.1, 0.3


@dataclass(frozen=True)
class Workload:
    """Where data and weights are and which are used; equal values mean equal work.

    `model` is "minilm", a directory, or a size known by name, which gets random weights and MiniLM's tokenizer.
    `share` is the part of each source's rows that is there, `cache` a directory that lasts as long as the benchmarks.
    """

    data: str
    cache: str
    model: str = "minilm"
    augment: bool = False
    dropout: bool = True
    share: float = 1.0
    threads: int = 2

    def config(self) -> EncoderConfig:
        """Return the encoder's sizes and dropouts."""
        config = read_config(Path(self.model)) if Path(self.model).is_dir() else known_config(self.model)
        if config is None:
            raise ValueError(f"no model is known as {self.model!r}")
        inner, head = (DROPOUT, HEAD_DROPOUT) if self.dropout else (0.0, 0.0)
        return replace(config, dropout=inner, attention_dropout=inner, head_dropout=head)

    @property
    def pretrained(self) -> Path | None:
        """Directory of the weights; None where they are random."""
        named = self.model == "minilm" or Path(self.model).is_dir()
        return find_model(self.model) if named else None

    @property
    def tokenizer(self) -> Path:
        return self.pretrained or find_model("minilm")

    def key(self, *parts: object) -> Path:
        """Return a file of the cache."""
        return Path(self.cache) / ("-".join(map(str, parts)).replace(os.sep, "_"))


def tasks() -> tuple[Task, ...]:
    """Return the three built-in tasks."""
    registry = build_registry(load_plugins())
    return tuple(registry.task(name) for name in TASKS)


def sources(work: Workload) -> list[TrainingSource]:
    """Return the training sources, tokenized once for all processes."""
    registry = build_registry(load_plugins())
    wanted = [(task.source, task.name) for task in tasks()]
    if work.augment:
        wanted += [(source, source.task) for task in TASKS for source in registry.sources_for(task)]
    return [_source(work, source, task) for source, task in wanted]


def _source(work: Workload, source: Source, task: str) -> TrainingSource:
    path = work.key("tokens", source.name, work.tokenizer.name, "train.npz")
    if not path.exists():
        tokenize(work, source, path)
    with np.load(path) as file:
        offsets, width, targets = file["offsets"], int(file["width"]), file["targets"]
        count = max(1, round(work.share * len(targets)))
        offsets = offsets[: count * width + 1]
        table = TokenTable(file["ids"][: offsets[-1]], file["segments"][: offsets[-1]], offsets, width)
    loss = resolve(source.loss)
    return TrainingSource(source.name, task, table, torch.from_numpy(targets[:count]), partial(loss), source.weight)


def tokenize(work: Workload, source: Source, path: Path, split: str = "train") -> None:
    """Write the tokens of one split of a source."""
    data = build_dataset(
        source.name,
        source.reader(split, Path(work.data)),
        load_tokenizer(work.tokenizer),
        apart=source.input == "apart",
        max_length=work.config().positions,
        strict=False,
    )
    table = data.table
    with open(f"{path}.{os.getpid()}", "wb") as file:
        np.savez(
            file,
            ids=table.ids,
            segments=table.segments,
            offsets=table.offsets,
            width=table.per_example,
            targets=data.targets,
        )
    os.replace(file.name, path)


def batches(found: Sequence[TrainingSource], size: int) -> list[Rows]:
    """Return the batches of an epoch, as mtft draws them: the shuffled union of all sources."""
    return list(epoch_batches({source.name: len(source) for source in found}, size, seed=0, epoch=1))


def tokens_in(found: Sequence[TrainingSource], rows: Rows) -> int:
    """Count the real tokens of a batch."""
    return sum(int(s.table.example_lengths[rows[s.name]].sum()) for s in found if s.name in rows)


def parts(
    found: Sequence[TrainingSource], rows: Rows, task: str
) -> list[tuple[TrainingSource, NDArray[np.int64], float]]:
    """Return (source, rows, scale) of one task: its loss is the weighted mean of its sources' mean losses."""
    present = [source for source in found if source.task == task and source.name in rows]
    total = sum(source.weight for source in present)
    return [(s, rows[s.name], s.weight / total / len(rows[s.name])) for s in present]


def encoder(work: Workload) -> Encoder:
    """Build the encoder with its starting weights."""
    config = work.config()
    if work.pretrained is None:
        fresh = Encoder(config)
        initialise(fresh, torch_generator(0, "benchmark"))
        return fresh
    drops = {key: asdict(config)[key] for key in ("dropout", "attention_dropout", "head_dropout")}
    return load_encoder(work.pretrained, **drops)


def model(work: Workload) -> tuple[MultiTaskModel, FlatParameters]:
    """Build the multi-task model with the report's heads."""
    body = encoder(work)
    return build_model(body, tasks(), seed=0), FlatParameters(body)


def selection(
    work: Workload,
    whole: MultiTaskModel,
    flat: FlatParameters,
    found: Sequence[TrainingSource],
    keep: float,
    granularity: str = "element",
) -> Tensor | slice:
    """Return the indices [k] of the best share by second-order approximation, on one batch of 96 to save time.

    `granularity` is "element", or "row" where mtft has it. Random weights get random scores.
    """
    if keep >= 1:
        return slice(None)
    path = work.key("selection", work.model, keep, granularity, work.share, f"{work.augment}.npy")
    if not path.exists():
        scores = _scores(work, whole, flat, found)
        count = round(keep * len(flat))
        if granularity == "element":
            indices = budget.top_k(scores, count)
        else:
            rows = [parameter[0].numel() for parameter in whole.encoder.parameters() for _ in range(len(parameter))]
            indices = budget.top_groups(scores, rows, count)
        np.save(path, indices.numpy())
    return torch.from_numpy(np.load(path))


def _scores(work: Workload, whole: MultiTaskModel, flat: FlatParameters, found: Sequence[TrainingSource]) -> Tensor:
    if work.pretrained is None:
        return torch.rand(len(flat), generator=torch_generator(0, "selection"))
    whole.eval()
    flat.zero_grad()
    rows = batches(found, 96)[-2:][0]
    for task in TASKS:
        if chosen := parts(found, rows, task):
            accumulate(whole, chosen, budget=2048)
    scores = flat.grad.square()
    flat.zero_grad()
    for head in whole.heads.values():
        head.zero_grad()
    return scores
