"""Heads: as many parameters as the report says, and the values of a loop over sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtft.encoder.bert import Encoder, EncoderConfig, EncoderOutput
from mtft.heads import ReportHead, linear_head, report_head
from mtft.runtime.seeding import seeded
from mtft.testing.tiny import TINY, tiny_batch, tiny_encoder

LENGTHS = [4, 1, 9, 4, 1]


def encoded(encoder: Encoder | None = None) -> EncoderOutput:
    encoder = tiny_encoder() if encoder is None else encoder
    output: EncoderOutput = encoder.eval()(tiny_batch(encoder, LENGTHS))
    return output


def make_head(width: int = 3, **changes: float) -> ReportHead:
    with seeded(0, "head"):
        return report_head(replace(TINY, initializer_range=0.3, **changes), width)  # type: ignore[arg-type]


def naive_layer(head: ReportHead, hidden: Tensor) -> Tensor:
    """One transformer layer on one sequence [L, H], by its definition."""
    layer, size = head.layer, hidden.shape[1] // TINY.heads
    mixed = []
    for query, key, value in zip(*(part.split(size, 1) for part in layer.qkv(hidden).chunk(3, 1)), strict=True):
        mixed.append((query @ key.T / size**0.5).softmax(1) @ value)
    hidden = layer.attention_norm(hidden + layer.attention_output(torch.cat(mixed, 1)))
    done: Tensor = layer.output_norm(hidden + layer.output(functional.gelu(layer.intermediate(hidden))))
    return done


@pytest.mark.parametrize(("width", "expected"), [(5, 9_456_389), (1, 9_450_241)])
def test_a_head_on_bert_base_has_the_parameters_of_the_report(width: int, expected: int) -> None:
    with torch.device("meta"):
        head = report_head(EncoderConfig(), width)
    assert sum(parameter.numel() for parameter in head.parameters()) == expected


def test_a_head_equals_a_loop_over_padded_sequences() -> None:
    output, head = encoded(), make_head().eval()
    hidden, mask = output.padded()
    rows = []
    for sequence, real, pooled in zip(hidden, mask, output.pooled, strict=True):
        features = torch.cat([naive_layer(head, sequence[real]).mean(0), pooled])
        rows.append(head.projection(functional.gelu(head.feed_forward(features))))
    found = head(output)
    assert found.shape == (5, 3)
    torch.testing.assert_close(found, torch.stack(rows))


def test_gradients_reach_every_parameter_and_the_encoder() -> None:
    encoder, head = tiny_encoder(), make_head()
    head(encoded(encoder)).square().sum().backward()
    for name, parameter in [*encoder.named_parameters(), *head.named_parameters()]:
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_its_own_dropout_is_that_of_the_configuration_and_seeded() -> None:
    output = encoded()

    def run(seed: int, **changes: Any) -> Tensor:
        head = make_head(dropout=0.0, attention_dropout=0.0, **changes)
        with seeded(seed):
            result: Tensor = head(output)
            return result

    plain = make_head().eval()(output)
    torch.testing.assert_close(run(1, head_dropout=0.0), plain)
    assert not torch.allclose(run(1, head_dropout=0.3), plain)
    assert torch.equal(run(1, head_dropout=0.3), run(1, head_dropout=0.3))
    assert not torch.equal(run(1, head_dropout=0.3), run(2, head_dropout=0.3))


def test_fresh_weights_are_normal_with_zero_biases() -> None:
    with seeded(0):
        head = report_head(replace(TINY, hidden_size=64), 5)
    assert float(head.feed_forward.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert not bool(head.feed_forward.bias.any())
    assert not bool(head.projection.bias.any())
    assert bool((head.layer.output_norm.weight == 1).all())


def test_the_linear_head_is_one_projection_of_the_pooler_output() -> None:
    with seeded(0, "head"):
        head = linear_head(replace(TINY, initializer_range=0.3), 3).eval()
    output = encoded()
    torch.testing.assert_close(head(output), output.pooled @ head.projection.weight.T + head.projection.bias)
    assert [name for name, _ in head.named_parameters()] == ["projection.weight", "projection.bias"]
    assert not torch.equal(head.train()(output), head.eval()(output))
