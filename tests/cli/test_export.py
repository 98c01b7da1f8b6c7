"""`mtft export --format onnx`: onnxruntime says what mtft says, at any shape; what is off is not written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import cli, summary

from mtft.commands.export import check_parity
from mtft.data.dataset import sample_dir
from mtft.data.padding import pad
from mtft.errors import ModelError
from mtft.io.files import read_json, write_json
from mtft.model.inference import apply
from mtft.plugin.context import new_context
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.testing.tiny import tiny_table

pytest.importorskip("onnxscript")
onnx_file = pytest.importorskip("mtft.runs.onnx")
NAMES = ["sst", "quora", "sts"]


@pytest.fixture(scope="module")
def trained_model(trained_run: Path) -> TrainedModel:
    return load_model(trained_run / "model", new_context().registry)


@pytest.fixture(scope="module")
def exported(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """An exported run with its 8-bit twin, and what the command said; not to be changed."""
    path = tmp_path_factory.mktemp("onnx") / "deep" / "model.onnx"
    done = cli("export", trained_run, "--format", "onnx", "--out", path, "--int8", "--sample", "--json")
    assert "warning: " not in done.err
    return path, done.json


@pytest.mark.slow
def test_onnxruntime_says_the_same_at_every_shape(exported: tuple[Path, Any], trained_model: TrainedModel) -> None:
    session = onnx_file.open_session(exported[0])
    assert [entry.name for entry in session.get_outputs()] == NAMES
    assert [(entry.name, entry.shape) for entry in session.get_inputs()] == [
        (name, ["batch", "length"]) for name in onnx_file.INPUTS
    ]
    for lengths in ([1], [48], [1, 1], [3, 9, 2, 48, 17], [2] * 30):
        table = tiny_table(trained_model.model.encoder, lengths)
        expected = apply(trained_model.model, table, NAMES)
        for budget in (60, 10_000):
            found = onnx_file.apply_session(session, table, NAMES, budget)
            for name in NAMES:
                np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_command_says_what_it_found(exported: tuple[Path, Any], trained_run: Path) -> None:
    path, result = exported
    assert 0 <= result["difference"] < 1e-5
    assert result["files"] == [str(path), str(path.with_name("model.int8.onnx")), f"{path}.json"]
    assert sorted(each.name for each in path.parent.iterdir()) == sorted(Path(each).name for each in result["files"])
    about = json.loads(Path(f"{path}.json").read_text())
    assert about["parity"] == {"shapes": [[4, 48], [3, 48]], "difference": result["difference"]}
    manifest = json.loads((trained_run / "model" / "model.json").read_text())
    assert about["tokenizer"] == manifest["base"]["tokenizer"]
    assert {name: task["output"] for name, task in about["tasks"].items()} == {
        entry["name"]: entry["output"] for entry in manifest["tasks"]
    }
    for name, found in result["int8"]["dev"].items():
        metric = summary(trained_run)["tasks"][name]
        assert (found["n"], found["metric"]) == (60, metric)
        assert found["full"] == summary(trained_run)["dev"][name][metric]
        assert found["difference"] > 0
    assert result["int8"]["bytes"] == path.with_name("model.int8.onnx").stat().st_size < path.stat().st_size


@pytest.mark.slow
def test_the_file_alone_says_how_it_reads_and_nothing_of_this_machine(exported: tuple[Path, Any]) -> None:
    path, _ = exported
    session = onnx_file.open_session(path)
    about = json.loads(session.get_modelmeta().custom_metadata_map["mtft"])
    assert about["tasks"]["sst"]["reads"] == "probabilities of the names: softmax(output / temperature)"
    assert about["tasks"]["quora"]["input"] == "pair"
    assert b"site-packages" not in path.read_bytes()
    arrays = [np.array([[2, 5, 6, 3]]), np.zeros((1, 4), np.int64), np.ones((1, 4), np.int64)]
    logits = session.run(["sst"], dict(zip(onnx_file.INPUTS, arrays, strict=True)))[0]
    assert logits.shape == (1, len(about["tasks"]["sst"]["output"]["names"]))


@pytest.mark.slow
def test_a_graph_that_is_off_is_refused(exported: tuple[Path, Any], trained_model: TrainedModel) -> None:
    assert check_parity(exported[0], trained_model)["difference"] < 1e-5
    with pytest.raises(ModelError, match=r"outputs of 'sst' differ from mtft's by up to .*: the export is not written"):
        check_parity(exported[0].with_name("model.int8.onnx"), trained_model)


@pytest.mark.slow
def test_dev_rows_are_found_where_the_run_found_them(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy, data = shutil.copytree(trained_run, tmp_path / "run"), shutil.copytree(sample_dir(), tmp_path / "elsewhere")
    facts = read_json(copy / "environment.json")
    write_json(copy / "environment.json", {**facts, "data_dir": str(data)})
    done = cli("export", "run", "--format", "onnx", "--int8", "--out", "m.onnx")
    assert done.code == 0, done.err
    shutil.rmtree(data)
    done = cli("export", "run", "--format", "onnx", "--int8", "--out", "n.onnx")
    assert done.code == 2
    assert not list(tmp_path.glob("n.onnx*"))


def test_what_fails_leaves_nothing_behind(trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtft.commands.export.TOLERANCE", -1.0)
    done = cli("export", trained_run, "--format", "onnx", "--out", tmp_path / "model.onnx")
    assert (done.code, done.out) == (2, "")
    assert "the export is not written" in done.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_asked(trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"mine")
    options = ("export", trained_run, "--format", "onnx", "--out")
    done = cli(*options, tmp_path / "model.onnx")
    assert done.code == 2
    assert "model.onnx exists; choose another or give --overwrite" in done.err
    done = cli(*options, tmp_path, "--overwrite")
    assert done.code == 2
    assert f"--out: {tmp_path} is a directory; name a file" in done.err
    assert (tmp_path / "model.onnx").read_bytes() == b"mine"
    done = cli("export", trained_run, "--out", tmp_path / "other", "--int8")
    assert done.code == 2
    assert "--int8: is for --format onnx, not bundle" in done.err


def test_padding_holds_the_tokens_and_nothing_else(trained_model: TrainedModel) -> None:
    table = tiny_table(trained_model.model.encoder, [3, 1, 5])
    ids, segments, mask = pad(table, np.array([2, 0]))
    assert mask.tolist() == [[1] * 5, [1] * 3 + [0] * 2]
    assert ids[0].tolist() == table.ids[4:].tolist()
    assert ids[1].tolist() == [*table.ids[:3].tolist(), 0, 0]
    assert segments[1].tolist() == [*table.segments[:3].tolist(), 0, 0]
    assert {array.dtype for array in (ids, segments, mask)} == {np.dtype(np.int64)}
