"""Checkpoints of every layout, against BertModel of transformers; what is left out is named, what is wrong refused."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtft.data.packing import pack
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.checkpoint_tensors import is_finite
from mtft.encoder.pretrained import POOLER, fresh_pooler, load_encoder
from mtft.errors import ModelError
from mtft.testing.tiny import TINY

HEAD = {"cls.predictions.bias": torch.zeros(64), "classifier.weight": torch.zeros(2, 16)}
TEXTS = [("a bat",), ("the cat", "a hat")]


@pytest.fixture
def tensors(tiny_model: Path) -> dict[str, Tensor]:
    return dict(load_file(tiny_model / "model.safetensors"))


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A model directory without its weights."""
    shutil.copy(tiny_model / "config.json", tmp_path)
    shutil.copy(tiny_model / "vocab.txt", tmp_path)
    return tmp_path


def save(folder: Path, tensors: Mapping[str, Tensor]) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def shard(folder: Path, tensors: Mapping[str, Tensor], *, pickled: bool) -> None:
    """Write the tensors as two shards and their index."""
    stem, suffix = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    places: dict[str, str] = {}
    for number in range(2):
        name = f"{stem}-0000{number + 1}-of-00002.{suffix}"
        half = dict(list(tensors.items())[number::2])
        places |= dict.fromkeys(half, name)
        torch.save(half, folder / name) if pickled else save_file(half, folder / name)
    index = json.dumps({"metadata": {}, "weight_map": places})
    (folder / f"{stem}.{suffix}.index.json").write_text(index, encoding="utf-8")


