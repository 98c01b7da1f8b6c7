"""A few fixed texts and the model's outputs for them, to check that the saved model is the trained one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from mtft.config.groups import Precision
from mtft.data.tokenization import Tokenizer, TokenTable
from mtft.errors import CheckpointError, PluginError
from mtft.io.files import json_bytes
from mtft.model.inference import apply
from mtft.model.multitask import MultiTaskModel
from mtft.runs.checkpoint import TrainedModel, load_model, read_tensors, save_model
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task

Outputs = dict[str, torch.Tensor]
"""Raw outputs of each task."""

TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "tf32": 2e-2, "bf16": 5e-2}
"""Absolute (and relative) tolerance of outputs on another machine than that of the training."""

TEXTS = [
    ("A film that takes its time and earns every minute of it.",),
    ("No.",),
    ("How do I learn to cook?", "What is the best way to learn cooking?"),
    ("A man is playing a guitar on a stage.", "A dog sleeps."),
]


def probe(trained: TrainedModel) -> Outputs:
    """Return each task's raw outputs [4, width] on the fixed texts, bit for bit the same for the same model."""
    return _probe(trained.model, trained.tokenizer, trained.tasks, trained.max_length)


def _probe(model: MultiTaskModel, tokenizer: Tokenizer, tasks: Sequence[Task], max_length: int) -> Outputs:
    outputs = apply(model, probe_table(model, tokenizer, max_length), [task.name for task in tasks])
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in outputs.items()}


def probe_table(model: MultiTaskModel, tokenizer: Tokenizer, max_length: int) -> TokenTable:
    """Tokenize the fixed texts; segments that the model does not have are replaced by its last one."""
    table, _ = tokenizer.table(TEXTS, apart=False, max_length=max_length)
    return replace(table, segments=np.minimum(table.segments, max(model.encoder.config.segments, 1) - 1))


def rehearse(model: MultiTaskModel, tokenizer: Tokenizer, tasks: Sequence[Task], max_length: int) -> None:
    """Try with a fresh model what saving does, so that saving cannot fail after the training.

    The fixed texts must have outputs, on a CPU the same ones twice, and heads must be unchanged by writing and reading.
    """
    first, again = (_probe(model, tokenizer, tasks, max_length) for _ in range(2))
    on_cpu = next(model.parameters()).device.type == "cpu"
    for task in tasks:
        if on_cpu and not same(first[task.name], again[task.name]):
            raise PluginError(
                f"task {task.name!r}: its model gives other outputs for the same texts each time", task.name
            )
        state = {
            name: tensor.detach().cpu().contiguous() for name, tensor in model.heads[task.name].state_dict().items()
        }
        for name, tensor in load(save(state)).items():
            if tensor.dtype != torch.float32:
                raise PluginError(f"task {task.name!r}: {name} of its head is {tensor.dtype}, not float32", task.name)
        json_bytes({"output": task.output.describe(), "declaration": dict(task.declaration or {})})


def save_with_probe(
    directory: Path,
    trained: TrainedModel,
    plugins: Mapping[str, Mapping[str, str]],
    card: str = "",
    precision: Precision = "fp32",
) -> None:
    """Save a model with its card and the probe's outputs, at the precision of the training."""
    save_model(directory, trained, plugins, probe(trained), card, {"precision": precision})


def precision_of(directory: Path) -> Precision:
    """Return the precision of the probe that was saved with a model."""
    try:
        with safe_open(directory / "probe.safetensors", "pt") as file:
            found = (file.metadata() or {}).get("precision", "fp32")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{directory / 'probe.safetensors'}: not a readable safetensors file: {error}") from None
    if found not in TOLERANCE:
        allowed = ", ".join(TOLERANCE)
        raise CheckpointError(f"{directory / 'probe.safetensors'}: precision is {found!r} (allowed: {allowed})")
    return cast("Precision", found)


def check_saved(
    directory: Path,
    registry: Registry,
    base: str,
    device: torch.device | str = "cpu",
    matmul_dtype: torch.dtype | None = None,
    *,
    here: bool = True,
) -> None:
    """Load a model directory and compare its outputs with those saved with it.

    They must be the same bits if they were saved `here`, by this process, on a CPU. Other machines add in another
    order, and some sums on other devices change their order each time.
    """
    trained = load_model(directory, registry, base, device, matmul_dtype)
    try:
        compare_probe(directory, trained, exact=here and torch.device(device).type == "cpu")
    except CheckpointError as error:
        raise CheckpointError(f"{directory}: reloaded, {error}") from None


def compare_probe(directory: Path, trained: TrainedModel, *, exact: bool = False) -> str:
    """Compare a model's outputs on the fixed texts with the saved ones; return the result in words.

    CheckpointError if they differ by more than the precision allows, or at all if they must be `exact`.
    """
    now, tolerance = probe(trained), 0.0 if exact else TOLERANCE[precision_of(directory)]
    kept = read_tensors(directory / "probe.safetensors", {name: tuple(value.shape) for name, value in now.items()})
    if all(same(now[name], kept[name]) for name in now):
        return "the same bits"
    wrong = [name for name in now if not same(now[name], kept[name], tolerance)]
    if wrong:
        raise CheckpointError(f"the model gives other outputs for {', '.join(wrong)} (off by {_gap(now, kept):.2g})")
    return f"the same within {_gap(now, kept):.2g}"


def same(a: torch.Tensor, b: torch.Tensor, tolerance: float = 0.0) -> bool:
    """Return whether outputs are equal up to `tolerance`, absolute plus relative; nan equals nan."""
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def _gap(now: Mapping[str, torch.Tensor], kept: Mapping[str, torch.Tensor]) -> float:
    """Return the largest difference between outputs."""
    return max(float((now[name] - kept[name]).abs().max()) for name in now)
