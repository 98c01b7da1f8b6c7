"""`mtft merge`: transformers and mtft itself load what it writes, to the same outputs; nothing else is replaced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import FEW, cli, digests
from safetensors.torch import load_file, save_file

from mtft.commands.merge import check_written
from mtft.data.packing import pack
from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import hub_tensors
from mtft.errors import ModelError
from mtft.plugin.context import new_context
from mtft.runs.checkpoint import TrainedModel, load_model

TEXTS = ["A joy.", "It's long, dull, and it never ends - or so it seems."]


@pytest.fixture(scope="module")
def trained_model(trained_run: Path) -> TrainedModel:
    return load_model(trained_run / "model", new_context().registry)


@pytest.fixture(scope="module")
def merged(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The merged encoder of a run; not to be changed."""
    path = tmp_path_factory.mktemp("merged") / "encoder"
    done = cli("merge", trained_run, "--out", path)
    assert (done.code, done.out) == (0, f"{path}\n"), done.err
    return path


def test_transformers_loads_it_to_the_same_outputs(merged: Path, trained_model: TrainedModel) -> None:
    transformers = pytest.importorskip("transformers")
    theirs, info = transformers.BertModel.from_pretrained(merged, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(merged)
    table, _ = trained_model.tokenizer.table([(text,) for text in TEXTS], apart=False, max_length=40)
    ids = list(tokenizer(TEXTS, truncation=True, max_length=40)["input_ids"])
    assert ids == [table.ids[a:b].tolist() for a, b in zip(table.offsets[:-1], table.offsets[1:], strict=True)]
    automatic = transformers.AutoModel.from_pretrained(merged).eval()
    assert type(automatic) is type(theirs)
    trained_model.model.eval()
    for row in range(len(TEXTS)):
        with torch.no_grad():
            ours = trained_model.model.encoder(pack((table, torch.tensor([row]).numpy())))
            found = automatic(input_ids=torch.tensor([ids[row]]))
        torch.testing.assert_close(ours.packed, found.last_hidden_state[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.pooled, found.pooler_output, rtol=0, atol=1e-5)


def test_its_weights_are_those_of_the_run_bit_for_bit(merged: Path, trained_model: TrainedModel) -> None:
    assert isinstance(trained_model.model.encoder, Encoder)
    found, expected = load_file(merged / "model.safetensors"), hub_tensors(trained_model.model.encoder)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_it_says_what_changed_and_where_it_came_from(
    trained_run: Path, tiny_model: Path, merged: Path, tmp_path: Path
) -> None:
    done = cli("merge", trained_run, "--out", tmp_path / "again", "--json").json
    manifest = json.loads((trained_run / "model" / "model.json").read_text())
    assert done["parameters"] == manifest["total"]
    assert 0 < done["changed"] <= manifest["selected"]
    origin = json.loads((merged / "mtft.json").read_text())
    assert origin["base"] == {"name": str(tiny_model), "weights": manifest["base"]["weights"]}
    assert (origin["weights"], origin["tasks"]) == (done["weights"], ["sst", "quora", "sts"])
    assert digests(merged) == digests(tmp_path / "again")


def test_it_is_a_base_model_of_mtft(merged: Path, tmp_path: Path) -> None:
    out = tmp_path / "next"
    assert cli("train", "--tasks", "sst", *FEW, "--model", merged, "--out", out, "--quiet").code == 0
    base = json.loads((out / "model" / "model.json").read_text())["base"]
    assert base["weights"] == json.loads((merged / "mtft.json").read_text())["weights"]
    assert cli("eval", out, "--sample", "--resamples", "0").code == 0


def test_only_a_merged_model_is_replaced_and_only_when_asked(trained_run: Path, merged: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(merged, tmp_path / "copy"))
    (copy / "model.safetensors").write_bytes(b"")
    done = cli("merge", trained_run, "--out", copy)
    assert (done.code, done.out) == (2, "")
    assert f"--out: {copy} exists; choose another or give --overwrite" in done.err
    assert cli("merge", trained_run, "--out", copy, "--overwrite", "--quiet").code == 0
    assert digests(copy) == digests(merged)
    for origin in ("", "[]", '{"format": "other"}'):
        foreign = tmp_path / f"foreign{len(origin)}"
        foreign.mkdir()
        (foreign / "mtft.json").write_text(origin)
        done = cli("merge", trained_run, "--out", foreign, "--overwrite")
        assert done.code == 2
        assert "was not written by mtft merge" in done.err
        assert list(foreign.iterdir()) == [foreign / "mtft.json"]


def test_without_out_it_lies_beside_the_run(trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "run"))
    assert cli("merge", run).out == f"{run}-merged\n"
    assert cli("merge", run).out == f"{run}-merged-2\n"


@pytest.mark.parametrize("part", ["embeddings.word_embeddings.weight", "pooler.dense.bias"])
def test_what_was_written_is_read_back(part: str, merged: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(merged, tmp_path / "copy"))
    origin: dict[str, Any] = json.loads((merged / "mtft.json").read_text())
    check_written(copy, origin["weights"], origin["tokenizer"])
    tensors = load_file(copy / "model.safetensors")
    tensors[part].view(-1)[0] += 1
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(ModelError, match="read back, the merged model is not the one"):
        check_written(copy, origin["weights"], origin["tokenizer"])


def test_no_run_and_no_place(trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("merge", tmp_path / "gone", "--out", tmp_path / "out")
    assert done.code == 2
    assert "holds no trained model" in done.err
    assert not (tmp_path / "out").exists()
    monkeypatch.chdir(tmp_path)
    done = cli("merge", trained_run, "--out", ".", "--overwrite")
    assert "--out: . is or holds the working directory; it is not replaced" in done.err
    done = cli("merge", trained_run, "--out", trained_run / "encoder")
    assert done.code == 2
    assert "is, holds or is in the run that is merged" in done.err
    (tmp_path / "file").write_text("")
    done = cli("merge", trained_run, "--out", tmp_path / "file" / "out")
    assert done.code == 2
    assert "cannot be made" in done.err
