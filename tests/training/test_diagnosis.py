"""What a gradient may hold, for values of every size; where it is not usable is tested with the step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtft.training.diagnosis import usable


@given(st.lists(st.floats(-(2.0**59), 2.0**59, width=32) | st.sampled_from([float("nan"), float("inf")]), max_size=40))
def test_vectors_are_usable_if_torch_finds_them_finite(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert usable(x) == bool(x.isfinite().all())


@pytest.mark.parametrize("size", [1, 1000])
def test_squares_that_overflow_are_not_usable(size: int) -> None:
    assert not usable(torch.full((size,), 2e19))
    assert not usable(torch.tensor([*[1.0] * size, float("nan")]))
    assert usable(torch.full((size,), 5e17))
