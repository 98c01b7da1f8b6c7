"""Every architecture from start to end: planned, trained, refined, merged, exported, and drawn in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import cli, digests

pytest.importorskip("transformers")

import transformers
from encoder_parity import worst_difference
from family_models import FAMILIES, TEXTS, write_family

from mtft.encoder.architectures import ARCHITECTURES
from mtft.model.inference import apply
from mtft.plugin.context import new_context
from mtft.runs.checkpoint import TrainedModel, load_model

SHORT = ("--tasks", "sst,sts", "--sample", "--augment", "none", "--max-length", "40", "--micro-batch-tokens", "1000")
FEW = (*SHORT, "--max-steps", "2", "--batches", "1", "--batch-size", "8", "--keep", "0.5")


@pytest.fixture(scope="module", params=[name for name in FAMILIES if name != "bert"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("models") / request.param
    write_family(path, request.param)
    return path


@pytest.fixture(scope="module")
def trained(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("runs") / model.name
    done = cli("train", *FEW, "--model", model, "--out", path, "--quiet")
    assert done.code == 0, done.err
    return path


@pytest.fixture
def loaded(trained: Path) -> TrainedModel:
    return load_model(trained / "model", new_context().registry)


def test_what_is_counted_and_planned_is_what_is_trained(model: Path, trained: Path, loaded: TrainedModel) -> None:
    counted = cli("count-params", "--model", model, "--tasks", "sst,sts", "--keep", "0.5", "--json").json
    planned = cli("plan", *FEW, "--model", model, "--json").json
    assert counted["stored"] == planned["parameters"]["stored"] == loaded.parameters().stored
    assert counted["tunable"] == loaded.parameters().tunable
    assert 0 < planned["memory_bytes"]["select"] < 2e9
    assert loaded.model.encoder.family == model.name
    card = (trained / "model" / "README.md").read_text()
    assert f"{ARCHITECTURES[model.name].title} encoder shared by all tasks" in card


def test_a_stopped_training_goes_on_with_the_same_bytes(model: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    assert cli("train", *FEW, "--model", model, "--out", out, "--max-time", "0.001s", "--quiet").code == 4
    assert cli("train", "--resume", out, "--max-time", "1h", "--quiet").code == 0
    assert digests(out / "model") == digests(trained / "model")


def test_a_merged_encoder_is_loaded_by_transformers(
    model: Path, trained: Path, loaded: TrainedModel, tmp_path: Path
) -> None:
    found = cli("merge", trained, "--out", tmp_path / "merged", "--json").json
    assert found["changed"] > 0
    theirs, notes = transformers.AutoModel.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert type(theirs).__name__ == ARCHITECTURES[model.name].model
    assert not any(notes[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    table, _ = loaded.tokenizer.table(TEXTS, apart=False, max_length=512)
    encoder: Any = loaded.model.encoder
    assert worst_difference(encoder.eval(), theirs.eval(), table) <= 1e-5
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert [number for text in TEXTS for number in again(*text)["input_ids"]] == table.ids.tolist()


def test_refine_reads_features_that_were_kept(trained: Path, tmp_path: Path) -> None:
    few = ("--tasks", "sts", "--epochs", "1", "--sample", "--lr", "1e-3")
    runs = [tmp_path / name for name in ("kept", "encoded")]
    for run, cache in zip(runs, ("auto", "off"), strict=True):
        done = cli("refine", trained, *few, "--feature-cache", cache, "--out", run)
        assert done.code == 0, done.err
        assert ("encoding every text once" in done.err) == (cache == "auto")
    kept, encoded = (load_model(run / "model", new_context().registry).model.heads["sts"] for run in runs)
    for first, second in zip(kept.parameters(), encoded.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)


def test_the_report_draws_what_was_selected(model: Path, trained: Path, tmp_path: Path) -> None:
    done = cli("report", trained, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures", "--examples", "0")
    assert done.code == 0, done.err
    page = (tmp_path / "page.html").read_text()
    assert "Share of weights selected per layer and kind" in page
    assert ("pooler bias" in page) == (model.name not in ("distilbert", "electra"))
    assert ("embeddings segment" in page) == (model.name not in ("distilbert", "mpnet"))
    assert ("embeddings projection" in page) == (model.name == "electra")
    assert ("relative bias" in page) == (model.name == "mpnet")


@pytest.mark.slow
def test_onnxruntime_says_the_same(model: Path, trained: Path, loaded: TrainedModel, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from mtft.runs.onnx import apply_session, open_session

    done = cli("export", trained, "--format", "onnx", "--out", tmp_path / "model.onnx", "--json").json
    assert done["difference"] < 1e-4
    session = open_session(tmp_path / "model.onnx")
    typed = ["token_type_ids"] if model.name == "electra" else []
    assert [entry.name for entry in session.get_inputs()] == ["input_ids", *typed, "attention_mask"]
    about = json.loads((tmp_path / "model.onnx.json").read_text())
    assert ("token_type_ids" in about["inputs"]) == bool(typed)
    table, _ = loaded.tokenizer.table(TEXTS, apart=False, max_length=300)
    assert table.lengths.max() > 130
    ours, theirs = apply(loaded.model, table, ["sst", "sts"]), apply_session(session, table, ["sst", "sts"])
    for task in ours:
        np.testing.assert_allclose(theirs[task], ours[task], rtol=0, atol=1e-5)


def test_an_encoder_of_a_plugin_that_mtft_reads_itself_now_is_refused(trained: Path, tmp_path: Path) -> None:
    """Runs made with the plugin hold the weights in the order of its module."""
    import shutil

    from mtft.io.digests import write_digests

    run = shutil.copytree(trained, tmp_path / "old")
    manifest = json.loads((run / "model" / "model.json").read_text())
    manifest["base"]["plugin"] = {"name": "transformers", "distribution": "mtft-transformers", "version": "0.1.0"}
    (run / "model" / "model.json").write_text(json.dumps(manifest))
    write_digests(run / "model")
    done = cli("predict", run, "--tasks", "sst", stdin="Good.\n")
    assert done.code == 2
    assert "came from mtft-transformers 0.1.0" in done.err
    assert "train again" in done.err
