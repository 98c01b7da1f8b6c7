"""Model directories of other makes, from training to merge and export: one model in mtft, transformers and ONNX."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import cli
from safetensors.torch import load_file, save_file

from mtft.data.packing import pack
from mtft.encoder.pretrained import POOLER
from mtft.plugin.context import new_context
from mtft.runs.checkpoint import load_model

ROWS = [("a bat [e1] hat",), ("The [E1] cat.", "no hat")]
FEW = ("--sample", "--batches", "2", "--epochs", "1", "--max-length", "40", "--augment", "none")


def change_json(path: Path, **changes: Any) -> None:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {key: value for key, value in (found | changes).items() if value is not ...}
    path.write_text(json.dumps(kept), encoding="utf-8")


def change_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    weights = path / "model.safetensors"
    save_file(change(dict(load_file(weights))), weights)


def added_tokens(path: Path) -> None:
    change_json(path / "added_tokens.json", **{"[e1]": 64})
    change_json(path / "config.json", vocab_size=66)
    name = "embeddings.word_embeddings.weight"
    change_tensors(path, lambda found: found | {name: torch.cat([found[name], found[name][7:9]])})


def without_pooler(path: Path) -> None:
    change_tensors(
        path,
        lambda found: (
            {f"bert.{name}": t for name, t in found.items() if name not in POOLER}
            | {"cls.predictions.bias": torch.zeros(64)}
        ),
    )


def wrapped(path: Path) -> None:
    change_tensors(path, lambda found: {f"module.bert.{name}": tensor.half() for name, tensor in found.items()})


def bare_configuration(path: Path) -> None:
    change_json(path / "config.json", model_type=..., hidden_act=..., layer_norm_eps=..., type_vocab_size=...)


def cased(path: Path) -> None:
    change_json(path / "tokenizer_config.json", do_lower_case=False, cls_token="[CLS]", tokenizer_class="BertTokenizer")


def untyped(path: Path) -> None:
    change_json(path / "tokenizer_config.json", tokenizer_class="DistilBertTokenizer")


@pytest.mark.parametrize("make", [added_tokens, without_pooler, wrapped, bare_configuration, cased, untyped])
def test_merged_models_agree_with_the_run(make: Callable[[Path], None], tiny_model: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    base, run, merged = tmp_path / "base", tmp_path / "run", tmp_path / "merged"
    shutil.copytree(tiny_model, base)
    make(base)
    done = cli("train", "--tasks", "sts", "--model", base, "--out", run, *FEW)
    assert done.code == 0, done.err
    assert ("a fresh one is drawn" in done.err) == (make is without_pooler)
    assert cli("verify", run).code == 0
    done = cli("merge", run, "--out", merged)
    assert done.code == 0, done.err
    trained = load_model(run / "model", new_context().registry)
    trained.model.eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(merged)
    theirs = transformers.AutoModel.from_pretrained(merged).eval()
    table, _ = trained.tokenizer.table(ROWS, apart=False, max_length=40)
    for index, (begin, end) in enumerate(zip(table.offsets[:-1], table.offsets[1:], strict=True)):
        inputs = tokenizer(*ROWS[index], return_tensors="pt")
        assert inputs["input_ids"][0].tolist() == table.ids[begin:end].tolist()
        with torch.no_grad():
            found = theirs(**inputs)
            ours = trained.model.encoder(pack((table, np.array([index]))))
        torch.testing.assert_close(ours.packed, found.last_hidden_state[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(ours.pooled, found.pooler_output, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("make", [added_tokens, without_pooler, untyped])
def test_exported_models_agree_with_the_run(make: Callable[[Path], None], tiny_model: Path, tmp_path: Path) -> None:
    """Export compares the graph's outputs with mtft's own and writes none that differs."""
    pytest.importorskip("onnxruntime")
    base, run = tmp_path / "base", tmp_path / "run"
    shutil.copytree(tiny_model, base)
    make(base)
    assert cli("train", "--tasks", "sts", "--model", base, "--out", run, *FEW).code == 0
    done = cli("export", run, "--format", "onnx", "--out", tmp_path / "model.onnx")
    assert done.code == 0, done.err
