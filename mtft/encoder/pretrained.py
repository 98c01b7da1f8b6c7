"""Pretrained BERT weights in Hugging Face form, loaded strictly into our encoder and written back.

Our encoder fuses the query, key and value projections; every other tensor is one of theirs under another name.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtft.encoder.bert import Encoder, EncoderConfig
from mtft.encoder.directory import LARGEST, read_config
from mtft.errors import ModelError
from mtft.io.files import read_text, replaced_file, write_bytes, write_json

IGNORED = {
    "embeddings.position_ids",
    "cls.predictions.bias",
    "cls.predictions.decoder.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.transform.dense.bias",
    "cls.predictions.transform.dense.weight",
    "cls.predictions.transform.LayerNorm.bias",
    "cls.predictions.transform.LayerNorm.weight",
    "cls.seq_relationship.bias",
    "cls.seq_relationship.weight",
}
"""Tensors of pretraining checkpoints that are no part of the encoder: ignored by name, never by accident."""


TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""What a tokenizer in Hugging Face form consists of, as far as it is there."""


def load_encoder(directory: Path, **changes: float) -> Encoder:
    """Build the encoder of a model directory and fill it; ModelError names every tensor that does not fit.

    `changes` replace values of its configuration, such as ``dropout``.
    """
    with torch.device("meta"):  # no time goes into fresh weights that are replaced at once
        encoder = Encoder(replace(read_config(directory), **changes))  # type: ignore[arg-type]
    check_archives(directory)
    found = dict(read_weights(directory))
    sources = hub_names(encoder.config)
    wanted = {name for parts in sources.values() for name in parts}
    problems = [f"missing tensor {name}" for name in sorted(wanted - found.keys())]
    problems += [f"unexpected tensor {name}" for name in sorted(found.keys() - wanted - IGNORED)]
    for name, parameter in encoder.named_parameters():
        parts = sources[name]
        shape = (parameter.shape[0] // len(parts), *parameter.shape[1:])
        problems += [
            f"tensor {part} has shape {list(found[part].shape)}, not {list(shape)}"
            for part in parts
            if part in found and found[part].shape != shape
        ]
    if problems:
        raise _misfit(directory, problems)
    check_size(directory, sum(parameter.numel() for parameter in encoder.parameters()))
    joined = {
        name: found[parts[0]].float() if len(parts) == 1 else torch.cat([found[part].float() for part in parts])
        for name, parts in sources.items()
    }
    encoder.load_state_dict(joined, assign=True)
    return encoder


def fill(module: nn.Module, found: Mapping[str, Tensor], directory: Path) -> None:
    """Copy tensors into a module's parameters of the same names; ModelError names each that does not fit."""
    wanted = dict(module.named_parameters())
    problems = [f"missing tensor {name}" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"unexpected tensor {name}" for name in sorted(found.keys() - wanted.keys())]
    problems += [
        f"tensor {name} has shape {list(found[name].shape)}, not {list(parameter.shape)}"
        for name, parameter in wanted.items()
        if name in found and found[name].shape != parameter.shape
    ]
    if problems:
        raise _misfit(directory, problems)
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])


def _misfit(directory: Path, problems: Sequence[str]) -> ModelError:
    return ModelError(f"{directory}: weights do not fit the configuration:\n  " + "\n  ".join(problems))


def hub_names(config: EncoderConfig) -> dict[str, tuple[str, ...]]:
    """Map our parameter names to the Hugging Face tensors that they are the concatenation of."""
    names: dict[str, tuple[str, ...]] = {
        "embeddings.word.weight": ("embeddings.word_embeddings.weight",),
        "embeddings.position.weight": ("embeddings.position_embeddings.weight",),
        "embeddings.segment.weight": ("embeddings.token_type_embeddings.weight",),
        "embeddings.norm.weight": ("embeddings.LayerNorm.weight",),
        "embeddings.norm.bias": ("embeddings.LayerNorm.bias",),
        "pooler.weight": ("pooler.dense.weight",),
        "pooler.bias": ("pooler.dense.bias",),
    }
    parts: dict[str, tuple[str, ...]] = {
        "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
        "attention_output": ("attention.output.dense",),
        "attention_norm": ("attention.output.LayerNorm",),
        "intermediate": ("intermediate.dense",),
        "output": ("output.dense",),
        "output_norm": ("output.LayerNorm",),
    }
    for layer in range(config.layers):
        for ours, theirs in parts.items():
            for kind in ("weight", "bias"):
                names[f"layers.{layer}.{ours}.{kind}"] = tuple(f"encoder.layer.{layer}.{t}.{kind}" for t in theirs)
    return names


def hub_tensors(encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights under their Hugging Face names: what `load_encoder` reads."""
    parameters = dict(encoder.named_parameters())
    return {
        name: part.detach().clone()
        for ours, names in hub_names(encoder.config).items()
        for name, part in zip(names, parameters[ours].chunk(len(names)), strict=True)
    }


def write_model(directory: Path, encoder: Encoder, base: Path) -> None:
    """Fill a directory with a model in Hugging Face form: these weights, and settings and tokenizer of `base`.

    `base` is the directory that the encoder was loaded from.
    """
    settings = json.loads((base / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in settings.items() if key not in ("_name_or_path", "torch_dtype", "dtype")}
    write_json(directory / "config.json", {**kept, "architectures": ["BertModel"], "dtype": "float32"})
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            write_bytes(directory / name, (base / name).read_bytes())
    with replaced_file(directory / "model.safetensors") as temporary:
        save_file({name: tensor.cpu() for name, tensor in hub_tensors(encoder).items()}, temporary, {"format": "pt"})


def weight_files(directory: Path) -> list[Path]:
    """Return the files that hold a model's weights: one safetensors file, its shards, or a pickled one."""
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    pickled = directory / "pytorch_model.bin"
    if single.exists():
        return [single]
    if index.exists():
        return _shards(index)
    if pickled.exists():
        return [pickled]
    raise ModelError(f"{directory}: no model.safetensors, model.safetensors.index.json or pytorch_model.bin")


def check_archives(directory: Path) -> None:
    """Raise ModelError if a file of weights is none, or an archive that takes more memory than it takes on disk."""
    for path in weight_files(directory):
        if not path.is_file():
            raise ModelError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                    raise ModelError(f"{path}: refused, it is larger unpacked than it is packed")


def check_size(directory: Path, parameters: int) -> None:
    """Raise ModelError unless a model's files are large enough for its parameters, at a byte a number.

    Asked before so many are allocated, it keeps a small file from filling the memory.
    """
    check_archives(directory)
    size = sum(path.stat().st_size for path in weight_files(directory))
    if size < parameters:
        raise ModelError(f"{directory}: {size:,} bytes cannot hold the {parameters:,} parameters of config.json")


def read_weights(directory: Path, prefix: str = "bert.") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a model directory, under names without the prefix."""
    for path in weight_files(directory):
        pairs = _read_safetensors(path) if path.suffix == ".safetensors" else _read_weights_only(path).items()
        for name, tensor in pairs:
            yield _modern(name, prefix), tensor


def _modern(name: str, prefix: str) -> str:
    """Drop the prefix and use today's names for the weights of LayerNorm."""
    return (
        name.removeprefix(prefix)
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias")
    )


def _read_safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - a safetensors handle is no mapping
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


def weights_digest(theta: Tensor) -> str:
    """Return the sha256 of the flat float32 weights [P]: what a mask and a run are bound to."""
    return hashlib.sha256(theta.detach().cpu().contiguous().numpy().data).hexdigest()
