"""Surgery: naive oracles, TorchJD, the properties of PCGrad, and what no method may do to a degenerate matrix."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import pcgrad_direction, upgrad_direction
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mtft.optimization.surgery import (
    SURGERY,
    changed,
    cosines,
    expected_pcgrad,
    gram,
    pcgrad,
    random_orders,
    sum_weights,
    upgrad,
)

torchjd = pytest.importorskip("torchjd.aggregation")


def random(tasks: int, k: int, seed: int) -> Tensor:
    return torch.randn(tasks, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def orders_of(tasks: int, seed: int = 0) -> list[list[int]]:
    return [list(order) for order in random_orders(tasks, torch.Generator().manual_seed(seed)).tolist()]


def all_orders(tasks: int) -> list[tuple[tuple[int, ...], ...]]:
    return list(product(*(permutations([j for j in range(tasks) if j != i]) for i in range(tasks))))


def direction(G: Tensor, orders: list[list[int]]) -> Tensor:
    return pcgrad(gram(G), orders) @ G


def orthogonal(size: int, seed: int) -> Tensor:
    basis: Tensor = torch.linalg.qr(random(size, size, seed)).Q
    return basis


G1, G2 = torch.tensor([1.0, 2.0, 0.0]).double(), torch.tensor([-3.0, 0.0, 1.0]).double()
ZERO = torch.zeros(3).double()
DEGENERATE = {
    "all zero": torch.zeros(3, 4),
    "one zero": torch.stack([G1, ZERO, G2]),
    "one task": G1[None],
    "one zero task": ZERO[None],
    "no coordinates": torch.zeros(3, 0),
    "opposite": torch.stack([G1, -G1]),
    "opposite of other lengths": torch.stack([G1, -1e6 * G1, G2]),
    "equal": torch.stack([G2, G2, G2]),
    "line": torch.tensor([1.0, -2.0, 3.0, -4.0]).double()[:, None] * G1,
    "balanced": torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]).double(),
    "nearly opposite": torch.stack([G1, -G1 + 1e-9 * G2, G2]),
    "seven in a plane": random(7, 2, 0),
    "seven with zeros": torch.cat([random(4, 9, 0), torch.zeros(3, 9)]),
}
degenerate = pytest.mark.parametrize("G", DEGENERATE.values(), ids=DEGENERATE.keys())
methods = pytest.mark.parametrize("name", SURGERY)


# ---- PCGrad against oracles


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6, 40])
@pytest.mark.parametrize("seed", range(10))
def test_pcgrad_equals_its_vector_form(tasks: int, seed: int) -> None:
    G, orders = random(tasks, 5, seed), orders_of(tasks, seed)
    np.testing.assert_allclose(direction(G, orders), pcgrad_direction(G.numpy(), orders), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(10))
def test_pcgrad_equals_torchjd_with_the_same_draws(tasks: int, seed: int) -> None:
    G = random(tasks, 3, seed)
    orders = orders_of(tasks, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        expected = torchjd.PCGrad()(G)
    torch.testing.assert_close(direction(G, orders), expected, rtol=1e-9, atol=1e-9)


def test_pcgrad_of_float32_gradients_is_that_of_float64() -> None:
    G, orders = random(3, 10_000, 1).float(), orders_of(3)
    w = pcgrad(gram(G), orders)
    assert w.dtype == torch.float64
    torch.testing.assert_close(w, pcgrad(gram(G.double()), orders), rtol=1e-4, atol=1e-4)


def test_pcgrad_pinned() -> None:
    """g1 = (1, 0), g2 = (-1, 1), g3 = (0, -1): worked by hand, each task meeting the others in ascending order."""
    G = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    # g1 -> (1/2, 1/2) -> (1/2, 0); g2 -> (0, 1) -> (0, 0); g3 stays before g1, -> (-1/2, -1/2) on g2
    torch.testing.assert_close(direction(G.double(), [[1, 2], [0, 2], [0, 1]]), torch.tensor([0.0, -0.5]).double())


@pytest.mark.parametrize("orders", [[[1], [1]], [[1]], [[1, 1], [0]], [[], [0]], [[2], [0]]])
def test_orders_that_are_none_are_refused(orders: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="one row per task, an order of the other 1 tasks"):
        pcgrad(torch.eye(2), orders)


def test_orders_may_be_a_tensor() -> None:
    K, orders = gram(random(3, 3, 0)), orders_of(3)
    assert torch.equal(pcgrad(K, torch.tensor(orders)), pcgrad(K, orders))


def test_random_orders_are_fresh_per_task_uniform_and_repeatable() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [random_orders(3, generator) for _ in range(2000)]
    counts = dict.fromkeys(all_orders(3), 0)
    for draw in draws:
        counts[tuple(map(tuple, draw.tolist()))] += 1
    assert all(200 < count < 300 for count in counts.values())
    assert orders_of(5, seed=3) == orders_of(5, seed=3)


# ---- Properties of PCGrad, numbered as in the method notes


def test_1_without_conflict_it_is_the_plain_sum_bitwise() -> None:
    G = random(4, 6, 0).abs() * torch.tensor([1e-3, 1.0, 7.0, 1e5]).double()[:, None]
    assert torch.equal(pcgrad(gram(G), orders_of(4)), sum_weights(gram(G)))
    assert torch.equal(expected_pcgrad(gram(G)), sum_weights(gram(G)))


@pytest.mark.parametrize("seed", range(20))
def test_2_two_tasks_have_a_closed_form(seed: int) -> None:
    G = random(2, 3, seed)
    K, out = gram(G), direction(G, [[1], [0]])
    dot = min(float(K[0, 1]), 0.0)
    torch.testing.assert_close(out, (1 - dot / K[0, 0]) * G[0] + (1 - dot / K[1, 1]) * G[1])
    if dot < 0:
        sine = 1 - cosines(K)[0, 1] ** 2
        torch.testing.assert_close(G @ out, K.diagonal() * sine)


def test_3_one_task_is_left_alone() -> None:
    assert torch.equal(pcgrad(gram(random(1, 5, 0)), [[]]), torch.ones(1).double())


@pytest.mark.parametrize("seed", range(5))
def test_4_it_commutes_with_rotations_and_does_not_see_coordinates_that_are_zero(seed: int) -> None:
    G, Q, orders = random(3, 4, seed), orthogonal(4, seed + 100), orders_of(3, seed)
    shuffled = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    padded = torch.cat([G, torch.zeros(3, 9)], dim=1)
    out = direction(G, orders)
    torch.testing.assert_close(direction(G @ Q, orders), out @ Q)
    torch.testing.assert_close(direction(G[:, shuffled], orders), out[shuffled])
    torch.testing.assert_close(direction(padded, orders), torch.cat([out, torch.zeros(9).double()]))


@pytest.mark.parametrize("seed", range(5))
def test_5_scaling_gradients_scales_their_projections(seed: int) -> None:
    """The projection of s_i g_i is s_i times that of g_i, whatever happens to the others."""
    G, orders, scales = random(3, 4, seed), orders_of(3, seed), torch.tensor([1 / 3, 1e-4, 1e5]).double()
    each = [
        pcgrad_direction(G.numpy(), [order if i == task else [] for i, order in enumerate(orders)]) for task in range(3)
    ]
    projections = [torch.from_numpy(e) - G.sum(0) + G[task] for task, e in enumerate(each)]
    expected = sum(s * p for s, p in zip(scales, projections, strict=True))
    torch.testing.assert_close(direction(scales[:, None] * G, orders), expected)
    torch.testing.assert_close(direction(G / 3, orders), direction(G, orders) / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("place", range(4))
def test_6_a_zero_task_is_the_same_as_skipping_it(seed: int, place: int) -> None:
    G, orders = random(3, 3, seed), orders_of(4, seed)
    with_zero = torch.cat([G[:place], torch.zeros(1, 3), G[place:]])
    remaining = [[j - (j > place) for j in order if j != place] for i, order in enumerate(orders) if i != place]
    torch.testing.assert_close(direction(with_zero, orders), direction(G, remaining))


def test_7_opposite_gradients_cancel() -> None:
    G = torch.stack([G1, -1e3 * G1])
    torch.testing.assert_close(direction(G, [[1], [0]]), ZERO, rtol=0, atol=1e-12 * 1e3)


def test_8_orders_matter_from_three_tasks_on_and_conflicts_may_remain() -> None:
    problems = [random(3, 3, seed) for seed in range(200)]
    solutions = [[pcgrad(gram(G), orders) @ G for orders in all_orders(3)] for G in problems]
    sensitive = [any(not torch.allclose(out, outs[0]) for out in outs) for outs in solutions]
    conflicting = [bool((G @ outs[0] < -1e-9).any()) for G, outs in zip(problems, solutions, strict=True)]
    assert 0.5 < np.mean(sensitive) < 0.7
    assert 0.08 < np.mean(conflicting) < 0.18


# ---- Expected PCGrad


@pytest.mark.parametrize("tasks", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_expected_pcgrad_is_the_mean_over_all_orders(tasks: int, seed: int) -> None:
    K = gram(random(tasks, 3, seed))
    mean = torch.stack([pcgrad(K, orders) for orders in all_orders(tasks)]).mean(dim=0)
    torch.testing.assert_close(expected_pcgrad(K), mean)


@pytest.mark.parametrize("tasks", [4, 5, 6])
def test_expected_pcgrad_is_near_the_mean_of_many_samples(tasks: int) -> None:
    K = gram(random(tasks, 3, tasks))
    samples = torch.stack([pcgrad(K, orders_of(tasks, seed)) for seed in range(1000)])
    error = samples.std(dim=0) * (1 / 1000 + 1 / 256) ** 0.5
    assert bool(((expected_pcgrad(K) - samples.mean(dim=0)).abs() < 4 * error + 1e-9).all())


def test_expected_pcgrad_does_not_see_the_order_of_tasks() -> None:
    K, turned = gram(random(5, 3, 1)), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(expected_pcgrad(K[turned][:, turned]), expected_pcgrad(K)[turned])


def test_expected_pcgrad_of_many_tasks_repeats() -> None:
    K = gram(random(6, 3, 1))
    assert torch.equal(expected_pcgrad(K), expected_pcgrad(K))
    assert not torch.equal(expected_pcgrad(K), expected_pcgrad(K, torch.Generator().manual_seed(1)))


# ---- UPGrad


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("k", [2, 5, 20])
@pytest.mark.parametrize("seed", range(4))
def test_upgrad_equals_the_projections_onto_the_dual_cone(tasks: int, k: int, seed: int) -> None:
    G = random(tasks, k, seed)
    out = upgrad(gram(G)) @ G
    np.testing.assert_allclose(out, upgrad_direction(G.numpy()), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("seed", range(5))
def test_upgrad_equals_torchjd(tasks: int, seed: int) -> None:
    pytest.importorskip("quadprog", reason="torchjd's UPGrad needs torchjd[quadprog_projector]")
    linalg = pytest.importorskip("torchjd.linalg", reason="torchjd has no exchangeable projector yet")
    G = random(tasks, 8, seed)
    expected = torchjd.UPGrad(projector=linalg.QuadprogProjector(norm_eps=0.0, reg_eps=1e-10))(G) * tasks
    torch.testing.assert_close(upgrad(gram(G)) @ G, expected, rtol=1e-6, atol=1e-6)


@degenerate
def test_upgrad_never_conflicts_on_degenerate_gradients(G: Tensor) -> None:
    K = gram(G)
    w = upgrad(K)
    assert bool((cosines(K) @ (w * K.diagonal().sqrt()) >= -1e-9 * K.diagonal().sqrt().max()).all())
    assert bool((w >= 1).all())


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31), st.floats(-5, 5))
def test_upgrad_never_conflicts(tasks: int, k: int, seed: int, exponent: float) -> None:
    G = random(tasks, k, seed)
    G[0] *= 10**exponent
    out = upgrad(gram(G)) @ G
    lengths = G.norm(dim=1)
    assert bool((G @ out >= -1e-9 * lengths * lengths.max()).all())


def test_upgrad_without_conflict_is_the_plain_sum() -> None:
    G = random(4, 6, 0).abs()
    torch.testing.assert_close(upgrad(gram(G)), torch.ones(4).double())


# ---- All methods: degenerate matrices and scales


@methods
@degenerate
def test_weights_of_degenerate_gradients_are_finite_and_repeat(name: str, G: Tensor) -> None:
    first, second = (SURGERY[name](gram(G), torch.Generator().manual_seed(0)) for _ in range(2))
    assert first.shape == (len(G),)
    assert first.dtype == torch.float64
    assert bool(first.isfinite().all())
    assert torch.equal(first, second)


@methods
@pytest.mark.parametrize("scale", [1e-30, 1e-15, 1e-3, 1e3, 1e15, 1e25])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_do_not_depend_on_the_common_scale(name: str, scale: float, dtype: torch.dtype) -> None:
    G = random(3, 50, 0).to(dtype)
    w, scaled = (SURGERY[name](gram(g), torch.Generator().manual_seed(0)) for g in (G, scale * G))
    torch.testing.assert_close(scaled, w, rtol=1e-4, atol=1e-4)
    assert bool((scaled.to(dtype) @ (scale * G)).isfinite().all())


@methods
def test_weights_fit_float32_however_far_apart_the_scales_are(name: str) -> None:
    G = torch.stack([1e15 * G1, 1e-30 * G2, 1e-10 * G2 - 1e-12 * G1]).float()
    out = SURGERY[name](gram(G), torch.Generator().manual_seed(0)).float() @ G
    assert bool(out.isfinite().all())


@methods
@settings(deadline=None, max_examples=60)
@given(tasks=st.integers(1, 6), data=st.data())
def test_no_finite_matrix_gives_nan(name: str, tasks: int, data: st.DataObject) -> None:
    """Not even one that is no Gram matrix, such as rounding makes."""
    numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, 1e-320]) | st.floats(-2, 2)
    rows = data.draw(st.lists(st.lists(numbers, min_size=tasks, max_size=tasks), min_size=tasks, max_size=tasks))
    K = torch.tensor(rows).double()
    K = K.triu() + K.triu(1).T
    w = SURGERY[name](K, torch.Generator().manual_seed(0))
    assert bool(w.isfinite().all())
    assert np.isfinite(changed(K, w))
    assert bool(cosines(K).isfinite().all())


# ---- Gram matrix, cosines, change


def test_gram_of_float32_is_float64_and_counts_products() -> None:
    K = gram(torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
    assert K.dtype == torch.float64
    assert K.tolist() == [[5, -5], [-5, 25]]


@pytest.mark.parametrize("scale", [1e-30, 1e15, 1e30])
def test_gram_of_float32_survives_squares_beyond_its_range(scale: float) -> None:
    G = torch.stack([scale * G1, G2, ZERO]).float()
    torch.testing.assert_close(gram(G), gram(G.double()), rtol=1e-6, atol=0)


@pytest.mark.parametrize("k", [(1 << 16) - 1, 1 << 16, 5_000_000])
def test_gram_of_float32_loses_no_digits_however_long_it_is(k: int) -> None:
    """One float32 sum over 5,000,000 products is low by 5e-4; entries with a mean show it on all pairs."""
    G = torch.randn(3, k, generator=torch.Generator().manual_seed(0)) * 1e-3 + 5e-4
    exact = sum((part.double() @ part.double().T for part in G.split(1 << 20, dim=1)), torch.zeros(3, 3).double())
    torch.testing.assert_close(gram(G), exact, rtol=3e-6, atol=0)


@pytest.mark.parametrize("setting", ["highest", "high", "medium"])
def test_gram_takes_all_bits_of_its_products_whatever_other_products_take(
    setting: str,
) -> None:
    before, met = torch.get_float32_matmul_precision(), []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default):
                met.append(torch.get_float32_matmul_precision())
            return func(*args, **(kwargs or {}))

    try:
        torch.set_float32_matmul_precision(setting)
        with Watch():
            gram(random(2, 1 << 17, 0).float())
        assert set(met) == {"highest"}
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before)


def test_cosines_lie_in_range_with_zeros_for_zero_gradients() -> None:
    C = cosines(gram(torch.stack([G1, ZERO, -1e-12 * G1, 1e12 * G1])))
    expected = torch.tensor([[1.0, 0, -1, 1], [0, 0, 0, 0], [-1, 0, 1, -1], [1, 0, -1, 1]]).double()
    torch.testing.assert_close(C, expected)
    assert float(C.abs().max()) <= 1


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15])
def test_changed_is_the_relative_change_of_the_sum(scale: float) -> None:
    G, w = scale * random(3, 5, 2), torch.tensor([1.0, 2.0, 0.5]).double()
    expected = float((w @ G - G.sum(0)).norm() / G.sum(0).norm())
    assert changed(gram(G), w) == pytest.approx(expected)
    assert changed(gram(G), sum_weights(gram(G))) == 0


def test_changed_is_zero_if_the_sum_vanishes() -> None:
    for G in (torch.zeros(2, 3), torch.stack([G1, -G1])):
        assert changed(gram(G), torch.tensor([2.0, 3.0])) == 0
