"""Select the encoder's tensors of a checkpoint: remove wrappers from names, leave out heads, check the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from mtft.errors import ModelError
from mtft.runtime.notices import Notice

MARK = "embeddings.word_embeddings.weight"
"""A tensor that every encoder has; the text before its name is the prefix of the wrapping module."""
HEADS = (
    "classifier",
    "cls",
    "discriminator_predictions",
    "generator_lm_head",
    "generator_predictions",
    "lm_head",
    "logits_proj",
    "pre_classifier",
    "predictions",
    "qa_outputs",
    "score",
    "seq_relationship",
    "sop_classifier",
    "vocab_layer_norm",
    "vocab_projector",
    "vocab_transform",
)
"""Names of heads: left out if no prefix separates the encoder's tensors from others."""
IGNORED = {"embeddings.position_ids", "embeddings.token_type_ids"}
"""Buffers without weights: left out without a note."""
TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
MOST_NAMED = 10
"""Most tensors of each kind that an error or note names."""


def encoder_tensors(
    directory: Path, pairs: Iterable[tuple[str, Tensor]], wanted: set[str], usual: str = "bert."
) -> tuple[dict[str, Tensor], list[Notice]]:
    """Return the encoder's tensors by plain name, and notes on what was removed or left out.

    `usual` is the prefix of checkpoints with heads, which needs no note. Names that are neither the encoder's nor a
    head's are returned too, and fail the later check.
    """
    stored = dict(pairs)
    prefix = find_prefix(directory, stored, usual)
    outer = prefix[: prefix[:-1].rfind(".") + 1]
    found: dict[str, Tensor] = {}
    beside: list[str] = []
    for name, tensor in stored.items():
        inner = name.removeprefix(prefix) if name.startswith(prefix) else name.removeprefix(outer)
        inner = inner.removeprefix(usual)
        own = name.startswith(prefix) if prefix else inner.partition(".")[0] not in HEADS
        if inner in IGNORED:
            continue
        if inner not in wanted and not own:
            beside.append(name)
        elif inner in found:
            raise ModelError(f"{directory}: the weights hold tensor {inner} twice, also as {name}")
        else:
            found[inner] = tensor
    notes: list[Notice] = []
    if prefix not in ("", usual):
        notes.append(("info", f"{directory}: {prefix!r} is removed from the names of the weights"))
    if beside:
        text = f"{directory}: tensors beside the encoder are not read: {shortened(sorted(beside))}"
        notes.append(("info", text))
    return found, notes


def find_prefix(directory: Path, names: Iterable[str], usual: str = "bert.") -> str:
    """Return the prefix of the encoder's tensor names; ModelError if there are several encoders."""
    names = list(names)
    found = {name.removesuffix(MARK) for name in names if name == MARK or name.endswith(f".{MARK}")}
    if len(found) > 1:
        raise ModelError(f"{directory}: the weights hold several encoders, under {shortened(sorted(map(repr, found)))}")
    if found:
        return found.pop()
    return usual if any(name.startswith(usual) for name in names) else ""


def check_numbers(directory: Path, tensors: Mapping[str, Tensor]) -> list[Notice]:
    """Raise ModelError for weights that are not floating-point or not finite; return a note on their type."""
    kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()})
    if wrong := [name for name, tensor in tensors.items() if tensor.dtype not in TYPES]:
        other = sorted({str(tensors[name].dtype).removeprefix("torch.") for name in wrong})
        allowed = ", ".join(str(kind).removeprefix("torch.") for kind in TYPES)
        raise ModelError(
            f"{directory}: weights are {', '.join(other)}, not numbers to train on (allowed: {allowed}): "
            f"{shortened(wrong)}"
        )
    if wrong := [name for name, tensor in tensors.items() if not is_finite(tensor.float())]:
        raise ModelError(f"{directory}: weights are not finite (nan or infinite in float32): {shortened(wrong)}")
    return [] if kinds == ["float32"] else [("info", f"{directory}: weights are {', '.join(kinds)}: read as float32")]


def is_finite(tensor: Tensor) -> bool:
    """Return whether all numbers are finite; each is checked only if their sum is not finite."""
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def shortened(names: list[str]) -> str:
    """Return at most `MOST_NAMED` names in one line."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
