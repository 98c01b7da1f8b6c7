"""Find a model's weight files, check them before memory is allocated, and read them strictly."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mtft.encoder.directory import LARGEST
from mtft.errors import ModelError
from mtft.io.files import read_text

NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Names of weight files in search order: one file, or the index of several shards."""
FOREIGN = ("tf_model.h5", "flax_model.msgpack", "model.onnx", "bert_model.ckpt.index", "model.ckpt.index")
"""Names of weight files in unsupported forms."""


def weight_files(directory: Path) -> list[Path]:
    """Return the files that hold a model's weights: one safetensors file, its shards, or pickled files."""
    for name in NAMES:
        path = directory / name
        if path.exists():
            return _shards(path) if name.endswith(".index.json") else [path]
    other = [name for name in FOREIGN if (directory / name).exists()]
    hint = f" ({', '.join(other)} is not read; save the model with transformers as safetensors)" if other else ""
    raise ModelError(f"{directory}: no {', '.join(NAMES[:-2])} or {NAMES[-2]} (nor the index of its shards){hint}")


def check_archives(directory: Path) -> None:
    """Raise ModelError if a weight file is not a regular file, or is an archive larger in memory than on disk."""
    for path in weight_files(directory):
        if not path.is_file():
            raise ModelError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                    raise ModelError(f"{path}: refused, it is larger unpacked than it is packed")


def check_size(directory: Path, parameters: int) -> None:
    """Raise ModelError unless a model's files are large enough for its parameters, at one byte per number.

    This runs before the parameters are allocated, so that a small file cannot fill the memory.
    """
    check_archives(directory)
    size = sum(path.stat().st_size for path in weight_files(directory))
    if size < parameters:
        raise ModelError(f"{directory}: {size:,} bytes cannot hold the {parameters:,} parameters of config.json")


def read_weights(directory: Path, prefix: str = "bert.") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a model directory by name, without the prefix; ModelError if a name appears twice."""
    seen: dict[str, Path] = {}
    for path in weight_files(directory):
        pairs = _read_safetensors(path) if path.suffix == ".safetensors" else _read_weights_only(path).items()
        for stored, tensor in pairs:
            name = _modern(stored, prefix)
            if name in seen:
                raise ModelError(f"{path}: tensor {stored} is there twice, in {seen[name].name} too")
            seen[name] = path
            yield name, tensor


def _modern(name: str, prefix: str) -> str:
    """Drop the prefix, and use the current names for the weights of LayerNorm."""
    return (
        name.removeprefix(prefix)
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias")
    )


def _read_safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - a safetensors handle is not a mapping
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a readable safetensors file: {error}") from None


def _shards(index: Path) -> list[Path]:
    try:
        files = sorted(set(json.loads(read_text(index, LARGEST))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index}: not a weight index: {error!r}") from None
    for name in files:
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".."):
            raise ModelError(f"{index}: shard {name!r} is not a plain file name")
    return [index.parent / name for name in files]


def _read_weights_only(path: Path) -> Mapping[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's text is left out: it advises to load the file without protection
        raise ModelError(
            f"{path}: refused, it holds more than tensors or is damaged ({type(error).__name__})"
        ) from None
    if not isinstance(tensors, dict) or not all(
        isinstance(n, str) and isinstance(t, Tensor) for n, t in tensors.items()
    ):
        raise ModelError(f"{path}: not a mapping of names to tensors")
    return tensors
