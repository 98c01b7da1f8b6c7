"""Pretrained weights: loaded strictly, every misfit named, nothing executed, and written back as they were."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import hub_names, hub_tensors, load_encoder, weights_digest
from mtft.errors import ModelError
from mtft.testing.tiny import TINY, tiny_encoder

Tensors = dict[str, Tensor]


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A model directory without its weights."""
    shutil.copy(tiny_model / "config.json", tmp_path)
    return tmp_path


@pytest.fixture
def tensors(tiny_model: Path) -> Tensors:
    found: Tensors = load_file(tiny_model / "model.safetensors")
    return found


def assert_loads(folder: Path) -> None:
    """The directory must hold the weights of `tiny_encoder`, bit for bit."""
    expected = tiny_encoder().state_dict()
    found = load_encoder(folder).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_encoder(folder)
    assert str(caught.value).startswith(str(folder))
    return str(caught.value)


# ---- Files that load


def test_a_directory_loads_and_its_tensors_come_back(tiny_model: Path, tensors: Tensors) -> None:
    assert_loads(tiny_model)
    written = hub_tensors(load_encoder(tiny_model))
    assert written.keys() == tensors.keys()
    assert all(torch.equal(written[name], tensors[name]) for name in tensors)


def test_written_tensors_are_copies() -> None:
    encoder = tiny_encoder()
    for tensor in hub_tensors(encoder).values():
        tensor.zero_()
    assert bool(torch.cat([p.detach().flatten() for p in encoder.parameters()]).any())


def test_values_of_the_configuration_may_be_changed(tiny_model: Path) -> None:
    encoder = load_encoder(tiny_model, dropout=0.0, head_dropout=0.5)
    assert (encoder.config.dropout, encoder.config.head_dropout) == (0.0, 0.5)
    assert encoder.config.attention_dropout == TINY.attention_dropout


