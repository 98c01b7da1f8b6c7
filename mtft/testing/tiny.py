"""A tiny encoder, toy batches and a tiny model directory, for plugin authors' tests and our own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from mtft.data.packing import TokenBatch, pack
from mtft.data.tokenization import TokenTable
from mtft.encoder.architectures import BERT
from mtft.encoder.bert import Encoder, EncoderConfig, SharedEncoder, initialise
from mtft.encoder.pretrained import hub_tensors
from mtft.runtime.seeding import numpy_generator, torch_generator

TINY = EncoderConfig(vocabulary=64, hidden_size=16, layers=2, heads=2, intermediate_size=32, positions=48, dropout=0.1)


def device_of_tests() -> str:
    """Return the device for tests: ``$MTFT_TEST_DEVICE``, or the CPU."""
    return os.environ.get("MTFT_TEST_DEVICE", "cpu")


def tiny_encoder(seed: int = 0) -> Encoder:
    """Build a random two-layer encoder with hidden size 16 (about 7,000 weights)."""
    encoder = Encoder(TINY)
    initialise(encoder, torch_generator(seed, "tiny"), scale=0.2)
    return encoder.to(device_of_tests())


def tiny_table(encoder: SharedEncoder, lengths: Sequence[int], seed: int = 0, per_example: int = 1) -> TokenTable:
    """Draw random sequences of the given lengths."""
    generator = numpy_generator(seed, "tokens")
    offsets = np.cumsum([0, *lengths])
    ids = generator.integers(0, encoder.config.vocabulary, offsets[-1])
    segments = generator.integers(0, max(encoder.config.segments, 1), offsets[-1])
    return TokenTable(ids.astype(np.int32), segments.astype(np.uint8), offsets.astype(np.int64), per_example)


def tiny_batch(encoder: SharedEncoder, lengths: Sequence[int], seed: int = 0) -> TokenBatch:
    """Pack random sequences of the given lengths into one batch."""
    return pack((tiny_table(encoder, lengths, seed), np.arange(len(lengths))), device=device_of_tests())


def write_tiny_model(directory: Path, seed: int = 0) -> Path:
    """Write a tiny model in Hugging Face form; its word pieces are letters, so any ASCII text has tokens."""
    directory.mkdir(parents=True, exist_ok=True)
    letters = [*"abcdefghijklmnopqrstuvwxyz", *".,'?!-"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters[:26])]
    pieces.append("the")
    (directory / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    encoder = tiny_encoder(seed)
    sizes = {key.name: getattr(TINY, ours) for ours, key in BERT.keys.items()}
    config = {"model_type": "bert", "hidden_act": "gelu", **sizes}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(hub_tensors(encoder), directory / "model.safetensors")
    return directory
