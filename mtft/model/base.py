"""A pretrained model before any training; trainings, masks and finished runs are based on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtft.data.tokenization import Tokenizer, load_tokenizer
from mtft.encoder.bert import SharedEncoder
from mtft.encoder.pretrained import weights_digest
from mtft.model.flat import FlatParameters
from mtft.model.multitask import encoder_family
from mtft.tasks.registry import Registry


@dataclass(frozen=True)
class Base:
    """An encoder, all its weights in one vector, their digest, and its tokenizer."""

    encoder: SharedEncoder
    weights: FlatParameters
    digest: str
    tokenizer: Tokenizer


def load_base(
    directory: Path, registry: Registry, dropouts: Mapping[str, float], origin: Mapping[str, str] | None = None
) -> Base:
    """Load a model directory in Hugging Face form; `origin` is the plugin that its encoder came from, if it is known.

    ModelError if it is damaged or of an unknown architecture.
    """
    tokenizer = load_tokenizer(directory)
    encoder = encoder_family(directory, registry, origin).load(directory, **dropouts)
    weights = FlatParameters(encoder)
    return Base(encoder, weights, weights_digest(weights.theta), tokenizer)
