"""A model of transformers as mtft's shared encoder: packed tokens in, padded through the model, packed tokens out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from mtft.plugin import EncoderConfig, EncoderOutput, SharedEncoder, TokenBatch


@dataclass(frozen=True)
class TransformersConfig(EncoderConfig):
    """mtft's sizes, and the model's own configuration, `raw`, as ``config.json`` has it.

    `dropouts` are the keys of `raw` that hold `dropout` and `attention_dropout`. Heads get the mean over the tokens as
    the pooled output if `mean` is set, the first token otherwise.
    """

    raw: Mapping[str, Any] = field(default_factory=dict)
    dropouts: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    mean: bool = False
    padding: int = 0


class TransformersEncoder(SharedEncoder):
    """An encoder of transformers."""

    def __init__(self, config: TransformersConfig) -> None:
        super().__init__(config)
        self.config: TransformersConfig = config
        self.family = str(config.raw["model_type"])
        changed = {
            **dict.fromkeys(config.dropouts[0], config.dropout),
            **dict.fromkeys(config.dropouts[1], config.attention_dropout),
        }
        given = {key: value for key, value in config.raw.items() if key not in ("model_type", "dtype", "torch_dtype")}
        own = AutoConfig.for_model(self.family, **{**given, **changed})
        with torch.random.fork_rng(devices=[]):  # fresh weights, which are replaced or stay on the meta device
            self.model = AutoModel.from_config(own, attn_implementation="sdpa").float()

    def forward(self, batch: TokenBatch) -> EncoderOutput:
        """Encode a packed batch."""
        inputs = {"input_ids": batch.pad(batch.ids, self.config.padding)}
        if not batch.ids.is_meta:  # with numbers of its own: whether all are real decides what transformers does
            inputs["attention_mask"] = batch.pad(torch.ones_like(batch.ids))
        hidden: Tensor = batch.unpad(self.model(**inputs).last_hidden_state)
        pooled = batch.mean(hidden) if self.config.mean else hidden[batch.starts]
        return EncoderOutput(hidden, pooled, batch)
