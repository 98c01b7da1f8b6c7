"""What comparisons hold for, in words."""

from __future__ import annotations

import math

from mtft.report.bootstrap import PairedDifference
from mtft.report.scope import correction, method, rows_and_runs


def test_rows_and_runs_are_named() -> None:
    found = rows_and_runs({"sst": 583, "quora": 1054}, "report", {"apart": [0], "together": [0, 1]})
    assert found == ("over dev rows (half report): sst 583, quora 1,054; runs: apart (seed 0), together (seeds 0, 1)")
    assert rows_and_runs({"sst": 2}, "all", {"a": [3]}) == "over dev rows (all): sst 2; runs: a (seed 3)"


def test_only_known_differences_are_counted() -> None:
    known, unknown = PairedDifference(0.1, 0, 0.2, 0.04), PairedDifference(math.nan, math.nan, math.nan)
    assert correction([known, unknown]) == "verdicts are corrected for 1 comparison (Holm), intervals are not"
    assert correction([known] * 3).startswith("verdicts are corrected for 3 comparisons (Holm)")


def test_seeds_are_in_intervals_where_something_is_known_of_them() -> None:
    assert method([], 2).startswith("95 % intervals over rows and seeds; verdicts")
    assert method([], 0).startswith("95 % intervals over rows alone: what other seeds would change is not in them; ")
