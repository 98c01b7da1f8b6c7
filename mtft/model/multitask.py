"""The multi-task model: one shared encoder and one named head per task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mtft.data.packing import TokenBatch
from mtft.encoder.architectures import ARCHITECTURES
from mtft.encoder.bert import EncoderConfig, EncoderOutput, SharedEncoder
from mtft.encoder.directory import model_type
from mtft.encoder.family import PACKED, Family
from mtft.errors import ModelError, PluginError, missing_distribution, plugin_guard, unknown
from mtft.model.flat import FlatParameters
from mtft.runtime.seeding import seeded
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task, resolve


class MultiTaskModel(nn.Module):
    """One encoder shared by all tasks; ``heads[name]`` belongs to one task.

    Matrices are multiplied in `matmul_dtype` if it is set; weights, sums and outputs are float32.
    """

    matmul_dtype: torch.dtype | None = None

    def __init__(self, encoder: SharedEncoder, heads: Mapping[str, nn.Module], widths: Mapping[str, int]) -> None:
        super().__init__()
        self.encoder, self.widths = encoder, dict(widths)
        self.heads = dict(heads)  # nn.ModuleDict refuses tasks called "train" or "keys"
        for name, head in self.heads.items():
            self.add_module(f"head_{name}", head)

    def forward(self, batch: TokenBatch, tasks: Iterable[str]) -> dict[str, Tensor]:
        """Encode once and apply the heads of the given tasks.

        Returns raw outputs per task, one row per sequence [S, width], in the order that was packed.
        """
        with self._products(batch):
            encoded = self.encode(batch)
            raw = {task: apply_head(task, self.heads[task], encoded, self.widths[task]) for task in tasks}
            return {task: batch.restore(outputs).float() for task, outputs in raw.items()}

    def encode(self, batch: TokenBatch) -> EncoderOutput:
        """Return the encoder's output for a batch: the cached features if the batch has them."""
        if batch.features is not None:
            return EncoderOutput(*batch.features, batch)
        with self._products(batch):
            encoded: EncoderOutput = self.encoder(batch)
            return encoded

    def _products(self, batch: TokenBatch) -> torch.autocast:
        return torch.autocast(batch.ids.device.type, self.matmul_dtype, enabled=self.matmul_dtype is not None)


def apply_head(task: str, head: nn.Module, encoded: EncoderOutput, width: int) -> Tensor:
    """Return a head's raw outputs [S, width] of S sequences; PluginError if it fails or returns anything else."""
    with plugin_guard(f"task {task!r}: its head", task):
        outputs: Tensor = head(encoded)
    shape = [len(encoded.pooled), width]
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point() or list(outputs.shape) != shape:
        raise PluginError(f"task {task!r}: its head gave {shown(outputs)}, not floats {shape}", task)
    return outputs


def shown(value: object) -> str:
    """Describe what a plugin returned where a tensor was expected."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def encoder_family(directory: Path, registry: Registry, origin: Mapping[str, str] | None = None) -> Family:
    """Return the family of architectures that loads the encoder of a model directory.

    ModelError if no plugin knows the architecture; it says how to install `origin`, the encoder's plugin in a run.
    """
    kind, known = model_type(directory), registry.parts.get("encoder", {})
    if kind in ARCHITECTURES:
        if origin:
            where = f"{origin.get('distribution')} {origin.get('version')}"
            raise ModelError(
                f"{directory}: the run's encoder came from {where}, which stores weights in another order; mtft reads "
                f"{kind} itself now: use the run with an earlier version of mtft, or train again"
            )
        return PACKED
    if kind not in known:
        problem = f"{directory / 'config.json'}: model_type: {_unknown_family(kind, known)}"
        if origin:
            where = missing_distribution(origin.get("distribution"), origin.get("version"))
            problem = f"its encoder came from {where}; {problem}"
        raise ModelError("; ".join([problem, *registry.absent]))
    family: Family = registry.load("encoder", kind)
    return family


SHIPPED = ("modernbert",)
"""Families of the plugin mtft-transformers, which is in mtft's repository."""


def _unknown_family(kind: str, known: Iterable[str]) -> str:
    """Return an error text for an unknown family, with the plugin that brings it; BERT is never a near match."""
    names = sorted({*ARCHITECTURES, *known})
    near = unknown("encoder", kind, [name for name in names if name != "bert"]).partition(" (allowed: ")[0]
    allowed = ", ".join(names)
    if kind in SHIPPED:
        hint = "the plugin mtft-transformers reads it: pip install plugins/mtft-transformers where mtft's source is"
    else:
        hint = f"other families need a plugin (mtft-transformers reads {', '.join(SHIPPED)})"
    return f"{near} (allowed: {allowed}); {hint}"


def to_device(
    model: MultiTaskModel, encoder: FlatParameters, device: torch.device, matmul_dtype: torch.dtype | None
) -> None:
    """Move a model with the encoder's flat vector `encoder` to a device; set the type of its matrix products."""
    encoder.to(device)
    for head in model.heads.values():
        head.to(device)
    model.matmul_dtype = matmul_dtype


def build_head(task: Task, config: EncoderConfig, seed: int = 0) -> nn.Module:
    """Return a newly initialised head of a task, a pure function of seed and task name."""
    with plugin_guard(f"task {task.name!r}: building its head", task.name), seeded(seed, "head", task.name):
        head = resolve(task.head)(config, task.output.width)
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        raise PluginError(f"task {task.name!r}: its head is {head!r}, not a module with parameters", task.name)
    if buffers := [name for name, _ in head.named_buffers()]:
        what = f"its head has buffers ({', '.join(buffers)}); only parameters are kept"
        raise PluginError(f"task {task.name!r}: {what}", task.name)
    return head


def build_model(encoder: SharedEncoder, tasks: Iterable[Task], seed: int = 0) -> MultiTaskModel:
    """Return a model of a pretrained encoder and newly initialised heads."""
    tasks = tuple(tasks)
    heads = {task.name: build_head(task, encoder.config, seed) for task in tasks}
    return MultiTaskModel(encoder, heads, {task.name: task.output.width for task in tasks})
