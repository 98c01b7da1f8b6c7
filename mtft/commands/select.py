"""``mtft select``: score the encoder's weights on the training data and keep the best as a mask."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtft.config.schema import SelectConfig, TrainConfig
from mtft.data.sampling import epoch_batches
from mtft.errors import ConfigError, MtftError, command, setting
from mtft.io.directories import remove_directory
from mtft.io.disk import check_room
from mtft.model.flat import FlatParameters
from mtft.plugin.context import Context, Progress
from mtft.runs.directory import RunDirectory, free_path
from mtft.runs.fingerprints import PRETRAINED, fingerprints, settings_digest
from mtft.runs.resume import check_material, check_position, check_settings, part_directory
from mtft.runs.state import load_state, save_state
from mtft.runtime import processes
from mtft.selection.budget import top_groups, top_k, top_k_per_tensor
from mtft.selection.gradient_score import Save
from mtft.selection.mask import Mask, save_mask
from mtft.selection.scorers import Scoring, checked
from mtft.training.agreement import check_same_across_ranks
from mtft.training.autosave import Autosaver
from mtft.training.count import count_selected
from mtft.training.diagnosis import first_entry, not_finite_outputs
from mtft.training.loading import data_directory
from mtft.training.preparation import Prepared, chosen_parts, prepare
from mtft.training.resources import scores_held


@dataclass(frozen=True)
class SelectResult:
    """A mask file and how its selection spreads: shares kept per layer and per kind of tensor."""

    path: Path
    selected: int
    total: int
    layers: dict[str, float]
    kinds: dict[str, float]


def select(config: SelectConfig, context: Context, resume: Path | None = None) -> SelectResult:
    """Score, select and write the mask file; a directory beside it holds what a `resume` needs, until it is written."""
    group = context.group
    path = resume or group.path(lambda: _new_path(config))
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; a mask is a file", setting="resume" if resume else "out")
    part = part_directory(path)
    going_on = resume is not None or (processes.restarts() > 0 and group.any(group.first and part.is_dir()))
    if going_on and group.first:
        check_settings(part, "select", config, context)
    if group.first:
        check_room(path)
    prepared = prepare(config, context)
    check_same_across_ranks(config, prepared, group)
    if group.first:
        scores = 4 * len(prepared.encoder) * scores_held(config)
        check_room(path, [count_selected(config.keep, len(prepared.encoder)), *[scores] * (1 if resume else 2)])
    made_of = fingerprints({PRETRAINED: prepared.digest}, prepared.sources)
    if going_on:
        if group.first:
            check_material(part, made_of)
        run = RunDirectory.reopen(part, config, writes=group.first)
    else:
        needs = context.provenance.requirements([*chosen_parts(config), f"encoder {prepared.model.encoder.family}"])
        facts = {"plugins": needs, "material": made_of}
        run = RunDirectory.create(
            part, config, "select", data_directory(config), facts, overwrite=True, writes=group.first
        )
    autosaver = Autosaver(
        config.checkpoint_every, config.max_time, f"go on with {command('select', resume=path)}", group
    )
    with run, autosaver.watching():
        try:
            mask = choose(prepared, config, context, run, autosaver)
        except ConfigError:  # going on would end here again
            if group.first:
                remove_directory(part)
            raise
        if group.first:
            save_mask(path, mask)
            remove_directory(part)
    return SelectResult(path, len(mask.indices), mask.total, *shares(prepared.encoder, mask.indices))


def _new_path(config: SelectConfig) -> Path:
    """Return where the mask goes; ConfigError if its selection is begun already."""
    path = free_path(config.out, f"masks/{'-'.join(config.tasks)}", ".safetensors", overwrite=config.overwrite)
    if part_directory(path).is_dir() and not (config.overwrite or processes.restarts()):
        right = command("select", resume=path)
        raise ConfigError(f"{path} is begun; go on with {right}, or give {setting('overwrite', True)}", setting="out")
    return path


def choose(
    prepared: Prepared, config: SelectConfig | TrainConfig, context: Context, run: RunDirectory, autosaver: Autosaver
) -> Mask:
    """Select the encoder weights that will train, all of them when `keep` is one; goes on from the run's state."""
    flat = prepared.encoder
    if config.scope == "tensor" and config.granularity != "element":
        raise ConfigError(
            f"{setting('scope', 'tensor')} ranks single weights, not a {config.granularity}; leave one of the two out"
        )
    count = count_selected(config.keep, len(flat))
    method = {
        "score": config.score, "keep": str(config.keep), "scope": config.scope,
        "granularity": config.granularity, "combine": config.combine,
        "batches": str(config.batches or "all"), "tasks": ",".join(config.tasks), "seed": str(config.seed),
        "sources": ",".join(source.name for source in prepared.sources),
    }  # fmt: skip
    if config.score == "bitfit":
        context.notify("info", f"selecting the encoder's biases; {setting('keep')} is not used")
        indices = _scores(prepared, config, context, run, autosaver).nonzero().squeeze(-1)
    elif count == len(flat):
        indices = torch.arange(count)
    else:
        context.notify("info", f"selecting {config.keep:%} of {len(flat):,} encoder weights by {config.score}")
        scores = _scores(prepared, config, context, run, autosaver)
        if not bool(scores.isfinite().all()):
            culprit = _culprit(prepared, config, scores)
            raise MtftError(f"the score {config.score!r} is not finite for every weight: {culprit}")
        indices = _top(scores, flat, config, count)
    return Mask(indices=indices, total=len(flat), base_digest=prepared.digest, method=method)


