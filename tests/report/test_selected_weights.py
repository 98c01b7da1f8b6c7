"""What was selected where, against a walk over the encoder's own tensors."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from mtft.encoder.bert import Encoder
from mtft.model.flat import FlatParameters
from mtft.report.selected_weights import IN_LAYERS, selected_parts, selection_figures
from mtft.selection.mask import Mask
from mtft.testing.tiny import TINY


def test_counts_equal_a_naive_walk() -> None:
    encoder = Encoder(TINY)
    flat = FlatParameters(encoder)
    chosen = torch.rand(len(flat), generator=torch.Generator().manual_seed(0)) < 0.3
    parts = {(part.layer, part.kind): part for part in selected_parts(_mask(chosen), asdict(TINY))}
    assert sum(part.total for part in parts.values()) == len(flat)
    assert sum(part.selected for part in parts.values()) == int(chosen.sum())
    flat.theta.copy_(chosen.float())  # every weight now says whether it was chosen
    layer: Any = encoder.layers[0]
    size = TINY.hidden_size
    for kind, weights in (
        ("query", layer.qkv.weight[:size]),
        ("key", layer.qkv.weight[size : 2 * size]),
        ("value", layer.qkv.weight[2 * size :]),
        ("out", layer.attention_output.weight),
        ("up", layer.intermediate.weight),
        ("down", layer.output.weight),
        ("norm", torch.cat([layer.attention_norm.weight, layer.output_norm.weight])),
    ):
        found = parts[1, kind]
        assert (found.total, found.selected) == (weights.numel(), int(weights.sum())), kind
    word = parts[None, "embeddings word"]
    assert word.selected == int(encoder.embeddings.word.weight.sum())
    assert {layer for layer, _ in parts} == {None, *range(1, TINY.layers + 1)}
    assert {kind for layer, kind in parts if layer} == set(IN_LAYERS)


def test_all_and_one_weight() -> None:
    total = len(FlatParameters(Encoder(TINY)))
    everything = selected_parts(_mask(torch.ones(total, dtype=torch.bool)), asdict(TINY))
    assert {part.share for part in everything} == {1.0}
    last = torch.zeros(total, dtype=torch.bool)
    last[-1] = True
    assert [part.kind for part in selected_parts(_mask(last), asdict(TINY)) if part.selected] == ["pooler bias"]
    assert len(selection_figures(everything)) == 2


def test_a_mask_of_another_encoder_is_refused() -> None:
    mask = _mask(torch.ones(100, dtype=torch.bool))
    with pytest.raises(ValueError, match="the mask has 100 weights"):
        selected_parts(mask, asdict(TINY))
    with pytest.raises(ValueError, match="layers is 1000000, allowed: 1 to 1000"):
        selected_parts(mask, asdict(replace(TINY, layers=1_000_000)))


def _mask(chosen: torch.Tensor) -> Mask:
    return Mask(chosen.nonzero().reshape(-1), len(chosen), "0" * 64, {})
