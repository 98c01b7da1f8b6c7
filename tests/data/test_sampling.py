"""Sampling: an epoch is every row of every source once, shuffled by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.sampling import Rows, drawn, epoch_batches, power

SIZES = {"sst": 7, "quora": 12, "sts": 1}


def plain(batches: Sequence[Rows]) -> list[dict[str, list[int]]]:
    return [{name: rows.tolist() for name, rows in batch.items()} for batch in batches]


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), st.integers(0, 20), max_size=4),
    st.integers(1, 25),
    st.integers(0, 2**40),
    st.integers(0, 5),
)
def test_each_epoch_holds_every_row_exactly_once(sizes: dict[str, int], batch_size: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(sizes, batch_size, seed, epoch)
    seen = [(name, row) for batch in plain(batches) for name, rows in batch.items() for row in rows]
    assert sorted(seen) == sorted((name, row) for name, size in sizes.items() for row in range(size))
    counts = [sum(len(rows) for rows in batch.values()) for batch in batches]
    total = sum(sizes.values())
    assert counts == [batch_size] * (total // batch_size) + [total % batch_size] * (total % batch_size > 0)


def test_a_source_without_a_row_in_a_batch_is_absent() -> None:
    batches = epoch_batches(SIZES, 2, seed=0, epoch=1)
    assert all(len(rows) for batch in batches for rows in batch.values())
    assert sum("sts" in batch for batch in batches) == 1
    assert all("empty" not in batch for batch in epoch_batches(SIZES | {"empty": 0}, 4, 0, 1))


def test_batches_are_a_pure_function_of_seed_and_epoch() -> None:
    first = plain(epoch_batches(SIZES, 4, seed=3, epoch=2))
    np.random.seed(1)  # global randomness must not matter
    epoch_batches(SIZES, 4, seed=3, epoch=1)
    assert plain(epoch_batches(SIZES, 4, seed=3, epoch=2)) == first
    assert plain(epoch_batches(SIZES, 4, seed=3, epoch=3)) != first
    assert plain(epoch_batches(SIZES, 4, seed=4, epoch=2)) != first


def test_the_batch_size_only_moves_the_cuts() -> None:
    small, large = (plain(epoch_batches(SIZES, size, 0, 1)) for size in (5, 20))
    for name in SIZES:
        assert [row for batch in small for row in batch.get(name, [])] == large[0][name]


def test_a_slice_of_the_batches_is_that_of_their_list() -> None:
    batches = epoch_batches(SIZES, 3, 0, 1)
    listed = plain(list(batches))
    for cut in (slice(2, None), slice(None, 3), slice(None, None, -1), slice(5, 99)):
        assert plain(batches[cut]) == listed[cut]
        assert plain(batches[cut][:1]) == listed[cut][:1]
    assert plain([batches[-1]]) == listed[-1:]


def test_batches_are_pinned() -> None:
    """A change here changes every training of a given seed."""
    assert plain(epoch_batches({"a": 3, "b": 2}, 3, seed=0, epoch=1)) == [{"a": [1, 0], "b": [1]}, {"a": [2], "b": [0]}]


def test_rows_mix_well() -> None:
    """Over many epochs a row is in the first half of the batches half the time."""
    hits = [0 in batch.get("sts", []) for epoch in range(400) for batch in epoch_batches(SIZES, 10, 0, epoch)[:1]]
    assert sum(hits) == pytest.approx(200, abs=50)


TASKS = {"sst": "sst", "more": "sst", "quora": "quora", "sts": "sts"}
COUNTS = st.fixed_dictionaries({name: st.integers(0, 400) for name in TASKS})


@given(COUNTS, st.floats(0, 1))
def test_drawn_rows_add_up_and_follow_the_power_of_the_tasks_sizes(sizes: dict[str, int], share: float) -> None:
    total = sum(sizes.values())
    counts = drawn(sizes, TASKS, share)
    assert sum(counts.values()) == total
    assert list(counts) == list(sizes)
    assert all(counts[name] == 0 for name, size in sizes.items() if size == 0)
    of_task = {task: sum(sizes[name] for name in sizes if TASKS[name] == task) for task in TASKS.values()}
    weights = {task: size**share if size else 0.0 for task, size in of_task.items()}
    for name, count in counts.items():  # the tasks by the power, inside a task by size
        task = TASKS[name]
        if sizes[name]:
            exact = total * weights[task] / sum(weights.values()) * sizes[name] / of_task[task]
            assert abs(count - exact) < 1 + 1e-6


def test_powers_are_those_of_the_paper() -> None:
    assert [power("annealed", epoch, 5) for epoch in (1, 3, 5)] == pytest.approx([1.0, 0.6, 0.2])
    assert power("annealed", 1, 1) == power("proportional", 2, 3) == 1.0
    assert power("sqrt", 1, 3) == 0.5
    assert drawn({"a": 100, "b": 400}, {"a": "a", "b": "b"}, 0.5) == {"a": 167, "b": 333}
    assert drawn({"a": 100, "b": 400}, {"a": "a", "b": "b"}, 1.0) == {"a": 100, "b": 400}


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.integers(1, 60), st.integers(0, 2**40), st.integers(1, 4), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_no_row_comes_twice_more_often_than_another(
    sizes: dict[str, int], batch_size: int, seed: int, epoch: int, share: float
) -> None:
    counts = drawn(sizes, TASKS, share)
    batches = epoch_batches(sizes, batch_size, seed, epoch, counts)
    assert plain(batches) == plain(epoch_batches(sizes, batch_size, seed, epoch, counts))
    assert len(batches) == -(-sum(sizes.values()) // batch_size)
    for name, size in sizes.items():
        rows = np.concatenate([batch[name] for batch in batches if name in batch] or [np.empty(0, np.int64)])
        assert len(rows) == counts[name]
        if size:
            often = np.bincount(rows, minlength=size)
            assert len(often) == size
            assert often.max() - often.min() <= 1


def test_as_many_rows_as_there_are_is_the_plain_union() -> None:
    assert plain(epoch_batches(SIZES, 3, 5, 2, dict(SIZES))) == plain(epoch_batches(SIZES, 3, 5, 2))
