"""Models, tokenizers and tasks that do not fit are named before anything is trained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import cli
from safetensors.torch import load_file, save_file

from mtft.data.tokenization import load_tokenizer
from mtft.encoder.bert import Encoder
from mtft.errors import ConfigError, ModelError
from mtft.runtime.notices import Level
from mtft.tasks.augmentation import QUORA_CONSISTENCY
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.testing.tiny import TINY, tiny_encoder
from mtft.training.model_checks import check_length, check_model


def test_a_model_of_one_segment_takes_single_texts_and_texts_apart(tiny_model: Path) -> None:
    encoder, tokenizer = Encoder(replace(TINY, segments=1)), load_tokenizer(tiny_model)
    notices: list[tuple[Level, str]] = []
    check_model(tiny_model, tokenizer, encoder, [SST.source, QUORA_CONSISTENCY], lambda *notice: notices.append(notice))
    assert notices == []
    with pytest.raises(ModelError, match=r"config\.json: type_vocab_size is 1; sts joins two texts, .* 2 segments"):
        check_model(tiny_model, tokenizer, encoder, [SST.source, STS.source], lambda *_: None)


def test_notices_of_model_and_tokenizer_are_reported(tiny_model: Path) -> None:
    encoder, tokenizer = tiny_encoder(), load_tokenizer(tiny_model)
    encoder.notes, tokenizer.notes = (("info", "a"),), (("warning", "b"),)
    notices: list[tuple[Level, str]] = []
    check_model(tiny_model, tokenizer, encoder, [STS.source], lambda *notice: notices.append(notice))
    assert notices == [("info", "a"), ("warning", "b")]


def test_ids_without_embeddings_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="the tokenizer has ids up to 63, the encoder 60 embeddings"):
        check_model(tiny_model, load_tokenizer(tiny_model), Encoder(replace(TINY, vocabulary=60)), [], lambda *_: None)


def test_the_longest_sequence_fits_the_positions() -> None:
    assert (check_length(None, TINY), check_length(7, TINY)) == (TINY.positions, 7)
    with pytest.raises(ConfigError, match="is 49; the model has 48 positions"):
        check_length(49, TINY)


def directory(tiny_model: Path, path: Path, **config: object) -> Path:
    shutil.copytree(tiny_model, path)
    found = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps(found | config), encoding="utf-8")
    return path


FEW = ("--sample", "--batches", "2", "--epochs", "1", "--max-length", "40")


def test_a_run_on_one_segment_is_saved_and_read_again(tiny_model: Path, tmp_path: Path) -> None:
    model = directory(tiny_model, tmp_path / "model", type_vocab_size=1)
    tensors = load_file(model / "model.safetensors")
    name = "embeddings.token_type_embeddings.weight"
    save_file(tensors | {name: tensors[name][:1].clone()}, model / "model.safetensors")
    done = cli("train", "--tasks", "sst", "--augment", "none", "--model", model, "--out", tmp_path / "run", *FEW)
    assert done.code == 0, done.err
    assert cli("verify", tmp_path / "run").code == 0
    done = cli("train", "--tasks", "sts", "--model", model, "--out", tmp_path / "pairs", *FEW)
    assert done.code == 2
    assert "type_vocab_size is 1; sts joins two texts" in done.err
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, "unknown encoder 'gpt2' (allowed: bert, camembert, "),
        ({"is_decoder": True}, "config.json: is_decoder is True"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "tokenizer_class is 'BertJapaneseTokenizer'"),
    ],
)
def test_models_that_are_not_read_are_refused_before_a_run_exists(
    config: dict[str, object], message: str, tiny_model: Path, tmp_path: Path
) -> None:
    model = directory(tiny_model, tmp_path / "model", **config)
    done = cli("train", "--tasks", "sst", "--model", model, "--out", tmp_path / "run", *FEW)
    assert done.code == 2
    assert message in done.err
    assert "did you mean" not in done.err
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_finite_are_refused_before_a_run_exists(tiny_model: Path, tmp_path: Path) -> None:
    model = directory(tiny_model, tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    tensors["pooler.dense.bias"] = torch.full((16,), float("nan"))
    save_file(tensors, model / "model.safetensors")
    done = cli("train", "--tasks", "sst", "--model", model, "--out", tmp_path / "run", *FEW)
    assert done.code == 2
    assert "weights are not finite (nan or infinite in float32): pooler.dense.bias" in done.err
    assert not (tmp_path / "run").exists()
