"""``mtft plan``: estimate a training's parameters, disk, memory and time without training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from mtft.config.schema import CountConfig, TrainConfig
from mtft.data.packing import pack
from mtft.data.sampling import Rows
from mtft.io.disk import free_disk_bytes
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.paths import default_name, free_path
from mtft.runtime.memory import available_bytes
from mtft.selection.mask import load_mask
from mtft.training.choices import data_directory
from mtft.training.count import count_plan
from mtft.training.loading import missing_files
from mtft.training.preparation import Prepared, build_stepper
from mtft.training.resources import (
    Disk,
    Memory,
    ModelSize,
    disk_needed,
    make_plan,
    plan_heads,
    schedule,
    scored,
)
from mtft.training.setup import check_choices, set_up
from mtft.training.step import Stepper

PROBE_TOKENS = 2048
"""Tokens of the step that is timed."""


@dataclass(frozen=True)
class Work:
    """Optimizer steps, and the tokens of each phase."""

    steps: int
    tokens: Mapping[str, int]


@dataclass(frozen=True)
class PlanResult:
    """The needs of a training; those that depend on data are None if files are missing, which `missing` names."""

    parameters: ParameterCount
    disk: Disk
    memory: Memory | None = None
    work: Work | None = None
    seconds: Mapping[str, float] | None = None
    missing: tuple[str, ...] = ()
    free: Mapping[str, int] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return everything as one mapping."""
        memory, work, counts = self.memory, self.work, self.parameters
        return {
            "parameters": counts.report(),
            "optimizer": {"entries": counts.tunable, "moments": 2},
            "checkpoint_bytes": {"model": self.disk.model, "state": self.disk.state, "disk": self.disk.needed},
            "memory_bytes": memory and {**memory.phases, "peak": memory.peak},
            "micro_batch_tokens": memory and memory.micro_batch_tokens,
            "steps": work and work.steps,
            "tokens": work and dict(work.tokens),
            "seconds": self.seconds and {**self.seconds, "total": sum(self.seconds.values())},
            "available_bytes": dict(self.free),
            "missing": list(self.missing),
        }


def plan(config: TrainConfig, context: Context) -> PlanResult:
    """Count and tokenize as `train` would, estimate memory, then time a few steps; nothing is written."""
    path = free_path(config.out, f"runs/{default_name(config.tasks)}", overwrite=config.overwrite)
    free = {"memory": available_bytes(), "disk": free_disk_bytes(path)}
    if missing := _missing(config, context):
        check_choices(config, context)
        given = CountConfig(model=config.model, tasks=config.tasks, keep=config.keep)
        counts = count_plan(given, context, config.score)
        if config.mask:
            counts = replace(counts, selected=len(load_mask(config.mask, total=counts.encoder).indices))
        return PlanResult(counts, disk_needed(config, counts), missing=tuple(missing), free=free)
    setup = set_up(config, path, context)
    work = _work(setup.config, setup.prepared, setup.teachers)
    seconds = _seconds(setup.config, setup.prepared, context, setup.counts, work, setup.teachers)
    return PlanResult(setup.counts, setup.disk, setup.memory, work, seconds, free=free)


def _missing(config: TrainConfig, context: Context) -> list[str]:
    """Return the missing files of the tasks' own sources."""
    directory = data_directory(config)
    sources = [context.registry.task(name).source for name in config.tasks]
    wanted = [(source, split) for source in sources for split in ("train", "dev")]
    return [str(path) for source, split in wanted for path in missing_files(source, split, directory)]


