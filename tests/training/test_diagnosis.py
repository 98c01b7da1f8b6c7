"""What a gradient may hold, for values of every size; where it is not usable is tested with the step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtft.model.flat import FlatParameters
from mtft.testing.tiny import tiny_encoder
from mtft.training.diagnosis import first_entry, not_finite_entries, usable


@given(st.lists(st.floats(-(2.0**59), 2.0**59, width=32) | st.sampled_from([float("nan"), float("inf")]), max_size=40))
def test_vectors_are_usable_if_torch_finds_them_finite(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert usable(x) == bool(x.isfinite().all())


@pytest.mark.parametrize("size", [1, 1000])
def test_squares_that_overflow_are_not_usable(size: int) -> None:
    assert not usable(torch.full((size,), 2e19))
    assert not usable(torch.tensor([*[1.0] * size, float("nan")]))
    assert usable(torch.full((size,), 5e17))


def test_of_a_selection_the_weight_itself_is_named() -> None:
    flat = FlatParameters(tiny_encoder())
    selection = torch.tensor([0, len(flat) - 1])
    first, last = flat.names[0], flat.names[-1]
    for gradient, name, shown in (([1.0, float("inf")], last, "inf"), ([float("nan"), 1.0], first, "nan")):
        assert not_finite_entries(flat, selection, torch.tensor(gradient)) == [f"gradient of {name}: {shown}"]
    assert not_finite_entries(flat, selection, torch.ones(2)) == []
    scores = torch.tensor([1e20, float("nan")])  # large, but a score all the same
    assert first_entry(flat, selection, scores, ~scores.isfinite(), "score") == [f"score of {last}: nan"]
