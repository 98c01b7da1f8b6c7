"""Dropout by 16 random bits: right share, right scale, one mask both ways, seeded."""

from __future__ import annotations

import pytest
import torch

from mtft.encoder.dropout import LEVELS, dropout
from mtft.runtime.seeding import seeded


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_share_and_scale(probability: float) -> None:
    x = torch.ones(1000, 1001)
    with seeded(0, "share"):
        dropped = dropout(x, probability, training=True)
    kept = dropped != 0
    expected = round(probability * LEVELS) / LEVELS
    assert 1 - kept.float().mean().item() == pytest.approx(expected, abs=4 * (0.25 / x.numel()) ** 0.5)
    assert torch.equal(dropped[kept].unique(), torch.tensor([1 / (1 - expected)]))
    assert dropped.mean().item() == pytest.approx(1, abs=4e-3)


def test_neighbours_and_lanes_are_independent() -> None:
    """Four numbers share one draw of 64 bits; each lane drops its share and no two drop together."""
    with seeded(0, "lanes"):
        kept = (dropout(torch.ones(400_000), 0.3, training=True) != 0).float().view(-1, 4)
    assert torch.allclose(kept.mean(0), torch.full((4,), 0.7), atol=0.006)
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert float(correlation.abs().max()) < 0.015


def test_gradient_passes_where_numbers_did() -> None:
    x = torch.randn(7, 13, requires_grad=True)
    with seeded(1):
        y = dropout(x, 0.25, training=True)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x.detach(), y.detach())


def test_gradient_is_that_of_a_fixed_mask() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        with seeded(2):
            return dropout(x, 0.4, training=True)

    assert torch.autograd.gradcheck(function, torch.randn(5, 3, dtype=torch.float64, requires_grad=True))


def test_identity_without_training_or_probability() -> None:
    x = torch.randn(3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (5, 1)])
def test_any_size(shape: tuple[int, ...]) -> None:
    assert dropout(torch.ones(shape), 0.5, training=True).shape == shape


def test_same_seed_same_mask() -> None:
    x = torch.ones(100)
    masks = []
    for name in ("a", "a", "b"):
        with seeded(0, name):
            masks.append(dropout(x, 0.5, training=True))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