def test_the_prefix_of_pretraining_checkpoints_is_dropped(folder: Path, tensors: Tensors) -> None:
    save_file({f"bert.{name}": tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert_loads(folder)


def test_the_former_names_of_layer_norms_are_known(folder: Path, tensors: Tensors) -> None:
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    old = {re.sub("|".join(names), lambda m: names[m[0]], name): tensor for name, tensor in tensors.items()}
    assert sum("gamma" in name for name in old) == 5
    save_file(old, folder / "model.safetensors")
    assert_loads(folder)


def test_buffers_without_weights_are_ignored_without_a_word(folder: Path, tensors: Tensors) -> None:
    for prefix in ("", "bert."):
        extra = {prefix + "embeddings.position_ids": torch.arange(48)[None]}
        extra["embeddings.token_type_ids"] = torch.zeros(1, 48, dtype=torch.int64)
        save_file(tensors | extra, folder / "model.safetensors")
        assert_loads(folder)


def test_half_precision_weights_become_float32(folder: Path, tensors: Tensors) -> None:
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")
    encoder = load_encoder(folder)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert torch.equal(encoder.pooler.weight, tensors["pooler.dense.weight"].bfloat16().float())


def test_shards_are_read_through_their_index(folder: Path, tensors: Tensors) -> None:
    halves = {"a.safetensors": dict(list(tensors.items())[::2]), "b.safetensors": dict(list(tensors.items())[1::2])}
    for name, half in halves.items():
        save_file(half, folder / name)
    index = {"weight_map": {tensor: name for name, half in halves.items() for tensor in half}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert_loads(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_files_of_plain_tensors_load(zipped: bool, folder: Path, tensors: Tensors) -> None:
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    assert_loads(folder)


def test_safetensors_win_over_a_pickle_beside_them(folder: Path, tensors: Tensors) -> None:
    save_file(tensors, folder / "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert_loads(folder)


# ---- Tensors that do not fit


def test_every_missing_unexpected_and_misshapen_tensor_is_named(folder: Path, tensors: Tensors) -> None:
    del tensors["pooler.dense.bias"], tensors["encoder.layer.1.attention.self.key.weight"]
    tensors["novel.weight"] = torch.zeros(2, 16)
    tensors["encoder.layer.2.output.dense.bias"] = torch.zeros(16)
    tensors["embeddings.word_embeddings.weight"] = torch.zeros(60, 16)
    tensors["encoder.layer.0.attention.self.value.bias"] = torch.zeros(8)
    save_file(tensors, folder / "model.safetensors")
    assert refusal(folder).splitlines() == [
        f"{folder}: weights do not fit the configuration:",
        "  missing tensor encoder.layer.1.attention.self.key.weight",
        "  missing tensor pooler.dense.bias",
        "  unexpected tensor encoder.layer.2.output.dense.bias",
        "  unexpected tensor novel.weight",
        "  tensor embeddings.word_embeddings.weight has shape [60, 16], not [64, 16]",
        "  tensor encoder.layer.0.attention.self.value.bias has shape [8], not [16]",
    ]


def test_each_tensor_is_needed(folder: Path, tensors: Tensors) -> None:
    for name in tensors:
        save_file({other: tensor for other, tensor in tensors.items() if other != name}, folder / "model.safetensors")
        assert refusal(folder).splitlines()[1:] == [f"  missing tensor {name}"]


def test_a_transposed_tensor_does_not_fit(folder: Path, tensors: Tensors) -> None:
    name = "encoder.layer.0.intermediate.dense.weight"
    save_file(tensors | {name: tensors[name].T.contiguous()}, folder / "model.safetensors")
    assert f"tensor {name} has shape [16, 32], not [32, 16]" in refusal(folder)


def test_the_fused_projection_is_query_key_value(tiny_model: Path, tensors: Tensors) -> None:
    encoder = load_encoder(tiny_model)
    parts = [tensors[f"encoder.layer.1.attention.self.{name}.weight"] for name in ("query", "key", "value")]
    assert torch.equal(dict(encoder.named_parameters())["layers.1.qkv.weight"], torch.cat(parts))


def test_every_parameter_has_its_tensors() -> None:
    encoder = Encoder(TINY)
    names = hub_names(TINY)
    assert names.keys() == dict(encoder.named_parameters()).keys()
    flat = [part for parts in names.values() for part in parts]
    assert len(flat) == len(set(flat)) == 7 + 16 * TINY.layers


# ---- Files that are damaged, or something else


def test_a_directory_without_weights_says_what_it_needs(folder: Path) -> None:
    assert "no model.safetensors, model.safetensors.index.json or pytorch_model.bin" in refusal(folder)


def test_truncated_safetensors_are_refused(folder: Path, tiny_model: Path) -> None:
    data = (tiny_model / "model.safetensors").read_bytes()
    for size in (0, 4, 100, len(data) // 2, len(data) - 1):
        (folder / "model.safetensors").write_bytes(data[:size])
        assert "model.safetensors: not a readable safetensors file" in refusal(folder)


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ".", "", "a/../b", 5, None]
)
def test_shards_outside_the_directory_are_refused(shard: Any, folder: Path, tensors: Tensors) -> None:
    save_file(tensors, folder.parent / "secret.safetensors")
    index = {"weight_map": dict.fromkeys(tensors, shard)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert f"shard {shard!r} is not a plain file name" in refusal(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": ["b"]}}', "\x00"])
def test_an_index_that_is_none_is_refused(content: str, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(content, encoding="utf-8")
    assert "model.safetensors.index.json: not a weight index" in refusal(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"pooler.dense.bias": "gone.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "gone.safetensors: no such file" in refusal(folder)


class Bomb:
    """Pickles to a call that makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(zipped: bool, folder: Path, tensors: Tensors) -> None:
    path, target = folder / "pytorch_model.bin", folder / "exploded"
    torch.save(tensors | {"bomb": Bomb(target)}, path, _use_new_zipfile_serialization=zipped)
    message = refusal(folder)
    assert "pytorch_model.bin: refused, it holds more than tensors or is damaged" in message
    assert "weights_only" not in message
    assert not target.exists()
    torch.load(path, weights_only=False)
    assert target.exists(), "the bomb of this test is a dud"


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"\x80\x02.", b"\x80\x02}q\x00.", b"\x00" * 50])
def test_a_pytorch_file_that_is_none_is_refused(data: bytes, folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(data)
    assert "pytorch_model.bin: " in refusal(folder)


@pytest.mark.parametrize("content", [[torch.zeros(1)], torch.zeros(1), {"a": 1}, {1: torch.zeros(1)}])
def test_a_pytorch_file_of_anything_but_named_tensors_is_refused(content: Any, folder: Path) -> None:
    torch.save(content, folder / "pytorch_model.bin")
    assert "pytorch_model.bin: not a mapping of names to tensors" in refusal(folder)


# ---- Digest


def test_loading_draws_nothing_at_random_and_imports_no_compiler(tiny_model: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path; from mtft.encoder.pretrained import load_encoder; "
        "before = torch.get_rng_state(); load_encoder(Path(sys.argv[1])); "
        "print(torch.equal(before, torch.get_rng_state()), 'torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tiny_model)], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "False", "False"]


def test_the_digest_is_the_sha256_of_the_float32_bytes() -> None:
    theta = torch.tensor([1.0, -2.0], requires_grad=True)
    assert weights_digest(theta) == hashlib.sha256(bytes.fromhex("0000803f000000c0")).hexdigest()


def test_the_digest_sees_every_bit() -> None:
    theta = torch.zeros(5)
    digests = {weights_digest(theta)}
    for place in range(5):
        changed = theta.clone()
        changed[place] = -0.0
        digests.add(weights_digest(changed))
    assert len(digests) == 6
