"""``mtft merge``: a run's encoder as a plain model directory in Hugging Face form, without mask, base or heads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from mtft.config.schema import MergeConfig
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.architectures import ARCHITECTURES
from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import load_encoder, weights_digest, write_model
from mtft.errors import ConfigError, ModelError
from mtft.io.directories import replaced_directory
from mtft.io.files import write_json
from mtft.model.flat import FlatParameters
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import find_base, load_model
from mtft.runs.manifest import task_names
from mtft.runs.paths import free_path, keep_apart

ORIGIN = "mtft.json"
"""File that records the origin of a merged directory; only a directory with it may be replaced."""
FORMAT, VERSION = "mtft-merged", 1


@dataclass(frozen=True)
class MergeResult:
    """The path of the merged encoder, the digest of its weights, and how many of them differ from the base's."""

    path: Path
    weights: str
    parameters: int
    changed: int


def merge(run: Path, config: MergeConfig, context: Context) -> MergeResult:
    """Write the encoder of a run with the trained values; the written files are read back and compared."""
    path = free_path(config.out, f"{run}-merged", overwrite=config.overwrite)
    refuse_foreign(path)
    keep_apart(path, run, "the run that is merged")
    with model_directory(run) as directory:
        names = task_names(run, directory)
        trained = load_model(directory, context.registry, config.model, only=())
        base = find_base(directory, trained.base)
    encoder = trained.model.encoder
    if not isinstance(encoder, Encoder):
        raise ConfigError(
            f"{run}: its encoder is of the family {encoder.family!r}; merge writes {', '.join(ARCHITECTURES)}"
        )
    before = FlatParameters(load_encoder(base)).theta
    digest = weights_digest(trained.encoder.theta)
    origin = {
        "format": FORMAT,
        "version": VERSION,
        "base": {"name": trained.base, "weights": trained.mask.base_digest},
        "tasks": list(names),
        "weights": digest,
        "tokenizer": trained.tokenizer.digest(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_directory(path) as fresh:
            write_model(fresh, encoder, base)
            write_json(fresh / ORIGIN, origin)
            check_written(fresh, digest, trained.tokenizer.digest())
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}", setting="out") from None
    changed = int(torch.count_nonzero(before != trained.encoder.theta))
    return MergeResult(path, digest, len(before), changed)


def refuse_foreign(path: Path) -> None:
    """Raise ConfigError if `path` holds anything but a merged model: only merged models are replaced."""
    if path.exists() and not _is_merged(path):
        raise ConfigError(f"{path} exists and was not written by mtft merge; it is not overwritten", setting="out")


def _is_merged(path: Path) -> bool:
    try:
        origin = json.loads((path / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(origin, dict) and origin.get("format") == FORMAT


def check_written(directory: Path, weights: str, tokenizer: str) -> None:
    """Load a model directory; ModelError unless weights and tokenizer have these digests."""
    written = weights_digest(FlatParameters(load_encoder(directory)).theta), load_tokenizer(directory).digest()
    if written != (weights, tokenizer):
        raise ModelError(f"{directory}: read back, the merged model is not the one that was written")
