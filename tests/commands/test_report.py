"""`mtft.commands.report`, called directly: names of runs, files written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.commands.report import labels, report
from mtft.config.schema import ReportConfig
from mtft.errors import ConfigError, DataError
from mtft.plugin.context import new_context


def test_runs_are_named_by_as_much_of_their_path_as_tells_them_apart(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/run", "b/run", "other")]
    assert labels([paths[2]]) == ["other"]
    assert labels(paths) == ["a/run", "b/run", f"{tmp_path.name}/other"]
    with pytest.raises(ConfigError, match="is given twice"):
        labels([paths[0], tmp_path / "b" / ".." / "a" / "run"])


def test_page_and_pictures_are_written_and_nothing_is_missing(trained_run: Path, tmp_path: Path) -> None:
    config = ReportConfig(out=tmp_path / "page.html", figures=tmp_path / "pictures", resamples=5, examples=0)
    found = report([trained_run], config, new_context())
    assert found.path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(found.figures) == sorted((tmp_path / "pictures").iterdir())
    assert {path.suffix for path in found.figures} == {".svg"}
    assert list(found.missing) == [trained_run.name]


@pytest.mark.parametrize("taken", ["out", "figures"])
def test_what_is_there_is_not_replaced(taken: str, trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    config = ReportConfig.model_validate({"out": tmp_path / "page", taken: tmp_path / "mine"})
    with pytest.raises(ConfigError, match="mine exists; choose another") as caught:
        report([trained_run], config, new_context())
    assert caught.value.setting == taken
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "page").exists()


def test_no_run_and_no_data_directory_are_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to report"):
        report([], ReportConfig(), new_context())
    with pytest.raises(DataError, match="none is not a directory"):
        report([trained_run], ReportConfig(out=tmp_path / "page", data_dir=tmp_path / "none"), new_context())