def _culprit(prepared: Prepared, config: SelectConfig | TrainConfig, scores: Tensor) -> str:
    """Name the first task with a loss that is not finite, its examples and layer; else the first weights."""
    sizes = {source.name: len(source) for source in prepared.sources}
    batches = epoch_batches(sizes, config.batch_size, config.seed, epoch=0)[: config.batches]
    for task in prepared.tasks:
        mine = [source for source in prepared.sources if source.task == task.name]
        for rows in batches:
            present = [source for source in mine if source.name in rows]
            found = not_finite_outputs(prepared.model, present, rows, config.micro_batch_tokens)
            if found[0].startswith("examples"):
                return f"task {task.name!r}: {'; '.join(found)}"
    return "; ".join(first_entry(prepared.encoder, None, scores, ~scores.isfinite(), "score"))


def _top(scores: Tensor, flat: FlatParameters, config: SelectConfig | TrainConfig, count: int) -> Tensor:
    """Return the indices of the highest scores: weights over the whole encoder or in each tensor, rows, or tensors."""
    try:
        if config.granularity != "element":
            return top_groups(scores, _group_sizes(flat, config.granularity), count)
        if config.scope == "global":
            return top_k(scores, count)
        return top_k_per_tensor(scores, flat.sizes, config.keep)
    except ValueError as error:
        raise ConfigError(str(error), setting="keep") from None


def _group_sizes(flat: FlatParameters, granularity: str) -> list[int]:
    """Return the sizes of the groups in the flat vector: tensors, or rows of matrices and entries of vectors."""
    if granularity == "tensor":
        return flat.sizes
    return [shape[1:].numel() for shape in flat.shapes for _ in range(shape[0] if shape else 1)]


def _scores(
    prepared: Prepared, config: SelectConfig | TrainConfig, context: Context, run: RunDirectory, autosaver: Autosaver
) -> Tensor:
    sizes = {source.name: len(source) for source in prepared.sources}
    batches = epoch_batches(sizes, config.batch_size, config.seed, epoch=0)[: config.batches]
    total, done, seen = sum(len(rows) for batch in batches for rows in batch.values()), 0, 0
    group = context.group
    total, cuts = -(-total // group.size), 0
    former = load_state(run.state) if run.writes else None
    if group.any(former is not None):
        former = group.of_first(*(former or ({}, None)))
        check_position(run.path, former[1], config)
        done, seen = former[1]["examples"], former[1]["tokens"]

    def keep(save: Save) -> None:
        nonlocal cuts
        cuts += 1

        def write() -> None:
            tensors, position = save()
            found = {"stage": "select", "position": position, "examples": done, "tokens": seen,
                     "settings": settings_digest(config)}  # fmt: skip
            if run.writes:
                save_state(run.state, tensors, found)
            run.log_time(scored=done)

        autosaver.after_step(cuts, write)

    def progress(examples: int, tokens: int) -> None:
        nonlocal done, seen
        autosaver.end_if_asked()
        done, seen = done + examples, seen + tokens
        context.progress(Progress(done, total, 0, {}, seen, unit="example"))

    scoring = Scoring(
        prepared.model,
        prepared.encoder,
        prepared.sources,
        batches,
        combination=config.combine,
        budget=config.micro_batch_tokens,
        seed=config.seed,
        dropout=config.selection_dropout,
        progress=progress,
        group=group,
        start=(former[0], former[1]["position"]) if former else None,
        keep=keep,
    )
    return checked(config.score, context.registry.load("score", config.score), scoring)


def shares(flat: FlatParameters, indices: Tensor) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of weights selected per layer and per kind of tensor, in the encoder's order."""
    ends = torch.tensor(flat.sizes).cumsum(0)
    below = torch.searchsorted(indices, ends)
    counts = torch.diff(below, prepend=below.new_zeros(1)).tolist()
    layers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, size, count in zip(flat.names, flat.sizes, counts, strict=True):
        layer = re.match(r"(?:.*?\.)?layers?\.\d+|[^.]+", name)
        kind = re.sub(r"(?:.*?\.)?layers?\.\d+\.", "", name)
        for table, key in ((layers, layer.group() if layer else name), (kinds, kind)):
            table[key][0] += count
            table[key][1] += size
    return tuple({key: kept / size for key, (kept, size) in table.items()} for table in (layers, kinds))  # type: ignore[return-value]
