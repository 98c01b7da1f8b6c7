"""Pretrained weights in Hugging Face form, loaded strictly into our encoder and written back.

Our encoder fuses the query, key and value projections; all other tensors only have other names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mtft.encoder.architectures import ARCHITECTURES
from mtft.encoder.bert import Encoder, EncoderConfig
from mtft.encoder.checkpoint_tensors import MOST_NAMED, check_numbers, encoder_tensors
from mtft.encoder.directory import config_notes, defaults_of, read_config
from mtft.encoder.weight_files import check_archives, check_size, read_weights
from mtft.errors import ModelError
from mtft.io.files import replaced_file, write_bytes, write_json

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)
"""Files of a tokenizer in Hugging Face form; not every directory has them all."""


POOLER = ("pooler.dense.weight", "pooler.dense.bias")


def load_encoder(directory: Path, **changes: float) -> Encoder:
    """Build the encoder of a model directory and fill it; ModelError names the tensors that do not fit.

    `changes` replace values of its configuration, such as ``dropout``. The encoder's `notes` are messages for the user
    about the files.
    """
    config = read_config(directory)
    with torch.device("meta"):  # skips the random initialisation, since all weights are replaced
        encoder = Encoder(replace(config, **changes))  # type: ignore[arg-type]
    check_archives(directory)
    sources = hub_names(config)
    wanted = {name for parts in sources.values() for name in parts}
    prefix = ARCHITECTURES[config.family].prefix
    found, notes = encoder_tensors(directory, read_weights(directory, ""), wanted, prefix)
    if config.pooler and not found.keys() & set(POOLER):
        found |= dict(zip(POOLER, fresh_pooler(config), strict=True))
        text = f"{directory}: the weights have no pooler; a fresh one is drawn, the same each time"
        notes.append(("warning", f"{text}: heads that read the pooled output learn it anew"))
    problems = [f"missing tensor {name}" for name in sorted(wanted - found.keys())]
    problems += [f"unexpected tensor {name}" for name in sorted(found.keys() - wanted)]
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
    notes += check_numbers(directory, {name: found[name] for name in sorted(wanted)})
    check_size(
        directory, sum(parameter.numel() for name, parameter in encoder.named_parameters() if "pooler" not in name)
    )
    joined = {
        name: found[parts[0]].float() if len(parts) == 1 else torch.cat([found[part].float() for part in parts])
        for name, parts in sources.items()
    }
    encoder.load_state_dict(joined, assign=True)
    encoder.notes = (*config_notes(directory), *notes)
    return encoder


def fresh_pooler(config: EncoderConfig) -> tuple[Tensor, Tensor]:
    """Draw a pooler's weight [H, H] and bias [H] as BERT initialises them: about normal, and zeros.

    The values depend only on the size, not on the machine or library, because the digest of the base weights includes
    them. Each weight is the sum of twelve uniform 16-bit integers, centred and scaled.
    """
    size = config.hidden_size
    words = np.random.PCG64(0).random_raw(3 * size * size).view(np.uint16).reshape(-1, 12)
    normal = (words.sum(axis=1, dtype=np.int64) - 6 * 65535) / 65536
    weight = torch.from_numpy((config.initializer_range * normal).astype(np.float32)).reshape(size, size)
    return weight, torch.zeros(size)


def fill(module: nn.Module, found: Mapping[str, Tensor], directory: Path) -> None:
    """Copy tensors into a module's parameters of the same names; ModelError names the tensors that do not fit."""
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
    check_numbers(directory, found)
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])


def _misfit(directory: Path, problems: Sequence[str]) -> ModelError:
    """Return an error that lists the first problems of each kind."""
    lines: list[str] = []
    for kind in ("missing", "unexpected", "tensor"):
        several = [problem for problem in problems if problem.startswith(kind)]
        lines += several[:MOST_NAMED]
        if len(several) > MOST_NAMED:
            lines.append(f"... and {len(several) - MOST_NAMED} more {'of other shapes' if kind == 'tensor' else kind}")
    return ModelError(f"{directory}: weights do not fit the configuration:\n  " + "\n  ".join(lines))


def hub_names(config: EncoderConfig) -> dict[str, tuple[str, ...]]:
    """Map each of our parameter names to the Hugging Face tensors that are concatenated in it."""
    architecture = ARCHITECTURES[config.family]
    with torch.device("meta"):
        return {name: architecture.stored(name) for name, _ in Encoder(config).named_parameters()}


def hub_tensors(encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights under their Hugging Face names, as `load_encoder` reads them."""
    parameters = dict(encoder.named_parameters())
    return {
        name: part.detach().clone()
        for ours, names in hub_names(encoder.config).items()
        for name, part in zip(names, parameters[ours].chunk(len(names)), strict=True)
    }


def write_model(directory: Path, encoder: Encoder, base: Path) -> None:
    """Write a model in Hugging Face form to a directory: these weights, with the configuration and tokenizer of `base`.

    `base` is the directory from which the encoder was loaded.
    """
    settings = json.loads((base / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in settings.items() if key not in ("_name_or_path", "torch_dtype", "dtype")}
    kept = {**kept, **{key: value for key, value in defaults_of(settings).items() if key not in kept}}
    model = ARCHITECTURES[encoder.config.family].model
    write_json(directory / "config.json", {**kept, "architectures": [model], "dtype": "float32"})
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            write_bytes(directory / name, (base / name).read_bytes())
    with replaced_file(directory / "model.safetensors") as temporary:
        save_file({name: tensor.cpu() for name, tensor in hub_tensors(encoder).items()}, temporary, {"format": "pt"})


def weights_digest(theta: Tensor) -> str:
    """Return the sha256 of the flat float32 weights [P]; masks and runs store it to identify their base."""
    return hashlib.sha256(theta.detach().cpu().contiguous().numpy().data).hexdigest()
