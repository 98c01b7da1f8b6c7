"""Looks at test: counted in the run, shown, and no damage to it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from commands import cli

import mtft
from mtft.data.dataset import sample_dir
from mtft.errors import CheckpointError
from mtft.runs.looks import LOOKS, count_looks, looks_text, note_look, read_looks


def test_looks_are_counted_in_order(tmp_path: Path) -> None:
    assert count_looks(tmp_path) == 0
    assert [note_look(tmp_path, {"sst": text}) for text in ("a", "b")] == [1, 2]
    assert [look["data"] for look in read_looks(tmp_path)] == [{"sst": "a"}, {"sst": "b"}]


@pytest.mark.parametrize("text", ["[]", '{"looks": 3}', '{"looks": [3]}', "{}"])
def test_a_damaged_count_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text(text)
    with pytest.raises(CheckpointError, match=LOOKS):
        read_looks(tmp_path)


@pytest.mark.parametrize(("looks", "words"), [(0, "never"), (1, "once"), (2, "twice"), (3, "3 times")])
def test_words(looks: int, words: str) -> None:
    assert looks_text(looks) == f"test looked at {words}"


def test_eval_counts_and_eval_report_and_bundle_say_so(trained_run: Path, tmp_path: Path) -> None:
    run, data = Path(shutil.copytree(trained_run, tmp_path / "run")), tmp_path / "data"
    shutil.copytree(sample_dir(), data)
    for task in ("sst", "quora", "sts"):
        (dev,) = data.glob(f"*{task}-dev.csv")
        shutil.copyfile(dev, dev.with_name(dev.name.replace("dev", "test")))
    given = (run, "--data-dir", data, "--resamples", "0")
    assert cli("eval", *given).code == 0
    assert not (run / LOOKS).exists()
    assert cli("eval", *given, "--split", "test", "--tasks", "sst", "--json").json["looks"] == 1
    done = cli("eval", *given, "--split", "test")
    assert done.err.endswith("test looked at twice\n")
    assert [set(look["data"]) for look in read_looks(run)] == [{"sst"}, {"sst", "quora", "sts"}]
    assert cli("verify", run).code == 0
    page = mtft.write_report(run, out=tmp_path / "page.html", examples=0, resamples=10).path
    assert "test looked at" in page.read_text(encoding="utf-8")
    assert "test looked at" not in mtft.write_report(
        trained_run, out=tmp_path / "other.html", examples=0, resamples=10
    ).path.read_text(encoding="utf-8")
    bundle = mtft.export(run, out=tmp_path / "run.mtft").path
    with zipfile.ZipFile(bundle) as archive:
        card = archive.read("README.md").decode()
    assert card.endswith("Before it was exported: test looked at twice. Scores on test mean less with each look.\n")
    assert mtft.verify(bundle).problems == ()
    assert (run / "model/README.md").read_bytes() == (trained_run / "model/README.md").read_bytes()
