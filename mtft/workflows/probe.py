"""A few fixed texts and what the model made of them: proof that what was saved is what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from mtft.checkpoint import TrainedModel, load_model, read_tensors, save_model
from mtft.errors import CheckpointError
from mtft.evaluation import apply
from mtft.tasks.registry import Registry

TEXTS = [
    ("A film that takes its time and earns every minute of it.",),
    ("No.",),
    ("How do I learn to cook?", "What is the best way to learn cooking?"),
    ("A man is playing a guitar on a stage.", "A dog sleeps."),
]


def probe(trained: TrainedModel) -> dict[str, torch.Tensor]:
    """Return each task's raw outputs [4, width] on the fixed texts, bit for bit the same for the same model."""
    table, _ = trained.tokenizer.table(TEXTS, apart=False, max_length=trained.max_length)
    outputs = apply(trained.model, table, [task.name for task in trained.tasks])
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in outputs.items()}


def save_with_probe(
    directory: Path, trained: TrainedModel, plugins: Mapping[str, Mapping[str, str]], card: str = ""
) -> None:
    """Save a model and, beside it, the probe's outputs and its card."""
    save_model(directory, trained, plugins, probe(trained), card)


def check_saved(
    directory: Path,
    registry: Registry,
    base: str,
    device: torch.device | str = "cpu",
    product_type: torch.dtype | None = None,
) -> None:
    """Load a model directory anew and compare its outputs with those kept at saving, bit for bit."""
    trained = load_model(directory, registry, base, device, product_type)
    found = probe(trained)
    kept = read_tensors(directory / "probe.safetensors", {name: tuple(v.shape) for name, v in found.items()})
    wrong = [name for name in found if not same(found[name], kept[name])]
    if wrong:
        raise CheckpointError(f"{directory}: reloaded, the model gives other outputs for {', '.join(wrong)}")


def same(a: torch.Tensor, b: torch.Tensor, tolerance: float = 0.0) -> bool:
    """Tell whether outputs are equal, or off by no more than `tolerance` (and that share of them); nan equals nan."""
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
