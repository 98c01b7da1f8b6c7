"""Restricted to a selection, a backward pass gives the same gradient where it is read, and computes less."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mtft.encoder.linear import Linear
from mtft.model.flat import FlatParameters
from mtft.optimization.skip_unselected import skip_unselected_gradients
from mtft.testing.tiny import tiny_batch, tiny_encoder
from mtft.training.weight_selection import group_sizes


def gradient(selection: Tensor | slice) -> tuple[FlatParameters, Tensor]:
    """The encoder and its gradient [P] when it knows that only `selection` will be read."""
    encoder = tiny_encoder().eval()
    flat = FlatParameters(encoder)
    skip_unselected_gradients(encoder, selection)
    output = encoder(tiny_batch(encoder, [3, 5, 5, 9]))
    (output.packed.square().sum() + output.pooled.sum()).backward()
    return flat, flat.grad


ENCODER, FULL = gradient(slice(None))
STARTS = dict(zip(ENCODER.names, torch.tensor([0, *ENCODER.sizes]).cumsum(0).tolist(), strict=False))


@pytest.mark.parametrize("count", [1, 5, 60, 2000])
@pytest.mark.parametrize("seed", range(3))
def test_selected_entries_have_the_whole_gradient(count: int, seed: int) -> None:
    draws = torch.randperm(len(FULL), generator=torch.Generator().manual_seed(seed))
    selection = draws[:count].sort().values.to(FULL.device)
    torch.testing.assert_close(gradient(selection)[1][selection], FULL[selection])


def test_whole_rows_and_nothing_else_are_computed() -> None:
    start = STARTS["layers.1.intermediate.weight"]
    selection = torch.arange(start + 16, start + 3 * 16, device=FULL.device)  # rows 1 and 2 of 32
    flat, grad = gradient(selection)
    assert torch.equal(grad.nonzero().squeeze(1), selection)
    assert [name for name, p in flat.module.named_parameters() if p.requires_grad] == ["layers.1.intermediate.weight"]
    layer = flat.module.get_submodule("layers.1.intermediate")
    assert isinstance(layer, Linear)
    assert layer.rows is not None
    assert layer.rows.tolist() == [1, 2]


def test_nothing_below_the_lowest_selected_tensor_is_differentiated() -> None:
    encoder = tiny_encoder().eval()
    flat = FlatParameters(encoder)
    skip_unselected_gradients(encoder, torch.tensor([STARTS["layers.1.qkv.weight"]], device=FULL.device))
    seen: list[bool] = []
    encoder.get_submodule("layers.0").register_forward_hook(lambda _, __, out: seen.append(out.requires_grad))
    assert encoder(tiny_batch(encoder, [4])).packed.requires_grad
    assert (seen, len(flat)) == ([False], len(FULL))


def test_a_later_restriction_forgets_the_former() -> None:
    encoder = tiny_encoder().eval()
    flat = FlatParameters(encoder)
    skip_unselected_gradients(encoder, torch.tensor([0], device=FULL.device))
    skip_unselected_gradients(encoder, slice(None))
    output = encoder(tiny_batch(encoder, [3, 5, 5, 9]))
    (output.packed.square().sum() + output.pooled.sum()).backward()
    torch.testing.assert_close(flat.grad, FULL)


def test_a_single_number_is_selected_or_not() -> None:
    module = nn.Module()
    module.scale, module.weight = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.ones(2, 3))
    flat = FlatParameters(module)
    for selection, wanted in (([0, 4], [True, True]), ([2], [False, True]), ([0], [True, False])):
        skip_unselected_gradients(module, torch.tensor(selection))
        assert [parameter.requires_grad for parameter in module.parameters()] == wanted
    assert group_sizes(flat, "row") == [1, 3, 3]
