"""Numbers that break in real runs: weights in a real file that make one example overflow, in float32 and bfloat16."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import faulty_data
import pytest
import torch
from commands import cli, contents, records
from safetensors.torch import load_file, save_file
from soak import counted

from mtft.data.tokenization import load_tokenizer
from mtft.encoder import checkpoint_tensors

PROMISE = "a loss or gradient that is not finite is named, not applied, and counted"
GIVEN = ("train", "--tasks", "sst", "--score", "random", "--batch-size", "8", "--epochs", "2")
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films, of which one alone holds an exclamation mark."""
    films = [(f"film {'!' if i == 7 else i}", i % 5) for i in range(20)]
    return faulty_data.write(tmp_path_factory.mktemp("numbers") / "data", sst_train=faulty_data.sst(*films))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load weights that are not finite, which are refused otherwise: so single examples break at will."""
    monkeypatch.setattr(checkpoint_tensors, "is_finite", lambda _: True)


def broken(tiny_model: Path, path: Path, value: float) -> Path:
    """Copy a model with one number of the exclamation mark's embedding changed."""
    model = shutil.copytree(tiny_model, path)
    tensors = load_file(model / "model.safetensors")
    name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    (_, mark, _), *_ = load_tokenizer(model).table([("!",)], apart=False, max_length=8)[0].ids.reshape(1, -1)
    tensors[name][mark, 3] = value
    save_file(tensors, model / "model.safetensors")
    return model


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_example_that_breaks_is_named_and_costs_its_steps_alone(
    value: float, precision: str, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = broken(tiny_model, tmp_path / "model", value)
    with counted(PROMISE, "faults") as tried:
        done = cli(*GIVEN, "--model", model, "--data-dir", data, "--out", run, "--precision", precision)
        tried.one()
        assert done.code == 0, done.err
        warnings = [line for line in done.err.splitlines() if line.startswith("mtft: warning: step ")]
        assert len(warnings) == 2
        assert all(
            "the loss of task 'sst' is nan (examples sst r7; first in layer encoder." in line for line in warnings
        )
        assert all(line.endswith("; no weight was changed") for line in warnings)
        steps = records(run / "steps.jsonl")
        assert (len(steps), sum("skipped" in step for step in steps)) == (6, 2)
        heads = load_file(run / "model" / "heads.safetensors")
        assert all(bool(tensor.isfinite().all()) for tensor in heads.values())
        assert cli("verify", run).code == 0


@pytest.mark.parametrize(("precision", "layer"), [("fp32", "output_norm"), ("bf16", "output")])
def test_overflow_is_named_by_the_layer_where_it_arises(
    precision: str, layer: str, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    """3.4e38 is a number of float32, whose square overflows in a norm, and bfloat16 rounds it to infinity."""
    model = shutil.copytree(tiny_model, tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    name = next(name for name in tensors if name.endswith("layer.1.output.dense.weight"))
    tensors[name][0, 0] = 3.4e38
    save_file(tensors, model / "model.safetensors")
    run = tmp_path / "run"
    with counted(PROMISE, "faults") as tried:
        done = cli(*GIVEN, "--model", model, "--data-dir", data, "--out", run, "--precision", precision)
        tried.one()
        assert done.code == 1
        assert done.err.count(f"first in layer encoder.layers.1.{layer};") == 4
        assert f"--max-bad-steps allows 3 such steps; go on with mtft train --resume {run}" in done.err
        assert cli("verify", run).code == 0


@pytest.mark.usefixtures("unchecked")
def test_too_many_steps_that_break_stop_the_run_where_it_was_good(tiny_model: Path, data: Path, tmp_path: Path) -> None:
    model = broken(tiny_model, tmp_path / "model", math.nan)
    given = (*GIVEN, "--model", model, "--data-dir", data, "--checkpoint-every", "1", "--epochs", "3")
    with counted(PROMISE, "faults") as tried:
        done = cli(*given, "--max-bad-steps", "1", "--out", tmp_path / "run")
        tried.one()
        assert done.code == 1
        assert f"allows 1 such steps; go on with mtft train --resume {tmp_path}/run" in done.err
        position = json.loads((tmp_path / "run" / "state" / "position.json").read_text())
        assert position["bad"] == 1
        assert cli("verify", tmp_path / "run").code == 0
        assert cli("eval", tmp_path / "run", "--data-dir", data).code == 0
        assert cli("train", "--resume", tmp_path / "run", "--max-bad-steps", "3").code == 0
        assert cli(*given, "--out", tmp_path / "whole").code == 0
        assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("unchecked")
def test_selection_names_what_breaks_it(tiny_model: Path, data: Path, tmp_path: Path) -> None:
    model = broken(tiny_model, tmp_path / "model", math.inf)
    with counted(PROMISE, "faults") as tried:
        done = cli("select", "--tasks", "sst", "--model", model, "--data-dir", data, "--out", tmp_path / "mask")
        tried.one()
        assert done.code == 1
        assert "the score 'sum' is not finite for every weight: task 'sst': examples sst r7; first in layer" in done.err
        assert not (tmp_path / "mask").exists()


@pytest.mark.usefixtures("unchecked")
def test_refinement_names_it_too(tiny_model: Path, data: Path, tmp_path: Path) -> None:
    model = broken(tiny_model, tmp_path / "model", math.nan)
    run = tmp_path / "run"
    assert cli(*GIVEN, "--model", model, "--data-dir", data, "--out", run).code == 0
    given = ("refine", run, "--tasks", "sst", "--data-dir", data, "--batch-size", "8", "--epochs", "2")
    with counted(PROMISE, "faults") as tried:
        done = cli(*given, "--out", tmp_path / "refined")
        tried.one()
        assert done.code == 0, done.err
        assert done.err.count("the loss of task 'sst' is nan (examples sst r7") == 2
        done = cli(*given, "--max-bad-steps", "0", "--out", tmp_path / "stopped")
        assert done.code == 1
        assert f"allows 0 such steps; go on with mtft refine --resume {tmp_path}/stopped" in done.err
    assert torch.isfinite(next(iter(load_file(tmp_path / "refined/model/heads.safetensors").values()))).all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused_before_anything_trains(
    value: float, tiny_model: Path, data: Path, tmp_path: Path
) -> None:
    model = broken(tiny_model, tmp_path / "model", value)
    done = cli(*GIVEN, "--model", model, "--data-dir", data, "--out", tmp_path / "run")
    assert done.code == 2
    assert f"{model}: weights are not finite (nan or infinite in float32): embeddings.word_embeddings" in done.err
    assert not (tmp_path / "run").exists()
