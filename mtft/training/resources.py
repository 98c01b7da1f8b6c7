"""Estimate before a training starts what it needs: bytes of memory in each phase, and bytes on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mtft.config.schema import SelectConfig, TrainConfig
from mtft.config.values import size_text
from mtft.data.sampling import Rows, epoch_batches
from mtft.data.tokenization import TokenTable
from mtft.encoder.bert import EncoderConfig, SharedEncoder
from mtft.errors import ConfigError, setting
from mtft.io.disk import check_room
from mtft.model.inference import BUDGET
from mtft.model.parameters import ParameterCount
from mtft.optimization.gradients import TrainingSource
from mtft.runtime import processes
from mtft.runtime.distributed import Group
from mtft.runtime.memory import available_bytes, release, resident_bytes
from mtft.runtime.notices import Notify
from mtft.runtime.seeding import derive
from mtft.selection.mask import Mask
from mtft.tasks.task import Task
from mtft.training.activation_memory import FLOAT, HEAP, activation_bytes, heaviest, phases
from mtft.training.count import selected_by
from mtft.training.loop import Plan
from mtft.training.preparation import Prepared

SMALLEST = 64
"""Smallest micro-batch, in tokens; it is not halved further."""


@dataclass(frozen=True)
class ModelSize:
    """The size of a model: the numbers that it holds, its encoder, and the tasks that it is used for."""

    numbers: int
    encoder: EncoderConfig
    kind: type[SharedEncoder]
    tasks: tuple[Task, ...]

    def work(self, other: EncoderConfig) -> float:
        """Return the arithmetic per token, relative to that of another encoder."""
        return _products(self.encoder) / _products(other)


def _products(config: EncoderConfig) -> int:
    return config.layers * config.hidden_size * (4 * config.hidden_size + 2 * config.intermediate_size)


Tables = Mapping[str, Mapping[str, TokenTable]]
"""The token tables of each task's sources, by task and source."""


@dataclass(frozen=True)
class Memory:
    """Peak bytes of each phase, and the micro-batch size that they were computed for."""

    phases: Mapping[str, int]
    micro_batch_tokens: int

    @property
    def peak(self) -> int:
        return max(self.phases.values())

    @property
    def where(self) -> str:
        """Name the phase that needs most."""
        return max(self.phases, key=lambda name: self.phases[name])


@dataclass(frozen=True)
class Disk:
    """Bytes of the best model, and of the state that a resume needs, first of the selection and then of training.

    Each new version is written before the old one is removed, so two of each may exist. `heads` are those of the head
    epochs.
    """

    model: int
    state: int
    selection: int = 0
    heads: int = 0

    def files(self, *, going_on: bool = False) -> list[int]:
        """Return the sizes still to be written; a resumed run already has a model and a state."""
        begun = [self.heads] if self.heads else []
        return [*begun, *[self.model, max(self.state, self.selection)] * (1 if going_on else 2)]

    @property
    def needed(self) -> int:
        return sum(self.files())


def make_plan(config: TrainConfig) -> Plan:
    """Return how long and how fast to train."""
    return Plan(
        config.epochs,
        config.batch_size,
        config.lr,
        config.schedule,
        config.warmup,
        config.max_steps,
        config.seed,
        config.sampling,
    )


def plan_heads(config: TrainConfig) -> Plan:
    """Return how long and how fast to train the heads alone, with batches and dropout of their own."""
    seed = derive(config.seed, "head warm-up")
    return replace(make_plan(config), epochs=config.head_epochs, max_steps=None, seed=seed)


def schedule(plan: Plan, sources: Sequence[TrainingSource]) -> Iterator[Rows]:
    """Yield the rows of every step of a training."""
    sizes = {source.name: len(source) for source in sources}
    left = plan.steps(sizes)
    for epoch in range(1, plan.epochs + 1):
        for rows in plan.batches(sizes, {source.name: source.task for source in sources}, epoch)[:left]:
            yield rows
            left -= 1


def scored(config: TrainConfig, sizes: dict[str, int]) -> Sequence[Rows]:
    """Return the rows that selection reads at once; none if it needs no data."""
    if config.mask or config.keep == 1 or config.score in ("random", "magnitude", "bitfit"):
        return []
    batches = epoch_batches(sizes, config.batch_size, config.seed, epoch=0)[: config.batches]
    if config.score != "sum":
        return batches
    present = [name for name in sizes if any(name in rows for rows in batches)]
    return [{name: np.concatenate([rows[name] for rows in batches if name in rows]) for name in present}]


def count(config: TrainConfig, prepared: Prepared, mask: Mask | None) -> ParameterCount:
    """Count the stored and the tunable parameters."""
    total = len(prepared.encoder)
    sizes = dict(zip(prepared.encoder.names, prepared.encoder.sizes, strict=True))
    chosen = len(mask.indices) if mask else selected_by(config.score, config.keep, sizes)
    heads = {name: sum(p.numel() for p in head.parameters()) for name, head in prepared.model.heads.items()}
    return ParameterCount(total, chosen, heads)


