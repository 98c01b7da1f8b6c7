"""The flat vector: parameters and gradients are views of it and stay so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from factories import mean_parts, toy_model, toy_source

from mtft.model.flat import FlatParameters
from mtft.optimization.gradients import accumulate
from mtft.testing.tiny import tiny_encoder


def assert_bound(flat: FlatParameters) -> None:
    """Every parameter and its gradient lie in the vectors, one after the other and nothing between."""
    offset = 0
    for name, parameter in flat.module.named_parameters():
        shift = 4 * offset
        assert parameter.data_ptr() == flat.theta.data_ptr() + shift, name
        assert parameter.grad is not None
        assert parameter.grad.data_ptr() == flat.grad.data_ptr() + shift, name
        assert parameter.is_contiguous()
        offset += parameter.numel()
    assert offset == len(flat) == len(flat.theta) == len(flat.grad)


def test_the_vector_holds_the_weights_in_order() -> None:
    expected = torch.cat([parameter.detach().flatten() for parameter in tiny_encoder().parameters()])
    flat = FlatParameters(tiny_encoder())
    assert torch.equal(flat.theta, expected)
    assert not flat.grad.any()
    assert flat.names == [name for name, _ in flat.module.named_parameters()]
    assert flat.sizes == [parameter.numel() for parameter in flat.module.parameters()]
    assert_bound(flat)


def test_backward_adds_into_the_vector() -> None:
    model, flat = toy_model()
    source = toy_source("sst", 5)
    parts = mean_parts([source], {"sst": np.arange(5)}, "sst")
    addresses = flat.theta.data_ptr(), flat.grad.data_ptr()
    accumulate(model, parts, budget=20)
    once = flat.grad.clone()
    accumulate(model, parts, budget=20)
    assert once.any()
    torch.testing.assert_close(flat.grad, 2 * once)
    assert (flat.theta.data_ptr(), flat.grad.data_ptr()) == addresses
    assert_bound(flat)


def test_zero_grad_keeps_the_views() -> None:
    flat = FlatParameters(tiny_encoder())
    flat.grad.fill_(1.0)
    flat.zero_grad()
    assert not any(parameter.grad.any() for parameter in flat.module.parameters() if parameter.grad is not None)
    assert_bound(flat)


def test_the_module_follows_the_vector_and_the_vector_the_module() -> None:
    flat = FlatParameters(tiny_encoder())
    flat.theta.fill_(2.0)
    assert all(bool((parameter == 2).all()) for parameter in flat.module.parameters())
    with torch.no_grad():
        for parameter in flat.module.parameters():
            parameter.mul_(3)
    assert bool((flat.theta == 6).all())
    assert_bound(flat)


def test_an_update_of_some_entries_shows_in_the_module() -> None:
    flat = FlatParameters(tiny_encoder())
    first, *_, last = (parameter.detach().flatten() for parameter in flat.module.parameters())
    flat.theta[torch.tensor([0, len(flat) - 1])] = torch.tensor([7.0, 9.0]).to(flat.theta)
    assert (float(first[0]), float(last[-1])) == (7, 9)


def test_loading_a_state_writes_into_the_vector() -> None:
    other = FlatParameters(tiny_encoder(seed=1))
    flat = FlatParameters(tiny_encoder(seed=0))
    address = flat.theta.data_ptr()
    flat.module.load_state_dict(other.module.state_dict())
    assert torch.equal(flat.theta, other.theta)
    assert flat.theta.data_ptr() == address
    assert_bound(flat)


def test_moving_binds_the_views_again() -> None:
    flat = FlatParameters(tiny_encoder())
    before = flat.theta.clone()
    flat.theta, flat.grad = flat.theta.clone(), flat.grad.clone()  # what a move to another device gives
    flat.to("cpu")
    assert torch.equal(flat.theta, before)
    assert_bound(flat)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_moving_to_another_device() -> None:
    flat = FlatParameters(tiny_encoder())
    flat.to("cuda")
    assert flat.theta.is_cuda
    assert_bound(flat)


def test_weights_of_another_type_become_float32() -> None:
    flat = FlatParameters(torch.nn.Linear(3, 2).half())
    assert flat.theta.dtype == flat.grad.dtype == torch.float32
    assert_bound(flat)


def test_a_frozen_module_holds_no_gradient() -> None:
    flat = FlatParameters(tiny_encoder())
    before, address = flat.theta.clone(), flat.theta.data_ptr()
    flat.freeze()
    flat.freeze()
    flat.zero_grad()
    flat.to("cpu")
    assert len(flat.grad) == 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in flat.module.parameters())
    assert torch.equal(flat.theta, before)
    assert next(flat.module.parameters()).data_ptr() == address


def test_a_frozen_module_can_be_thawed() -> None:
    flat = FlatParameters(tiny_encoder())
    before = flat.theta.clone()
    flat.freeze()
    flat.thaw()
    assert torch.equal(flat.theta, before)
    assert flat.grad.shape == flat.theta.shape
    assert not flat.grad.any()
    assert all(parameter.requires_grad for parameter in flat.module.parameters())
    assert_bound(flat)
