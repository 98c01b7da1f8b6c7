"""`--calibrate`: temperatures travel with the model, are applied and told, and change no label."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from commands import FEW, TASKS, cli, digests, records, reseal, summary

from mtft.data.dataset import Dataset
from mtft.data.shares import half_of
from mtft.metrics import calibration
from mtft.model.calibration import HIGHEST, LOWEST, fit_temperature
from mtft.outputs import Tempered
from mtft.tasks.sst import SST
from mtft.training.temperatures import calibrate

STEEP = ("--lr", "0.03")
"""A learning rate after which four steps make the tiny model far too sure."""


@pytest.fixture(scope="module")
def plain(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is not calibrated; not to be changed."""
    out = tmp_path_factory.mktemp("plain") / "run"
    assert cli("train", "--tasks", ",".join(TASKS), *FEW, *STEEP, "--model", tiny_model, "--out", out).code == 0
    return out


@pytest.fixture(scope="module")
def calibrated(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the fixture `plain`, calibrated; not to be changed."""
    out = tmp_path_factory.mktemp("calibrated") / "run"
    options = ("--tasks", ",".join(TASKS), *FEW, *STEEP, "--model", tiny_model, "--out", out)
    done = cli("train", *options, "--calibrate")
    assert done.code == 0, done.err
    for task in ("sst", "quora"):
        assert f"{task}: temperature " in done.err
    assert "(on 60 rows that it was not fitted on)" in done.err
    assert "not kept" not in done.err
    return out


def test_a_temperature_that_does_not_help_is_not_kept(tiny_model: Path, tmp_path: Path) -> None:
    options = ("--tasks", "sst", *FEW, "--model", tiny_model, "--out", tmp_path / "run", "--calibrate")
    done = cli("train", *options)  # four small steps leave the tiny model as unsure as it should be
    assert "(on 60 rows that it was not fitted on); not kept, since the error did not fall" in done.err
    found = summary(tmp_path / "run")["calibration"]["sst"]
    assert found["kept"] is False
    assert found["after"]["ece"] >= found["before"]["ece"]
    assert "temperature" not in manifest(tmp_path / "run")["sst"]
    value = cli("eval", tmp_path / "run", "--sample", "--resamples", "0", "--json").json["tasks"]["sst"]["calibration"]
    assert value["ece"] == pytest.approx(found["before"]["ece"])


@pytest.mark.parametrize("kept", [True, False])
def test_what_keeps_a_temperature_is_measured_on_the_other_half(kept: bool) -> None:
    """Against a loop by hand: fit on one half, read the other at that temperature."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 5, 200)
    raw = random.normal(0, 1, (200, 5)).astype(np.float32)
    raw[np.arange(200), targets] += 1.0
    raw *= 8.0 if kept else 1.0
    keys = [f"row-{number}" for number in range(200)]
    data = cast("Dataset", SimpleNamespace(targets=targets.astype(np.float32), keys=keys))
    found = calibrate(SST, raw, data, np.ones(200, bool))
    assert found is not None
    halves = np.array([half_of(key) == "choose" for key in keys])
    read = np.zeros((200, 5))
    for fit in (halves, ~halves):
        temperature = fit_temperature(SST.output, raw[fit], targets[fit].astype(np.float64))
        read[~fit] = SST.output.read(raw[~fit] / np.float32(temperature))
    error = calibration(read, targets.astype(np.float64)).ece
    assert found.found["after"]["ece"] == pytest.approx(error, abs=1e-6)
    assert found.found["kept"] is (error < found.found["before"]["ece"])
    assert isinstance(found.task.output, Tempered) is found.found["kept"]
    assert not kept or found.found["kept"]


def manifest(run: Path) -> dict[str, Any]:
    return {entry["name"]: entry for entry in json.loads((run / "model" / "model.json").read_text())["tasks"]}


def test_the_rows_kept_apart_do_not_move_the_temperature() -> None:
    random = np.random.default_rng(0)
    raw, truth = random.normal(0, 3, (80, 5)).astype(np.float32), random.integers(0, 5, 80).astype(np.float32)
    chosen = np.arange(80) < 40
    other = np.where(chosen, truth, (truth + 1) % 5).astype(np.float32)
    one, two = (
        calibrate(SST, raw, cast("Dataset", SimpleNamespace(targets=targets, keys=())), chosen)
        for targets in (truth, other)
    )
    assert one is not None
    assert two is not None
    assert one.found["temperature"] == two.found["temperature"]
    assert one.found["after"] != two.found["after"]


def test_scores_and_weights_are_those_without_and_temperatures_are_kept(calibrated: Path, plain: Path) -> None:
    ours, theirs = digests(calibrated / "model"), digests(plain / "model")
    tensors = [name for name in theirs if name.endswith(".safetensors")]
    assert {name: ours[name] for name in tensors} == {name: theirs[name] for name in tensors}
    assert summary(calibrated)["dev"] == summary(plain)["dev"]
    assert "calibration" not in summary(plain)
    found = summary(calibrated)["calibration"]
    assert list(found) == ["sst", "quora"]
    for task, what in found.items():
        assert manifest(calibrated)[task]["temperature"] == what["temperature"]
        assert (what["n"], what["held_out"], what["kept"]) == (60, False, True)
        assert what["after"]["ece"] < what["before"]["ece"]
    assert "temperature" not in manifest(calibrated)["sts"]


def test_predictions_are_read_at_the_temperature_with_the_same_labels(calibrated: Path, plain: Path) -> None:
    moved = 0
    for task in TASKS:
        ours, theirs = (records(run / "predictions" / f"{task}.dev.jsonl") for run in (calibrated, plain))
        temperature = manifest(calibrated)[task].get("temperature", 1.0)
        for one, other in zip(ours, theirs, strict=True):
            if task == "sts":
                assert one == other
                continue
            powers = np.array(other["value"]) ** (1 / temperature)
            np.testing.assert_allclose(one["value"], powers / powers.sum(), atol=1e-9)
            assert np.argmax(one["value"]) == np.argmax(other["value"])
            moved += one["value"] != other["value"]
    assert moved


def test_eval_and_predict_apply_it_and_say_so(calibrated: Path, plain: Path) -> None:
    options = ("--sample", "--resamples", "0", "--json")
    done = cli("eval", calibrated, *options)
    assert "sst: probabilities are read at temperature " in done.err
    for task in ("sst", "quora"):
        kept = summary(calibrated)["calibration"][task]
        assert done.json["tasks"][task]["calibration"]["ece"] < kept["before"]["ece"]
        without = cli("eval", plain, *options).json["tasks"][task]
        assert without["calibration"]["ece"] == pytest.approx(kept["before"]["ece"])
        assert without["metrics"] == done.json["tasks"][task]["metrics"]
    text = "A joy.\n"
    ours, theirs = (cli("predict", run, "--tasks", "sst", stdin=text) for run in (calibrated, plain))
    assert "sst: probabilities are read at temperature " in ours.err
    assert ours.lines[0]["sst"]["label"] == theirs.lines[0]["sst"]["label"]
    assert ours.lines[0]["sst"]["probabilities"] != theirs.lines[0]["sst"]["probabilities"]


def test_a_report_says_so(calibrated: Path, plain: Path, tmp_path: Path) -> None:
    for run, times in ((calibrated, 2), (plain, 0)):
        assert cli("report", run, "--out", tmp_path / f"{times}.html", "--resamples", "10").code == 0
        page = (tmp_path / f"{times}.html").read_text(encoding="utf-8")
        assert page.count("Probabilities are read at temperature") == times


def test_with_a_half_that_chooses_the_other_half_measures(tiny_model: Path, tmp_path: Path) -> None:
    arguments = ("--tasks", "quora", *FEW, *STEEP, "--model", tiny_model, "--calibrate", "--dev-split", "half")
    done = cli("train", *arguments, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    found = summary(tmp_path / "run")["calibration"]["quora"]
    half = cli("eval", tmp_path / "run", "--sample", "--half", "report", "--resamples", "0", "--json").json
    assert found["held_out"] is True
    assert found["n"] == half["tasks"]["quora"]["n"] < 60
    assert found["after"]["ece"] == pytest.approx(half["tasks"]["quora"]["calibration"]["ece"])


def test_refine_drops_temperatures_or_fits_new_ones(calibrated: Path, tmp_path: Path) -> None:
    options = ("--tasks", "sst", "--sample", "--epochs", "1", "--lr", "0.001")
    done = cli("refine", calibrated, *options, "--out", tmp_path / "plain")
    assert f"{calibrated} is calibrated: its temperatures are not those of refined heads" in done.err
    assert not any("temperature" in entry for entry in manifest(tmp_path / "plain").values())
    done = cli("refine", calibrated, *options, "--out", tmp_path / "again", "--calibrate")
    assert done.code == 0, done.err
    found = summary(tmp_path / "again")["calibration"]
    expected = {task: what["temperature"] if what["kept"] else None for task, what in found.items()}
    assert {name: entry.get("temperature") for name, entry in manifest(tmp_path / "again").items()} == {
        **expected,
        "sts": None,
    }
    assert any(expected.values())


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e9, "2", None, True])
def test_a_temperature_out_of_range_is_refused(temperature: object, trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "run"))
    path = run / "model" / "model.json"
    found = json.loads(path.read_text())
    found["tasks"][0]["temperature"] = temperature
    path.write_text(json.dumps(found))
    reseal(path)
    done = cli("eval", run, "--sample")
    assert done.code == 2
    assert f"the temperature of task 'sst' is {temperature!r}, not a number from {LOWEST:g} to {HIGHEST:g}" in done.err


def test_a_number_has_no_temperature(trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "run"))
    path = run / "model" / "model.json"
    found = json.loads(path.read_text())
    found["tasks"][2]["temperature"] = 2.0
    path.write_text(json.dumps(found))
    reseal(path)
    done = cli("eval", run, "--sample")
    assert done.code == 2
    assert "task 'sts' has a temperature, but its output has no classes" in done.err