def memory(
    config: TrainConfig,
    prepared: Prepared,
    counts: ParameterCount,
    baseline: int,
    teachers: Sequence[ModelSize] = (),
) -> Memory:
    """Return the bytes that each phase needs."""
    own = ModelSize(0, prepared.model.encoder.config, type(prepared.model.encoder), prepared.tasks)
    tables = {
        task.name: {source.name: source.table for source in prepared.sources if source.task == task.name}
        for task in prepared.tasks
    }
    tokens = config.micro_batch_tokens

    def most(tables: Tables, batches: Iterable[Rows], budget: int, **how: bool) -> int:
        return _activations(own, tables, batches, budget, **how)

    texts = {name: {name: data.table} for name, data in prepared.dev.items()}
    whole = [{name: np.arange(len(data)) for name, data in prepared.dev.items()}]
    found = phases(
        counts,
        baseline=baseline,
        scoring=most(tables, scored(config, prepared.sizes), tokens, dropout=config.selection_dropout),
        training=most(tables, schedule(make_plan(config), prepared.sources), tokens),
        evaluation=most(texts, whole, BUDGET, dropout=False, backward=False),
        scores=2 if config.combine == "normalised" else 1,
        asking=max((_asking(teacher, tables) for teacher in teachers), default=0),
    )
    return Memory(found, tokens)


def _asking(teacher: ModelSize, tables: Tables) -> int:
    """Return the peak bytes of a teacher while it computes outputs for its tasks' training texts."""
    sources = {task.name: {task.source.name: tables[task.name][task.source.name]} for task in teacher.tasks}
    rows = [{name: np.arange(len(table)) for each in sources.values() for name, table in each.items()}]
    activations = _activations(teacher, sources, rows, BUDGET, dropout=False, backward=False)
    return FLOAT * teacher.numbers + round(HEAP["evaluate"] * activations)


def _activations(model: ModelSize, tables: Tables, batches: Iterable[Rows], budget: int, **how: bool) -> int:
    """Return the bytes of the largest micro-batch; among tasks with the same kind of head, the longest texts count."""
    config, kind = model.encoder, model.kind
    worst: dict[object, tuple[int, list[int], str]] = {}
    most = heaviest(config, {task.name: tables[task.name] for task in model.tasks}, batches, budget)
    for task in model.tasks:
        cost, lengths = most[task.name]
        worst[task.head] = max(worst.get(task.head, (0, [], "")), (cost, lengths, task.name))
    tasks = {task.name: task for task in model.tasks}
    chosen = [(tasks[name], lengths) for _, lengths, name in worst.values() if lengths]
    return max((activation_bytes(config, task, lengths, kind=kind, **how) for task, lengths in chosen), default=0)


def fit(
    config: TrainConfig,
    prepared: Prepared,
    counts: ParameterCount,
    teachers: Sequence[ModelSize],
    group: Group,
) -> tuple[TrainConfig, Memory]:
    """Return the settings with micro-batches that fit into `max_memory` of each process, and the memory needed here.

    Sizes are halved until the run fits. If it never fits, ConfigError names the bytes needed. On a device other than
    the CPU, only the device's memory is counted.
    """
    release()
    held = 4 * (2 * len(prepared.encoder) + sum(counts.heads.values()))
    baseline = resident_bytes() - held if prepared.encoder.theta.device.type == "cpu" else 0
    baseline += 4 * counts.tunable if config.average != "none" else 0
    found = memory(config, prepared, counts, baseline, teachers)
    while config.max_memory is not None and found.peak > config.max_memory:
        smaller = found.micro_batch_tokens // 2
        if found.where not in ("select", "train") or smaller < SMALLEST:
            raise ConfigError(
                f"{setting('max_memory')} is {config.max_memory:,} bytes; this run "
                f"needs {found.peak:,} to {found.where}, "
                f"with micro-batches of {found.micro_batch_tokens} tokens"
            )
        config = config.model_copy(update={"micro_batch_tokens": smaller})
        found = memory(config, prepared, counts, baseline, teachers)
    smallest = min(map(int, group.texts(str(config.micro_batch_tokens))))
    return config.model_copy(update={"micro_batch_tokens": smallest}), found


def scores_held(config: SelectConfig | TrainConfig) -> int:
    """Return how many numbers per encoder weight the state of a selection holds."""
    given = isinstance(config, TrainConfig) and config.mask
    if given or config.keep == 1 or config.score not in ("sum", "abs", "fisher"):
        return 0
    return 3 if config.combine == "normalised" else 2


def disk_needed(config: TrainConfig, counts: ParameterCount) -> Disk:
    """Return the bytes that a training with these settings writes."""
    return disk(counts, scores_held(config), averaged=config.average != "none", begun=config.head_epochs > 0)


def disk(counts: ParameterCount, scores: int = 0, *, averaged: bool = False, begun: bool = False) -> Disk:
    """Return the bytes that a training writes, without small files.

    Its selection keeps `scores` numbers per weight. The state also holds averages and the last values, and with
    `begun` the heads of the head epochs.
    """
    total, chosen, heads = counts.encoder, counts.selected, sum(counts.heads.values())
    rare = (1 - chosen / total) ** 128  # share of gaps that take two bytes
    mask = 0 if chosen == total else min(-(-total // 8), round(chosen * (1 + rare)))
    state = (16 if averaged else 12) * (chosen + heads)
    return Disk(mask + 4 * (chosen + heads), state, 4 * scores * total, 4 * heads if begun else 0)


def check_machine(path: Path, needed: Disk, memory: Memory, notify: Notify) -> None:
    """Report the needs; raise ConfigError if the disk is too small, and warn if memory may be."""
    notify("info", f"memory: up to {size_text(memory.peak)} (to {memory.where}); disk: {size_text(needed.needed)}")
    check_room(path, needed.files())
    more, left = processes.local_size() * (memory.peak - resident_bytes()), available_bytes()
    if more > left:
        notify(
            "warning",
            f"memory: this run needs {size_text(more)} more, {size_text(left)} are available; "
            f"see {setting('max_memory')} and {setting('micro_batch_tokens')}",
        )
