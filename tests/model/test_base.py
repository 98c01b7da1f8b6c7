"""A base is the model that its directory holds."""

from __future__ import annotations

from pathlib import Path

import torch
from factories import REGISTRY

from mtft.encoder.pretrained import load_encoder, weights_digest
from mtft.model.base import load_base


def test_all_parts_are_those_of_the_directory(tiny_model: Path) -> None:
    base = load_base(tiny_model, REGISTRY, {"dropout": 0.25})
    expected = torch.cat([each.detach().reshape(-1) for each in load_encoder(tiny_model).parameters()])
    assert torch.equal(base.weights.theta, expected)
    assert base.weights.module is base.encoder
    assert base.digest == weights_digest(expected)
    assert base.encoder.config.dropout == 0.25
    assert base.tokenizer.size == base.encoder.config.vocabulary
