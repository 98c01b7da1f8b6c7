"""Gradients of the encoder's own layers equal torch's, go into the bound vector, and leave out rows not asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mtft.encoder.linear import Embedding, Linear


def lookup(weight: Tensor, ids: Tensor) -> Tensor:
    return torch.func.functional_call(Embedding(*weight.shape), {"weight": weight}, (ids,))  # type: ignore[no-any-return]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def pair() -> tuple[Linear, nn.Linear]:
    """The same weights in ours and torch's."""
    ours, theirs = Linear(5, 7, dtype=torch.float64), nn.Linear(5, 7, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("bound", [True, False])
def test_a_linear_layer_equals_torchs_over_two_passes(bound: bool) -> None:
    ours, theirs = pair()
    views = [torch.zeros_like(parameter) for parameter in ours.parameters()] if bound else []
    for parameter, view in zip(ours.parameters(), views, strict=False):
        parameter.grad = view
    for rows in (3, 4):
        x, y = (draw(rows, 5).requires_grad_() for _ in range(2))
        (ours(x) * draw(rows, 7)).sum().backward()
        (theirs(y) * draw(rows, 7)).sum().backward()
        torch.testing.assert_close(x.grad, y.grad)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    for parameter, view in zip(ours.parameters(), views, strict=False):
        assert parameter.grad is view


def test_a_layer_without_biases_equals_torchs() -> None:
    ours, theirs = Linear(5, 7, bias=False), nn.Linear(5, 7, bias=False)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 5)
    for layer in (ours, theirs):
        layer(x).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_its_gradients_equal_finite_differences() -> None:
    layer, _ = pair()

    def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))  # type: ignore[no-any-return]

    inputs = [tensor.clone().requires_grad_() for tensor in (draw(3, 5), draw(7, 5), draw(7))]
    assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize("rows", [[0], [1, 4, 6], [], list(range(7))])
def test_rows_left_out_get_no_gradient_and_the_others_the_same(rows: list[int]) -> None:
    ours, theirs = pair()
    ours.rows = torch.tensor(rows, dtype=torch.int64)
    x = draw(3, 5)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    assert theirs.weight.grad is not None
    expected = torch.zeros_like(theirs.weight)
    expected[rows] = theirs.weight.grad[rows]
    torch.testing.assert_close(ours.weight.grad, expected)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_frozen_part_gets_none(name: str) -> None:
    ours, _ = pair()
    getattr(ours, name).requires_grad_(False)
    ours(draw(3, 5)).sum().backward()
    assert {key for key, parameter in ours.named_parameters() if parameter.grad is None} == {name}


@pytest.mark.parametrize("bound", [False, True])
def test_the_gradient_of_an_embedding_is_that_of_torch(bound: bool) -> None:
    """With `bound` the gradient is added to what .grad holds, in place, as gradients in one flat vector need."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(10, 4, generator=generator, requires_grad=True)
    table = nn.Embedding.from_pretrained(weight.detach().clone(), freeze=False)
    ids = torch.tensor([3, 3, 0, 9, 3])
    grads = torch.randn(2, 5, 4, generator=generator)
    view = torch.ones(10, 4) if bound else None
    weight.grad = view
    for grad in grads:
        (lookup(weight, ids) * grad).sum().backward()
        (table(ids) * grad).sum().backward()
    assert torch.equal(lookup(weight, ids), table(ids))
    assert weight.grad is not None
    assert table.weight.grad is not None
    torch.testing.assert_close(weight.grad, table.weight.grad + bound)
    if view is not None:
        assert weight.grad.data_ptr() == view.data_ptr()


def test_the_same_table_may_be_read_twice_in_one_graph() -> None:
    weight = torch.ones(3, 2, requires_grad=True)
    (lookup(weight, torch.tensor([0, 1])) + 2 * lookup(weight, torch.tensor([1, 1]))).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1, 1], [5, 5], [0, 0]]


def test_a_frozen_table_gets_no_gradient() -> None:
    weight = torch.ones(3, 2)
    assert not lookup(weight, torch.tensor([0])).requires_grad
