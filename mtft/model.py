"""The multi-task model: one shared encoder and one named head per task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from mtft.data.packing import TokenBatch
from mtft.encoder.bert import Encoder, EncoderConfig, EncoderOutput
from mtft.errors import PluginError
from mtft.optimization.flat import FlatParameters
from mtft.seeding import seeded
from mtft.tasks.task import Task, resolve


class MultiTaskModel(nn.Module):
    """One encoder shared by all tasks; ``heads[name]`` belongs to one task.

    Matrices are multiplied in `product_type` if it is set; weights, sums and outputs are float32.
    """

    product_type: torch.dtype | None = None

    def __init__(self, encoder: Encoder, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = dict(heads)  # no nn.ModuleDict: it takes no task called "train" or "keys"
        for name, head in self.heads.items():
            self.add_module(f"head_{name}", head)

    def forward(self, batch: TokenBatch, tasks: Iterable[str]) -> dict[str, Tensor]:
        """Encode once and apply the heads asked for.

        Returns raw outputs per task, one row per sequence [S, width], in the order that was packed.
        """
        with self._products(batch):
            encoded = self.encode(batch)
            return {task: batch.restore(self.heads[task](encoded)).float() for task in tasks}

    def encode(self, batch: TokenBatch) -> EncoderOutput:
        """Apply the encoder, unless the batch brings the features that it once gave."""
        if batch.features is not None:
            return EncoderOutput(*batch.features, batch)
        with self._products(batch):
            encoded: EncoderOutput = self.encoder(batch)
            return encoded

    def _products(self, batch: TokenBatch) -> torch.autocast:
        return torch.autocast(batch.ids.device.type, self.product_type, enabled=self.product_type is not None)


def place(
    model: MultiTaskModel, encoder: FlatParameters, device: torch.device, product_type: torch.dtype | None
) -> None:
    """Move a model, whose encoder's weights lie in `encoder`, to a device; set the type of its matrix products."""
    encoder.to(device)
    for head in model.heads.values():
        head.to(device)
    model.product_type = product_type


def build_head(task: Task, config: EncoderConfig, seed: int = 0) -> nn.Module:
    """Build a task's head with fresh weights, a pure function of seed and task name."""
    try:
        with seeded(seed, "head", task.name):
            head = resolve(task.head)(config, task.output.width)
    except Exception as error:
        raise PluginError(f"task {task.name!r}: its head cannot be built: {error!r}") from error
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        raise PluginError(f"task {task.name!r}: its head is {head!r}, not a module with parameters")
    if buffers := [name for name, _ in head.named_buffers()]:
        raise PluginError(f"task {task.name!r}: its head has buffers ({', '.join(buffers)}); only parameters are kept")
    return head


def build_model(encoder: Encoder, tasks: Iterable[Task], seed: int = 0) -> MultiTaskModel:
    """Put fresh heads on a pretrained encoder."""
    return MultiTaskModel(encoder, {task.name: build_head(task, encoder.config, seed) for task in tasks})
