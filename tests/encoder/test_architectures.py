"""Each architecture equals transformers' model, with its own tokenizer, in values and gradients."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers
from encoder_parity import DEVICE, assert_gradients_equal, pooled_output, read_texts, worst_difference
from factories import packed
from family_models import FAMILIES, TEXTS, write_family
from safetensors.torch import load_file, save_file

from mtft.data.tokenization import TokenTable, load_tokenizer
from mtft.data.tokenizer_files import USUAL
from mtft.encoder.architectures import ARCHITECTURES
from mtft.encoder.bert import Encoder, EncoderConfig
from mtft.encoder.directory import config_notes, known_config, read_config
from mtft.encoder.pretrained import hub_tensors, load_encoder
from mtft.errors import ModelError


@pytest.fixture(scope="module", params=FAMILIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A model directory and the model that transformers made it from."""
    path = tmp_path_factory.mktemp("families") / request.param
    return path, write_family(path, request.param).to(DEVICE)


def load(path: Path) -> Encoder:
    return load_encoder(path).eval().to(DEVICE)


def table_of(path: Path, texts: list[tuple[str, ...]]) -> TokenTable:
    return load_tokenizer(path).table(texts, apart=False, max_length=512)[0]


def assert_equal_text_by_text(path: Path, model: Any, texts: list[tuple[str, ...]]) -> None:
    """Their tokenizer and model on each text alone against ours on packed batches of all."""
    encoder, theirs = load(path), transformers.AutoTokenizer.from_pretrained(path)
    rows = np.arange(len(texts))
    with torch.no_grad():
        ours = encoder(packed((table_of(path, texts), rows)))
        hidden, pooled = ours.batch.restore(ours.padded()[0]), ours.batch.restore(ours.pooled)
        for row, text in enumerate(texts):
            inputs = theirs(*text, return_tensors="pt", truncation="longest_first", max_length=512).to(DEVICE)
            expected = model(**{key: inputs[key] for key in inputs if key != "token_type_ids" or typed(model)})
            length = inputs["input_ids"].shape[1]
            assert float((hidden[row, :length] - expected.last_hidden_state[0]).abs().max()) <= 1e-5
            assert float((pooled[row] - pooled_output(expected)[0]).abs().max()) <= 1e-5


def test_a_tokenizer_without_a_named_class_is_read_as_transformers_reads_it(
    made: tuple[Path, Any], tmp_path: Path
) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((made[0] / name).read_bytes())
    settings = json.loads((made[0] / "tokenizer_config.json").read_text())
    del settings["tokenizer_class"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    expected = [number for text in TEXTS for number in theirs(*text)["input_ids"]]
    assert table_of(tmp_path, TEXTS).ids.tolist() == expected


def typed(model: Any) -> bool:
    return getattr(model.config, "type_vocab_size", 0) > 1


# ---- Parity


def test_outputs_equal_transformers_with_its_tokenizer(made: tuple[Path, Any]) -> None:
    assert_equal_text_by_text(*made, TEXTS)


def test_outputs_equal_transformers_in_float64(made: tuple[Path, Any]) -> None:
    """To the rounding of float64: what is left in float32 is rounding too."""
    path, model = made
    table = table_of(path, TEXTS)
    assert table.lengths.max() > 130  # beyond the last distance of MPNet's buckets
    assert worst_difference(load(path).double(), model.double(), table) <= 1e-12
    model.float()


def test_gradients_equal_transformers(made: tuple[Path, Any]) -> None:
    path, model = made
    model.zero_grad()
    assert_gradients_equal(load(path), model, table_of(path, TEXTS))


@pytest.mark.slow
@pytest.mark.real_data
def test_outputs_equal_transformers_on_200_real_texts(made: tuple[Path, Any], real_data: Path) -> None:
    texts = [text for file in read_texts(real_data) for text in file]
    assert len(texts) == 200
    lengths = table_of(made[0], texts).lengths
    assert lengths.min() < 40  # a token is a letter or a byte, mostly
    assert lengths.max() == 512
    assert_equal_text_by_text(*made, texts)


# ---- Files


def test_written_tensors_are_those_that_were_read(made: tuple[Path, Any]) -> None:
    path, _ = made
    stored, written = load_file(path / "model.safetensors"), hub_tensors(load(path))
    assert written.keys() == stored.keys()
    assert all(torch.equal(written[name].cpu(), stored[name]) for name in stored)


def test_a_checkpoint_with_a_head_gives_the_same_encoder(made: tuple[Path, Any], tmp_path: Path) -> None:
    path, _ = made
    prefix = ARCHITECTURES[path.name].prefix
    tensors = {f"{prefix}{name}": tensor for name, tensor in load_file(path / "model.safetensors").items()}
    save_file(tensors | {"classifier.weight": torch.ones(2, 20)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((path / "config.json").read_bytes())
    found, expected = load_encoder(tmp_path), load_encoder(path)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), expected.parameters(), strict=True))
    assert [text for _, text in found.notes if "not read" in text] == [
        f"{tmp_path}: tensors beside the encoder are not read: classifier.weight"
    ]


