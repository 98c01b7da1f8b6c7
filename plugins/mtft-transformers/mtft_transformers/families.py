"""The families: how each architecture's configuration gives mtft's sizes, and its files the weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mtft.encoder.pretrained import fill
from mtft.encoder.weight_files import check_size, read_weights
from mtft.errors import ModelError
from mtft.plugin import SharedEncoder
from mtft_transformers.encoder import TransformersConfig, TransformersEncoder

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """One architecture: where its ``config.json`` keeps mtft's sizes, and what else its checkpoints hold.

    `keys` map mtft's names to theirs, and `dropouts` are theirs for `dropout` and `attention_dropout`. `more` gives
    what cannot be copied. `prefix` stands before the encoder's tensors in checkpoints with heads; tensors beginning
    with one of `heads` are theirs and not read.
    """

    keys: Mapping[str, str]
    dropouts: tuple[tuple[str, ...], tuple[str, ...]]
    prefix: str
    heads: tuple[str, ...]
    more: Callable[[Raw], dict[str, Any]] = lambda _raw: {}

    def read_config(self, directory: Path, /) -> TransformersConfig:
        """Read ``config.json``; ModelError names the key that is missing or wrong."""
        path = directory / "config.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: not a JSON object: {error}") from None
        sizes = {}
        for ours, theirs in self.keys.items():
            value = raw.get(theirs)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ModelError(f"{path}: {theirs} is {value!r}, not a number")
            sizes[ours] = value
        rates = [raw.get(names[0], 0.0) for names in self.dropouts]
        return TransformersConfig(
            **{**sizes, "dropout": rates[0], "attention_dropout": rates[1], **self.more(raw)},
            raw=raw,
            dropouts=self.dropouts,
            padding=raw.get("pad_token_id") or 0,
        )

    def build(self, config: TransformersConfig, /) -> SharedEncoder:
        """Build the module with fresh weights."""
        return TransformersEncoder(config)

    def load(self, directory: Path, /, **changes: float) -> SharedEncoder:
        """Build the module and fill it; ModelError names every tensor that does not fit."""
        config = replace(self.read_config(directory), **changes)
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in TransformersEncoder(config).parameters())
        check_size(directory, size)
        encoder = TransformersEncoder(config)
        found = {
            name.removeprefix(self.prefix): tensor
            for name, tensor in read_weights(directory, self.prefix)
            if not name.startswith(self.heads)
        }
        fill(encoder.model, found, directory)
        return encoder


BERT_LIKE = {
    "vocabulary": "vocab_size",
    "hidden_size": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "positions": "max_position_embeddings",
    "norm_epsilon": "layer_norm_eps",
    "initializer_range": "initializer_range",
}
COMMON = ("pooler.", "classifier.", "qa_outputs.", "embeddings.position_ids", "embeddings.token_type_ids")
"""Beginnings of the names of tensors that no encoder here has: ignored by name, never by accident."""


MODERNBERT = Family(
    {**BERT_LIKE, "norm_epsilon": "norm_eps"},
    (("embedding_dropout", "mlp_dropout"), ("attention_dropout",)),
    "model.",
    (*COMMON, "head.", "decoder."),
    lambda raw: {"mean": raw.get("classifier_pooling", "cls") == "mean"},
)
