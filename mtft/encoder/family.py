"""Families of encoders: the interface of an architecture. BERT and its relatives are built in, plugins add others."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mtft.encoder.bert import Encoder, EncoderConfig, SharedEncoder
from mtft.encoder.directory import read_config
from mtft.encoder.pretrained import load_encoder


class Family(Protocol):
    """Builds encoders from the model directories of one ``model_type``."""

    def read_config(self, directory: Path, /) -> EncoderConfig:
        """Read sizes from ``config.json``, without weights; ModelError names the fault."""

    def build(self, config: EncoderConfig, /) -> SharedEncoder:
        """Build the module without pretrained weights; inside ``torch.device("meta")`` it takes no memory."""

    def load(self, directory: Path, /, **changes: float) -> SharedEncoder:
        """Build the module and load its weights strictly; `changes` replace dropouts of its configuration."""


class Packed:
    """BERT and its relatives over packed batches; ``config.json`` says which one."""

    def read_config(self, directory: Path, /) -> EncoderConfig:
        return read_config(directory)

    def build(self, config: EncoderConfig, /) -> SharedEncoder:
        return Encoder(config)

    def load(self, directory: Path, /, **changes: float) -> SharedEncoder:
        return load_encoder(directory, **changes)


PACKED: Family = Packed()
