"""Drift of labels: the distances are the known ones, and chance does not look like drift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.audit.label_findings import CHANCE, kolmogorov_smirnov, label_findings, total_variation
from mtft.data.audit.split_reader import read_split
from mtft.data.readers import TableReader
from mtft.outputs import Binary
from mtft.runtime.seeding import numpy_generator

some = settings(max_examples=60, deadline=None)
numbers = st.lists(st.integers(0, 20).map(lambda n: n / 4), min_size=1, max_size=30).map(np.array)
classes = st.lists(st.integers(0, 3), min_size=1, max_size=30).map(lambda found: np.array(found, np.float64))


@some
@given(numbers, numbers)
def test_the_kolmogorov_smirnov_distance_is_the_largest_gap_between_shares(
    first: np.ndarray, second: np.ndarray
) -> None:
    naive = max(abs(np.mean(first <= value) - np.mean(second <= value)) for value in (*first, *second))
    assert kolmogorov_smirnov(first, second)[0] == pytest.approx(naive)


@some
@given(classes, classes)
def test_total_variation_is_half_the_distance_of_the_shares(first: np.ndarray, second: np.ndarray) -> None:
    naive = sum(abs(np.mean(first == name) - np.mean(second == name)) for name in range(4)) / 2
    distance, limit = total_variation(first, second, 4)
    assert distance == pytest.approx(naive)
    assert total_variation(second, first, 4) == pytest.approx((distance, limit))


def test_pinned_limits() -> None:
    ones, both = np.ones(1000), np.arange(1000.0) % 2
    assert total_variation(ones, both, 2) == pytest.approx((0.5, 0.10248), abs=1e-5)
    assert kolmogorov_smirnov(ones, both) == pytest.approx((0.5, 0.08718), abs=1e-5)


@pytest.mark.parametrize("sizes", [(5, 5), (50, 20), (2000, 300)])
def test_two_samples_of_one_distribution_are_within_the_limits(sizes: tuple[int, int]) -> None:
    generator = numpy_generator(0, "drift")
    beyond = 0
    for _ in range(500):
        first, second = (generator.choice(5, size, p=[0.5, 0.3, 0.1, 0.05, 0.05]).astype(float) for size in sizes)
        beyond += sum(found > limit for found, limit in (total_variation(first, second, 5),))
        first, second = (generator.uniform(0, 5, size) for size in sizes)
        beyond += sum(found > limit for found, limit in (kolmogorov_smirnov(first, second),))
    assert beyond <= 1000 * CHANCE


def test_more_rows_show_smaller_differences() -> None:
    limits = [total_variation(np.arange(float(n)) % 2, np.arange(float(n)) % 2, 2)[1] for n in (10, 100, 1000, 10_000)]
    assert limits == sorted(limits, reverse=True)


@pytest.mark.parametrize(("above", "found"), [(None, ["warning"]), (0.0, [])])
def test_classes_that_a_source_leaves_out_itself_are_not_missed(
    above: float | None, found: list[str], tmp_path: Path
) -> None:
    (tmp_path / "pairs-train.csv").write_text("id\ta\tlabel\n1\tx\t1\n2\ty\t1\n")
    reader = TableReader("pairs-{split}.csv", ("a",), "label", Binary(), above=above)
    split = read_split("pairs", "train", reader, tmp_path, 1)
    assert [each.severity for each in label_findings(split)] == found
