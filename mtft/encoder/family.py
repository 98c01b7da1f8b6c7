"""Families of encoders: what mtft asks of an architecture. BERT is built in, plugins bring others."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mtft.encoder.bert import Encoder, EncoderConfig, SharedEncoder
from mtft.encoder.directory import read_config
from mtft.encoder.pretrained import load_encoder


class Family(Protocol):
    """How the model directories of one ``model_type`` become encoders."""

    def read_config(self, directory: Path, /) -> EncoderConfig:
        """Read sizes from ``config.json``; ModelError names what is wrong. No weights are needed."""

    def build(self, config: EncoderConfig, /) -> SharedEncoder:
        """Build the module without pretrained weights; inside ``torch.device("meta")`` nothing is stored."""

    def load(self, directory: Path, /, **changes: float) -> SharedEncoder:
        """Build the module and fill it, strictly; `changes` replace dropouts of its configuration."""


class Bert:
    """BERT over packed batches."""

    def read_config(self, directory: Path, /) -> EncoderConfig:
        return read_config(directory)

    def build(self, config: EncoderConfig, /) -> SharedEncoder:
        return Encoder(config)

    def load(self, directory: Path, /, **changes: float) -> SharedEncoder:
        return load_encoder(directory, **changes)


BERT: Family = Bert()
