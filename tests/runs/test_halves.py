"""Which dev rows chose what a run kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtft.data.shares import Half
from mtft.errors import CheckpointError
from mtft.runs.halves import chose, half_by_keys


def make(run: Path, settings: str, *, epochs: int | None = 3, refines: str = "") -> Path:
    run.mkdir()
    (run / "config.toml").write_text(settings)
    (run / "summary.json").write_text(json.dumps({} if epochs is None else {"epochs": epochs}))
    (run / "environment.json").write_text(json.dumps({"refines": refines} if refines else {}))
    return run


@pytest.mark.parametrize(
    ("settings", "epochs", "chosen"),
    [
        ("", 3, ("all", "choose", "report")),
        ("", 1, ()),
        ('dev_split = "half"', 3, ("all", "choose")),
        ('dev_split = "other-half"', 3, ("all", "choose")),
        ('best = "last"', 3, ()),
        ('best = "last"\npatience = 1', 3, ("all", "choose", "report")),
        ('best = "sst.f1"', 2, ("all", "choose", "report")),
    ],
)
def test_rows_that_chose_an_epoch(tmp_path: Path, settings: str, epochs: int, chosen: tuple[Half, ...]) -> None:
    run = make(tmp_path / "run", settings, epochs=epochs)
    halves: tuple[Half, ...] = ("all", "choose", "report")
    assert tuple(half for half in halves if chose(run, half)) == chosen


def test_a_refinement_chooses_and_so_may_the_run_before(tmp_path: Path) -> None:
    before = make(tmp_path / "before", "")
    after = make(tmp_path / "after", 'dev_split = "half"', epochs=None, refines=str(before))
    assert chose(after, "report")
    (before / "config.toml").write_text('dev_split = "half"')
    assert (chose(after, "report"), chose(after, "choose")) == (False, True)
    gone = make(tmp_path / "orphan", 'dev_split = "half"', epochs=None, refines=str(tmp_path / "gone"))
    assert not chose(gone, "report")


def test_halves_change_places_with_the_other_half(tmp_path: Path) -> None:
    plain, other = make(tmp_path / "plain", 'dev_split = "half"'), make(tmp_path / "other", 'dev_split = "other-half"')
    assert [half_by_keys(plain, half) for half in ("all", "choose", "report")] == ["all", "choose", "report"]
    assert [half_by_keys(other, half) for half in ("all", "choose", "report")] == ["all", "report", "choose"]
    assert half_by_keys(tmp_path / "none", "report") == "report"
    (other / "config.toml").write_text("dev_split = ")
    with pytest.raises(CheckpointError, match="not readable as TOML"):
        half_by_keys(other, "report")
