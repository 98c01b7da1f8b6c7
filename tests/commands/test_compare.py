"""`mtft.commands.compare`, called directly: columns, differences and the sentences about them."""

from __future__ import annotations

import json
import math
import shutil
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
    assert {each.corrected for each in two.differences.values()} == {1.0}
    where, how = found.scope
    assert where == "over dev rows (all): sst 60, quora 60, sts 60; runs: one (seed 0), two (seed 0)"
    assert how.startswith("95 % intervals over rows alone: what other seeds would change is not in them; verdicts are")
    assert "3 comparisons (Holm)" in how
    assert len(compare({"one": [trained_run]}, new_context(), resamples=2).scope) == 1
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
        (
            PairedDifference(0.1, 0.05, 0.15, 0.02, 0.12),
            "sst: no difference beyond noise between new and old (+0.0500 to +0.1500, corrected p 0.12)",
        ),
        (PairedDifference(0.1, 0.05, 0.15, 0.02, 0.04), "sst: new is better than old by 0.1000 (0.0500 to 0.1500)"),
        (PairedDifference(math.nan, 0.0, 0.0), "sst: no difference can be measured between new and old"),
    ],
)
def test_verdicts(difference: PairedDifference, text: str) -> None:
    assert verdict(SST, "new", "old", difference).startswith(text)


def test_rows_that_chose_the_epoch_are_named(trained_run: Path, tmp_path: Path) -> None:
    """One epoch chooses nothing; of several, all of dev does."""
    several = shutil.copytree(trained_run, tmp_path / "several")
    path = several / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "epochs": 2}))
    found = compare({"one": [trained_run], "two": [several]}, new_context(), resamples=2)
    (text,) = [each for each in found.doubts if "chose the epoch" in each]
    assert text == (
        "two: these dev rows chose the epoch, so scores are a little too high; "
        "train with dev_split='half' and compare with half='report'"
    )
