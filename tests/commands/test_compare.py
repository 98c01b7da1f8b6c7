"""`mtft.commands.compare`, called directly: columns, differences and the sentences about them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mtft.commands.compare import compare, verdict
from mtft.errors import ConfigError
from mtft.plugin.context import new_context
from mtft.report.bootstrap import PairedDifference
from mtft.tasks.sst import SST


def test_a_run_compared_with_itself_differs_by_nothing(trained_run: Path) -> None:
    found = compare({"one": [trained_run], "two": [trained_run]}, new_context(), resamples=20)
    assert found.metrics == {"sst": "accuracy", "quora": "accuracy", "sts": "pearson"}
    one, two = found.columns
    assert (one.name, two.name, one.differences) == ("one", "two", {})
    assert (one.scores, one.stored, one.tunable, one.bytes) == (two.scores, two.stored, two.tunable, two.bytes)
    assert {each.difference for each in two.differences.values()} == {0.0}
    assert all(
        text.endswith("no difference beyond noise between two and one (+0.0000 to +0.0000)") for text in found.verdicts
    )
    assert one.bytes == sum(path.stat().st_size for path in (trained_run / "model").iterdir() if path.is_file())


def test_nothing_to_compare_and_other_tasks_are_refused(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare({}, new_context())
    with pytest.raises(ConfigError):
        compare({"twice": [trained_run, trained_run]}, new_context())


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (PairedDifference(0.1, 0.05, 0.15), "sst: new is better than old"),
        (PairedDifference(-0.1, -0.15, -0.05), "sst: old is better than new"),
        (
            PairedDifference(0.1, -0.05, 0.25),
            "sst: no difference beyond noise between new and old (-0.0500 to +0.2500)",
        ),
        (PairedDifference(math.nan, 0.0, 0.0), "sst: no difference can be measured between new and old"),
    ],
)
def test_verdicts(difference: PairedDifference, text: str) -> None:
    assert verdict(SST, "new", "old", difference).startswith(text)
