"""Four steps with the real encoder on the real data, then everything that reads the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import TASKS, cli, summary

pytestmark = [pytest.mark.slow, pytest.mark.real_data]


@pytest.fixture(scope="module")
def run(minilm: Path, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "run"
    options = ("--data-dir", real_data, "--max-steps", "4", "--batches", "2", "--max-length", "128", "--out", out)
    done = cli("train", "--tasks", ",".join(TASKS), *options, "--json")
    assert done.json["parameters"]["encoder"] == {"stored": 22713216, "tunable": 6813964}
    assert "augmentation: cfimdb, quora-consistency, sts-consistency" in done.err
    return out


def test_eval_repeats_the_scores_of_training(run: Path, real_data: Path) -> None:
    done = cli("eval", run, "--data-dir", real_data, "--resamples", "10", "--json")
    found = {
        task: {name: each["value"] for name, each in one["metrics"].items()} for task, one in done.json["tasks"].items()
    }
    for task, scores in summary(run)["dev"].items():  # batches hold other rows together here: rounding
        assert found[task] == pytest.approx(scores, abs=1e-7)
    assert done.json["tasks"]["sst"]["n"] == 1101


def test_predict(run: Path) -> None:
    done = cli("predict", run, stdin='{"sentence": "A fine film."}\n{"sentence1": "One.", "sentence2": "Two."}\n')
    assert [list(answer) for answer in done.lines] == [["id", "sst"], ["id", "quora", "sts"]]


def test_what_it_stores_is_a_share_of_the_model(run: Path, minilm: Path) -> None:
    base = (minilm / "model.safetensors").stat().st_size
    size = sum((run / "model" / name).stat().st_size for name in ("mask.safetensors", "encoder.safetensors"))
    assert size < 0.35 * base
