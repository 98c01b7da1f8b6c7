"""Tables of a report: the time that a run took, over all its processes."""

from __future__ import annotations

import math

import pytest

from mtft.report.tables import spent


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([], 0.0),
        ([{"seconds": 3.0}], 3.0),
        ([{"seconds": 3.0}, {"seconds": 5.0}, {"seconds": 0.1, "resumed": "now"}, {"seconds": 4.0}], 9.0),
        ([{"seconds": 3.0}, {"seconds": 0.1, "resumed": "now"}, {"seconds": 0.2, "resumed": "again"}], 3.3),
    ],
)
def test_the_last_record_of_each_process_counts(times: list[dict[str, object]], seconds: float) -> None:
    assert spent(times) == pytest.approx(seconds)


def test_a_number_that_is_missing_is_no_number() -> None:
    assert math.isnan(spent([{"seconds": 1.0}], "processor"))
    assert spent([{"seconds": 1.0, "processor": 0.5}], "processor") == 0.5
