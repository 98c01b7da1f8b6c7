"""Records of runs: what they hold, that other commands read them, and that damage is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli

from mtft.errors import CheckpointError
from mtft.runs.records import is_record, model_bytes, read_record, write_record


@pytest.fixture
def record(trained_run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "records" / "trained"
    write_record(trained_run, path, {"name": "trained"})
    return path


def test_a_record_holds_all_but_weights(trained_run: Path, record: Path) -> None:
    assert (is_record(record), is_record(trained_run)) == (True, False)
    assert read_record(record)["name"] == "trained"
    assert not list(record.rglob("*.safetensors"))
    for file in record.rglob("*"):
        if file.is_file() and file.name not in ("digests.json", "record.json"):
            assert file.read_bytes() == (trained_run / file.relative_to(record)).read_bytes()
    assert model_bytes(record) == model_bytes(trained_run)
    assert sum(model_bytes(record).values()) == sum(file.stat().st_size for file in (trained_run / "model").iterdir())


def test_records_are_compared_reported_and_verified(trained_run: Path, record: Path, tmp_path: Path) -> None:
    one, other = cli("compare", f"a={trained_run}", f"b={record}", "--resamples", "10", "--json").json["columns"]
    assert {key: one[key] for key in ("scores", "stored", "tunable", "bytes", "base_bytes")} == {
        key: other[key] for key in ("scores", "stored", "tunable", "bytes", "base_bytes")
    }
    done = cli("verify", record)
    assert (done.code, "this is the record of a run, without weights" in done.out + done.err) == (0, True)
    assert cli("report", record, "--out", tmp_path / "page.html", "--examples", "0").code == 0
    done = cli("eval", record, "--sample")
    assert done.code == 2
    assert f"{record} is the record of a run: it has scores and predictions, but no weights" in done.err


@pytest.mark.parametrize("name", ["summary.json", "predictions/sts.dev.jsonl", "model/model.json", "record.json"])
def test_a_damaged_record_is_found(name: str, record: Path) -> None:
    path = record / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match=name.rpartition("/")[2]):
        read_record(record)
    assert cli("verify", record).code == 2


def test_only_finished_runs_have_records(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointError, match="no finished run of mtft"):
        write_record(tmp_path / "run", tmp_path / "record", {})
    assert not (tmp_path / "record").exists()
