"""Budgets are exact decimals; the highest scores win, ties go to the lowest index."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference import top_k_indices

from mtft.selection import budget as module
from mtft.selection.budget import budget, top_groups, top_k, top_k_per_tensor

LEAST = float(np.nextafter(np.float32(0), np.float32(1)))
floats = st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, float("inf"), -float("inf"), LEAST])


@pytest.mark.parametrize(
    ("keep", "total", "k"),
    [
        ("0.3", 10, 3),  # 0.3 * 10 is 3 in decimals; in binary 0.1 * 3 is above it, 0.29 * 100 below 29
        ("0.29", 100, 29),
        ("0.3", 109_482_240, 32_844_672),
        ("1", 7, 7),
        ("1.000", 7, 7),
        ("0.5", 7, 3),
        ("1e-1", 19, 1),
        (Decimal("0.07"), 100, 7),
        ("0." + "9" * 60, 100, 99),
    ],
)
def test_the_budget_is_exact(keep: Decimal | str, total: int, k: int) -> None:
    assert budget(keep, total) == k


@pytest.mark.parametrize("keep", ["0", "-0.1", "1.0001", "nan", "inf", "-Infinity", "many", "", "sNaN", "30%"])
def test_a_keep_out_of_range_is_named(keep: str) -> None:
    with pytest.raises(ValueError, match=f"keep is {keep}, allowed: a decimal number above 0 and up to 1"):
        budget(keep, 100)


@pytest.mark.parametrize(("keep", "total"), [("0.009", 100), ("1e-999999999", 2**40), ("0.5", 1)])
def test_a_keep_that_selects_nothing_is_named(keep: str, total: int) -> None:
    with pytest.raises(ValueError, match=rf"keep {keep} of {total} weights selects none, allowed: .* to 1"):
        budget(keep, total)


def test_a_budget_of_no_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="total is 0, allowed: 1 or more"):
        budget("0.5", 0)


@settings(deadline=None)
@given(arrays(np.float32, st.integers(1, 80), elements=floats), st.data())
def test_top_k_equals_a_sort(scores: np.ndarray, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    found = top_k(torch.from_numpy(scores), k)
    assert found.dtype == torch.int64
    assert found.tolist() == top_k_indices(scores.tolist(), k)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, -0.0, 0.5, 2.0]), min_size=1, max_size=200), st.data())
def test_ties_go_to_the_lowest_index_across_chunks(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", 7)
        assert top_k(torch.tensor(scores), k).tolist() == top_k_indices(scores, k)


def test_top_k_pinned() -> None:
    assert top_k(torch.tensor([0.0, 3.0, 1.0, 3.0, 1.0, 1.0]), 4).tolist() == [1, 2, 3, 4]


def test_top_k_of_a_million_equals_a_stable_sort() -> None:
    scores = torch.randn(1_500_000, generator=torch.Generator().manual_seed(0)) ** 2
    scores[scores < 0.5] = 0
    for k in (1, 1000, 450_000, 1_400_000, 1_500_000):
        expected = np.sort(np.argsort(-scores.numpy(), kind="stable")[:k])
        assert np.array_equal(top_k(scores, k).numpy(), expected)


def test_top_k_takes_views_and_leaves_the_scores_alone() -> None:
    scores = torch.arange(20.0)
    assert top_k(scores[::2], 3).tolist() == [7, 8, 9]
    assert torch.equal(scores, torch.arange(20.0))


def test_nan_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="2 of 4 scores are NaN"):
        top_k(torch.tensor([1.0, float("nan"), float("inf"), float("nan")]), 2)
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        top_k_per_tensor(torch.tensor([1.0, float("nan")]), [2], "0.5")


@pytest.mark.parametrize("k", [0, -1, 4])
def test_a_k_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}, allowed: 1 to 3"):
        top_k(torch.zeros(3), k)


@pytest.mark.parametrize("scores", [torch.zeros(3).double(), torch.zeros(3, 1), torch.zeros(3, dtype=torch.int32)])
def test_scores_of_another_type_are_refused(scores: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"allowed: torch.float32 \[P\]"):
        top_k(scores, 1)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(lambda sizes: max(sizes) >= 4),
    st.sampled_from(["0.25", "0.3", "0.5", "0.99", "1"]),
    st.data(),
)
def test_per_tensor_selects_a_share_of_each(sizes: list[int], keep: str, data: st.DataObject) -> None:
    total = sum(sizes)
    scores = data.draw(arrays(np.float32, total, elements=floats))
    expected, start = [], 0
    for size in sizes:
        k = int(Decimal(keep) * size)
        expected += [start + index for index in top_k_indices(scores[start : start + size].tolist(), k)]
        start += size
    assert top_k_per_tensor(torch.from_numpy(scores), sizes, keep).tolist() == expected


def test_per_tensor_refuses_sizes_that_do_not_fit_and_selections_of_nothing() -> None:
    with pytest.raises(ValueError, match="sizes sum to 4, allowed: 3"):
        top_k_per_tensor(torch.zeros(3), [2, 2], "0.5")
    with pytest.raises(ValueError, match=r"keep 0.1 selects no weight in any tensor, the largest has 2"):
        top_k_per_tensor(torch.zeros(3), [1, 2], "0.1")


def test_groups_are_ranked_by_their_mean_and_taken_while_they_fit() -> None:
    scores = torch.tensor([9.0, 0, 0, 4, 4, 5, 1, 1])  # means 3, 4, 5, 1
    sizes = [3, 2, 1, 2]
    assert top_groups(scores, sizes, 3).tolist() == [3, 4, 5]
    assert top_groups(scores, sizes, 4).tolist() == [3, 4, 5]
    assert top_groups(scores, sizes, 5).tolist() == [3, 4, 5, 6, 7]  # the first group does not fit, the last does
    assert top_groups(scores, sizes, 6).tolist() == [0, 1, 2, 3, 4, 5]
    assert top_groups(scores, sizes, 8).tolist() == list(range(8))


def test_equal_groups_go_to_the_first() -> None:
    assert top_groups(torch.ones(6), [2, 2, 2], 4).tolist() == [0, 1, 2, 3]


@given(arrays(np.float32, st.integers(1, 40), elements=floats.filter(np.isfinite)), st.integers(1, 40))
def test_groups_of_one_are_weights(values: np.ndarray, k: int) -> None:
    k = min(k, len(values))
    scores = torch.from_numpy(values)
    assert torch.equal(top_groups(scores, [1] * len(values), k), top_k(scores, k))


@pytest.mark.parametrize(
    ("sizes", "k", "said"), [([2, 2], 1, "no whole group"), ([2, 1], 2, "sum to 3"), ([4], 5, "5")]
)
def test_impossible_groups_are_refused(sizes: list[int], k: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        top_groups(torch.ones(4), sizes, k)