def test_tensors_that_are_missing_or_of_another_size_are_named(made: tuple[Path, Any], tmp_path: Path) -> None:
    path, _ = made
    tensors = load_file(path / "model.safetensors")
    layer = next(name for name in sorted(tensors) if ".layer." in name)
    del tensors[layer]
    for name in ("word", "position"):
        key = f"embeddings.{name}_embeddings.weight"
        tensors[key] = tensors[key][:-1].clone()
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((path / "config.json").read_bytes())
    with pytest.raises(ModelError, match=f"missing tensor {re.escape(layer)}") as caught:
        load_encoder(tmp_path)
    for name in ("word", "position"):
        assert f"tensor embeddings.{name}_embeddings.weight has shape [" in str(caught.value)


# ---- Configurations


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_what_a_configuration_lacks_is_as_in_transformers(family: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    theirs = transformers.AutoConfig.for_model(family)
    architecture = ARCHITECTURES[family]
    assert type(theirs).__name__ == architecture.configuration
    assert hasattr(transformers, architecture.model)
    assert {key: getattr(theirs, key) for key in architecture.defaults()} == architecture.defaults()
    assert f"{architecture.configuration}'s value is taken" in config_notes(tmp_path)[0][1]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bert-base-uncased", 109_482_240),
        ("camembert-base", 110_621_952),
        ("distilbert-base-uncased", 66_362_880),
        ("google/electra-base-discriminator", 108_891_648),
        ("google/electra-small-discriminator", 13_483_008),
        ("microsoft/mpnet-base", 109_486_464),
        ("roberta-base", 124_645_632),
        ("roberta-large", 355_359_744),
        ("xlm-roberta-base", 278_043_648),
    ],
)
def test_known_names_have_the_published_numbers_of_parameters(name: str, parameters: int) -> None:
    config = known_config(name)
    assert config is not None
    with torch.device("meta"):
        sizes = [parameter.numel() for parameter in Encoder(config).parameters()]
    assert sum(sizes) == parameters


def test_positions_begin_behind_the_padding_token(tmp_path: Path) -> None:
    write_family(tmp_path, "roberta")
    assert (read_config(tmp_path).positions, read_config(tmp_path).first_position) == (512, 2)
    config = json.loads((tmp_path / "config.json").read_text())
    for changes, message in (
        ({"max_position_embeddings": 2}, "max_position_embeddings is 2, but positions begin at 2"),
        ({"pad_token_id": None}, "pad_token_id is None, not an integer from 0 to 1000000"),
        ({"pad_token_id": -1}, "pad_token_id is -1, not an integer from 0 to 1000000"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(ModelError, match=message):
            read_config(tmp_path)


@pytest.mark.parametrize(
    ("family", "key", "value", "allowed"),
    [
        ("distilbert", "activation", "relu", "'gelu'"),
        ("distilbert", "n_heads", 3, "a divisor of dim 20"),
        ("mpnet", "relative_attention_num_buckets", 16, "32"),
        ("electra", "embedding_size", 0, "an integer from 1 to 1000000"),
    ],
)
def test_a_value_that_does_not_fit_is_named(family: str, key: str, value: Any, allowed: str, tmp_path: Path) -> None:
    write_family(tmp_path, family)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {key: value}))
    with pytest.raises(ModelError, match=f"{key} is {value!r}, not {allowed}"):
        read_config(tmp_path)


def test_embeddings_of_the_hidden_size_are_not_projected(tmp_path: Path) -> None:
    model = write_family(tmp_path, "electra", embedding_size=20)
    encoder = load_encoder(tmp_path)
    assert encoder.embeddings.projection is None
    assert worst_difference(encoder.eval(), model, table_of(tmp_path, TEXTS)) <= 1e-5


def test_every_architecture_has_a_usual_tokenizer() -> None:
    assert USUAL.keys() == ARCHITECTURES.keys()


def test_the_model_that_a_description_gives_has_its_parts_alone() -> None:
    plain = replace(EncoderConfig(), vocabulary=9, hidden_size=4, layers=1, heads=1, intermediate_size=5, positions=3)
    names = {name for name, _ in Encoder(plain).named_parameters()}
    bare = replace(plain, segments=0, pooler=False)
    assert names - {name for name, _ in Encoder(bare).named_parameters()} == {
        "embeddings.segment.weight",
        "pooler.weight",
        "pooler.bias",
    }
    more = replace(plain, embedding_size=2, relative_buckets=32)
    assert {name for name, _ in Encoder(more).named_parameters()} - names == {
        "embeddings.projection.weight",
        "embeddings.projection.bias",
        "relative_bias.weight",
    }