def _work(config: TrainConfig, prepared: Prepared, teachers: Sequence[ModelSize]) -> Work:
    sizes = prepared.sizes
    lengths = {source.name: source.table.example_lengths for source in prepared.sources}

    def tokens(batches: Iterable[Rows]) -> int:
        return sum(int(lengths[name][chosen].sum()) for rows in batches for name, chosen in rows.items())

    steps = make_plan(config).steps(sizes)
    epochs = -(-steps // -(-sum(sizes.values()) // config.batch_size))
    found = {}
    if config.head_epochs:
        found["start heads"] = tokens(schedule(plan_heads(config), prepared.sources))
    found["select"] = tokens(scored(config, sizes))
    if teachers:
        found["ask teachers"] = sum(_to_answer(prepared, teacher) for teacher in teachers)
    found["train"] = tokens(schedule(make_plan(config), prepared.sources))
    found["evaluate"] = epochs * sum(len(data.table.ids) for data in prepared.dev.values())
    return Work(steps, found)


def _to_answer(prepared: Prepared, teacher: ModelSize) -> int:
    """Return the tokens of the rows for which a teacher computes outputs."""
    names = [task.source.name for task in teacher.tasks]
    return sum(len(source.table.ids) for source in prepared.sources if source.name in names)


# ---- time -----------------------------------------------------------------------------------------------------


def _seconds(
    config: TrainConfig,
    prepared: Prepared,
    context: Context,
    counts: ParameterCount,
    work: Work,
    teachers: Sequence[ModelSize],
) -> dict[str, float]:
    """Time real steps, without changing a weight, and some dev texts; return the estimated seconds of each phase."""
    every = torch.arange(counts.selected) * counts.encoder // counts.selected  # as many as will be selected
    selection = slice(None) if counts.selected == counts.encoder else every
    per_step, per_token = _step_time(config, prepared, context, selection)
    to_read = _read_time(prepared)
    seconds = {phase: per_token * tokens for phase, tokens in work.tokens.items()}
    seconds["train"] += per_step * work.steps
    seconds["evaluate"] = to_read * work.tokens["evaluate"]
    if teachers:
        own = prepared.model.encoder.config
        asked = sum(_to_answer(prepared, teacher) * teacher.work(own) for teacher in teachers)
        seconds["ask teachers"] = to_read * asked
    if config.head_epochs:
        per_step, per_token = _step_time(config, prepared, context, None)
        steps = plan_heads(config).steps(prepared.sizes)
        seconds["start heads"] = per_step * steps + per_token * work.tokens["start heads"]
    return seconds


def _step_time(
    config: TrainConfig, prepared: Prepared, context: Context, selection: torch.Tensor | slice | None
) -> tuple[float, float]:
    """Return the fixed seconds of a step and the seconds per token, from a line through two timed steps."""
    timed = build_stepper(prepared, config, context, selection)
    batch = next(iter(schedule(make_plan(config), prepared.sources)))
    whole = _tokens(timed, batch)
    share = min(1.0, PROBE_TOKENS / whole)
    few = {name: rows[:1] for name, rows in batch.items()}
    many = {name: rows[: max(1, round(share * len(rows)))] for name, rows in batch.items()}
    timed.step(few, 0.0, 0)  # warm-up of torch
    short, long = _timed(lambda: timed.step(few, 0.0, 0)), _timed(lambda: timed.step(many, 0.0, 0))
    more = _tokens(timed, many) - _tokens(timed, few)
    per_token = (long - short) / more if more and long > short else long / _tokens(timed, many)
    return max(0.0, short - per_token * _tokens(timed, few)), per_token


@torch.no_grad()
def _read_time(prepared: Prepared) -> float:
    """Return the seconds per token without a gradient, from texts spread over one task's dev split."""
    task, data = next(iter(prepared.dev.items()))
    rows = np.arange(0, len(data), -(-len(data.table.ids) // PROBE_TOKENS))
    batch = pack((data.table, rows))
    prepared.model.eval()
    return _timed(lambda: prepared.model(batch, [task])) / batch.tokens


def _tokens(timed: Stepper, rows: Rows) -> int:
    return sum(int(timed.sources[name].table.example_lengths[chosen].sum()) for name, chosen in rows.items())


def _timed(function: Callable[[], object]) -> float:
    """Return the seconds of the faster of two calls."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
