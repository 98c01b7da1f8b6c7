"""What is finite, for values of every size; where it is not is tested with the step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtft.training.diagnosis import all_finite


@given(st.lists(st.floats(width=32), max_size=40))
def test_vectors_are_finite_as_torch_says(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert all_finite(x) == bool(x.isfinite().all())


@pytest.mark.parametrize("size", [1, 1000])
def test_squares_that_overflow_are_no_fault(size: int) -> None:
    assert all_finite(torch.full((size,), 3e38))
    assert not all_finite(torch.tensor([*[3e38] * size, float("nan")]))
