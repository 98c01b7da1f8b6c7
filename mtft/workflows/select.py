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
from mtft.errors import ConfigError, MtftError
from mtft.optimization.flat import FlatParameters
from mtft.selection.budget import top_groups, top_k, top_k_per_tensor
from mtft.selection.mask import Mask, save_mask
from mtft.selection.score import bias_score, gradient_score, magnitude_score, random_score
from mtft.workflows.count import count_selected
from mtft.workflows.preparation import Prepared, prepare
from mtft.workflows.run_directory import free_path
from mtft.workflows.services import Progress, Services


@dataclass(frozen=True)
class SelectResult:
    """A mask file and how its selection spreads: shares kept per layer and per kind of tensor."""

    path: Path
    selected: int
    total: int
    layers: dict[str, float]
    kinds: dict[str, float]


def select(config: SelectConfig, services: Services) -> SelectResult:
    """Score, select and write the mask file."""
    path = free_path(config.out, f"masks/{'-'.join(config.tasks)}.safetensors", overwrite=config.overwrite)
    if path.is_dir():
        raise ConfigError(f"--out: {path} is a directory; a mask is a file")
    prepared = prepare(config, services)
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = choose(prepared, config, services)
    save_mask(path, mask)
    return SelectResult(path, len(mask.indices), mask.total, *shares(prepared.encoder, mask.indices))


def choose(prepared: Prepared, config: SelectConfig | TrainConfig, services: Services) -> Mask:
    """Select the encoder weights that will train, all of them when `keep` is one."""
    flat = prepared.encoder
    if config.scope == "tensor" and config.granularity != "element":
        raise ConfigError(f"--scope tensor ranks single weights, not a {config.granularity}; leave one of the two out")
    count = count_selected(config.keep, len(flat))
    method = {
        "score": config.score, "keep": str(config.keep), "scope": config.scope,
        "granularity": config.granularity, "combine": config.combine,
        "batches": str(config.batches or "all"), "tasks": ",".join(config.tasks), "seed": str(config.seed),
        "sources": ",".join(source.name for source in prepared.sources),
    }  # fmt: skip
    if config.score == "bitfit":
        services.notify("selecting the encoder's biases; --keep is not used")
        indices = _scores(prepared, config, services).nonzero().squeeze(-1)
    elif count == len(flat):
        indices = torch.arange(count)
    else:
        services.notify(f"selecting {config.keep:%} of {len(flat):,} encoder weights by {config.score}")
        indices = _top(_scores(prepared, config, services), flat, config, count)
    return Mask(indices=indices, total=len(flat), base_digest=prepared.digest, method=method)


def _top(scores: Tensor, flat: FlatParameters, config: SelectConfig | TrainConfig, count: int) -> Tensor:
    """Return the indices of the highest scores: weights over the whole encoder or in each tensor, rows, or tensors."""
    if not bool(scores.isfinite().all()):
        raise MtftError(f"the score {config.score!r} is not finite for every weight: a loss or gradient overflowed")
    try:
        if config.granularity != "element":
            return top_groups(scores, _group_sizes(flat, config.granularity), count)
        if config.scope == "global":
            return top_k(scores, count)
        return top_k_per_tensor(scores, flat.sizes, config.keep)
    except ValueError as error:
        raise ConfigError(f"--keep: {error}") from None


def _group_sizes(flat: FlatParameters, granularity: str) -> list[int]:
    """Return the sizes of the groups in the flat vector: tensors, or rows of matrices and entries of vectors."""
    if granularity == "tensor":
        return flat.sizes
    return [shape[1:].numel() for shape in flat.shapes for _ in range(shape[0])]


def _scores(prepared: Prepared, config: SelectConfig | TrainConfig, services: Services) -> Tensor:
    flat = prepared.encoder
    if config.score == "random":
        return random_score(len(flat), config.seed)
    if config.score == "magnitude":
        return magnitude_score(flat.theta)
    if config.score == "bitfit":
        return bias_score(flat)
    sizes = {source.name: len(source) for source in prepared.sources}
    batches = epoch_batches(sizes, config.batch_size, config.seed, epoch=0)[: config.batches]
    total, done, seen = sum(len(rows) for batch in batches for rows in batch.values()), 0, 0

    def progress(examples: int, tokens: int) -> None:
        nonlocal done, seen
        done, seen = done + examples, seen + tokens
        services.progress(Progress(done, total, 0, {}, seen, unit="example"))

    return gradient_score(
        prepared.model,
        flat,
        prepared.sources,
        batches,
        statistic=config.score,
        combination=config.combine,
        budget=config.micro_batch_tokens,
        seed=config.seed if config.selection_dropout else None,
        progress=progress,
    )


def shares(flat: FlatParameters, indices: Tensor) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of weights selected per layer and per kind of tensor, in the encoder's order."""
    ends = torch.tensor(flat.sizes).cumsum(0)
    below = torch.searchsorted(indices, ends)
    counts = torch.diff(below, prepend=below.new_zeros(1)).tolist()
    layers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, size, count in zip(flat.names, flat.sizes, counts, strict=True):
        layer = re.match(r"layers\.\d+|[^.]+", name)
        kind = re.sub(r"layers\.\d+\.", "", name)
        for table, key in ((layers, layer.group() if layer else name), (kinds, kind)):
            table[key][0] += count
            table[key][1] += size
    return tuple({key: kept / size for key, (kept, size) in table.items()} for table in (layers, kinds))  # type: ignore[return-value]
