"""Seeds are pure functions of names, and torch's default generator is left as it was found."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtft.runtime.seeding import derive, numpy_generator, seeded, torch_generator

name = st.text(st.characters(exclude_characters="/", codec="utf-8"), max_size=5) | st.integers()


def test_seeds_are_pinned() -> None:
    """A change here changes every run of a given seed."""
    assert derive(0) == 2033344993903900207
    assert derive(0, "order", 1) == 4374215849138048446


@given(st.lists(name, min_size=1, max_size=4))
def test_a_seed_is_a_pure_function_of_the_names_in_63_bits(names: list[object]) -> None:
    assert derive(*names) == derive(*names)
    assert 0 <= derive(*names) < 2**63


@given(st.lists(name, min_size=1, max_size=3), st.lists(name, min_size=1, max_size=3))
def test_different_names_have_different_seeds(first: list[object], second: list[object]) -> None:
    same = list(map(str, first)) == list(map(str, second))
    assert (derive(*first) == derive(*second)) == same


def test_generators_depend_on_their_names_alone() -> None:
    torch.manual_seed(1)
    first = torch_generator(0, "a").initial_seed(), numpy_generator(0, "a").random()
    torch.rand(3)
    numpy_generator(0, "b").random()
    assert (torch_generator(0, "a").initial_seed(), numpy_generator(0, "a").random()) == first
    assert torch_generator(0, "b").initial_seed() != first[0]
    assert numpy_generator(1, "a").random() != first[1]


def test_generators_leave_global_randomness_alone() -> None:
    before, before_numpy = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    torch.rand(5, generator=torch_generator(0))
    numpy_generator(0).random(5)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], before_numpy)


def test_a_seeded_block_draws_the_same_whatever_came_before() -> None:
    draws = []
    for skip in (0, 7):
        torch.rand(skip)
        with seeded(3, "step", 1):
            draws.append(torch.rand(4))
    assert torch.equal(*draws)
    with seeded(3, "step", 2):
        assert not torch.equal(torch.rand(4), draws[0])


def test_the_state_is_put_back_after_the_block_and_after_an_error() -> None:
    state = torch.get_rng_state()
    with seeded(1):
        torch.rand(4)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(KeyError), seeded(1):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), state)


def test_blocks_may_be_nested() -> None:
    with seeded(1):
        torch.rand(1)
        expected = torch.rand(1)
    with seeded(1):
        torch.rand(1)
        with seeded(2):
            torch.rand(9)
        assert torch.equal(torch.rand(1), expected)


def test_the_module_needs_no_torch() -> None:
    code = "import sys, mtft.runtime.seeding as s; s.numpy_generator(0, 'a'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