@settings(max_examples=40, deadline=None)
@given(
    prefix=st.sampled_from(["", "bert."]),
    heads=st.booleans(),
    layout=st.sampled_from(["one", "bin", "shards", "bin shards"]),
    old=st.booleans(),
    kind=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]),
    missing=st.sets(st.sampled_from(["layer_norm_eps", "hidden_dropout_prob", "type_vocab_size", "hidden_act"])),
)
def test_hidden_states_equal_transformers(
    tiny_model: Path, prefix: str, heads: bool, layout: str, old: bool, kind: torch.dtype, missing: set[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    stored = {prefix + name: tensor.to(kind) for name, tensor in load_file(tiny_model / "model.safetensors").items()}
    if old:
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        stored = {re.sub("|".join(names), lambda found: names[found[0]], name): t for name, t in stored.items()}
    stored |= HEAD if heads else {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copy(tiny_model / "vocab.txt", folder)
        config = json.loads((tiny_model / "config.json").read_text(encoding="utf-8"))
        kept = {key: value for key, value in config.items() if key not in missing}
        (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
        if layout == "one":
            save_file(stored, folder / "model.safetensors", {"format": "pt"})
        elif layout == "bin":
            torch.save(stored, folder / "pytorch_model.bin")
        else:
            shard(folder, stored, pickled=layout == "bin shards")
        encoder = load_encoder(folder).eval()
        theirs = transformers.BertModel.from_pretrained(folder, dtype=torch.float32).eval()
        table, _ = load_tokenizer(folder).table(TEXTS, apart=False, max_length=40)
        for row, (begin, end) in enumerate(zip(table.offsets[:-1], table.offsets[1:], strict=True)):
            ids, kinds = (torch.from_numpy(a[begin:end].astype(np.int64))[None] for a in (table.ids, table.segments))
            with torch.no_grad():
                ours = encoder(pack((table, np.array([row]))))
                found = theirs(input_ids=ids, token_type_ids=kinds)
            torch.testing.assert_close(ours.packed, found.last_hidden_state[0], rtol=0, atol=1e-5)
            torch.testing.assert_close(ours.pooled, found.pooler_output, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "prefix", ["module.", "module.bert.", "model.", "encoder.", "0.auto_model.", "_orig_mod.bert."]
)
def test_wrappers_are_removed_from_names_and_said(prefix: str, folder: Path, tensors: dict[str, Tensor]) -> None:
    outer = prefix.removesuffix("bert.") if prefix.endswith("bert.") else ""
    head = {f"{outer}{name}": tensor for name, tensor in HEAD.items()}
    save(folder, {prefix + name: tensor for name, tensor in tensors.items()} | head)
    encoder = load_encoder(folder)
    assert torch.equal(encoder.pooler.weight, tensors["pooler.dense.weight"])
    assert [text for level, text in encoder.notes if level == "info"] == [
        f"{folder}: {prefix!r} is removed from the names of the weights",
        f"{folder}: tensors beside the encoder are not read: {outer}classifier.weight, {outer}cls.predictions.bias",
    ]


def test_two_encoders_in_one_checkpoint_are_refused(folder: Path, tensors: dict[str, Tensor]) -> None:
    both = {f"{name}.{key}": tensor.clone() for name in ("query", "passage") for key, tensor in tensors.items()}
    with pytest.raises(ModelError, match=r"several encoders, under 'passage\.', 'query\.'"):
        load_encoder(save(folder, both))


def test_a_tensor_under_two_names_is_refused(folder: Path, tensors: dict[str, Tensor]) -> None:
    more = {"bert.pooler.dense.bias": torch.ones(16)}
    with pytest.raises(ModelError, match=r"hold tensor pooler\.dense\.bias twice, also as"):
        load_encoder(save(folder, tensors | more))
    torch.save(tensors, folder / "b.bin")
    save_file({"embeddings.LayerNorm.gamma": torch.ones(16)}, folder / "a.safetensors")
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"x": "a.safetensors", "y": "b.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ModelError, match=r"b\.bin: tensor embeddings\.LayerNorm\.weight is there twice, in a\.safe"):
        load_encoder(folder)


def test_without_a_pooler_a_fresh_one_is_drawn_always_the_same(folder: Path, tensors: dict[str, Tensor]) -> None:
    torch.manual_seed(1)
    encoder = load_encoder(save(folder, {name: t for name, t in tensors.items() if name not in POOLER}))
    (warning,) = [text for level, text in encoder.notes if level == "warning"]
    assert "the weights have no pooler; a fresh one is drawn" in warning
    torch.manual_seed(2)
    again = load_encoder(folder)
    assert torch.equal(encoder.pooler.weight, again.pooler.weight)
    assert not torch.equal(encoder.pooler.weight, tensors["pooler.dense.weight"])
    assert torch.equal(encoder.embeddings.word.weight, tensors["embeddings.word_embeddings.weight"])


def test_a_fresh_pooler_is_pinned_and_about_normal() -> None:
    weight, bias = fresh_pooler(TINY)
    expected = [0.015601196326315403, -0.020172730088233948, 0.011231078766286373]
    assert weight.flatten()[:3].tolist() == expected
    assert not bool(bias.any())
    wide, _ = fresh_pooler(type(TINY)(hidden_size=300))
    assert float(wide.mean()) == pytest.approx(0, abs=3e-4)
    assert float(wide.std()) == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.int64, torch.bool])
def test_weights_that_are_no_numbers_to_train_on_are_refused(
    kind: torch.dtype, folder: Path, tensors: dict[str, Tensor]
) -> None:
    name = str(kind).removeprefix("torch.")
    with pytest.raises(ModelError, match=rf"weights are {name}, .*\(allowed: float32, float16, .*and 29 more$"):
        load_encoder(save(folder, {key: tensor.to(kind) for key, tensor in tensors.items()}))
    one = {"encoder.layer.1.output.dense.bias": tensors["encoder.layer.1.output.dense.bias"].to(kind)}
    with pytest.raises(ModelError, match=rf"weights are {name}, .*: encoder\.layer\.1\.output\.dense\.bias$"):
        load_encoder(save(folder, tensors | one))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_weights_that_are_not_finite_are_named(value: float, folder: Path, tensors: dict[str, Tensor]) -> None:
    name = "encoder.layer.0.output.dense.weight"
    tensors = {key: tensor.double() for key, tensor in tensors.items()}
    tensors[name][3, 2] = value
    with pytest.raises(ModelError, match=rf"weights are not finite \(nan or infinite in float32\): {name}$"):
        load_encoder(save(folder, tensors))


def test_numbers_whose_sum_overflows_are_finite() -> None:
    assert is_finite(torch.full((4,), 3e38))
    assert not is_finite(torch.tensor([float("inf"), -float("inf")]))
    assert not is_finite(torch.tensor([1.0, float("nan")]))
    assert is_finite(torch.zeros(0))


def test_an_error_names_a_bounded_number_of_tensors(folder: Path, tensors: dict[str, Tensor]) -> None:
    with pytest.raises(ModelError) as caught:
        load_encoder(save(folder, {f"x{name}": tensor for name, tensor in tensors.items()}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 23
    assert (lines[11], lines[22]) == ("  ... and 27 more missing", "  ... and 29 more unexpected")
