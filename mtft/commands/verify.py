"""``mtft verify``: check that a run's files are unchanged, and that its model gives the saved outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import torch

from mtft.config.schema import VerifyConfig
from mtft.errors import CheckpointError, ModelError
from mtft.io.directories import current_directory
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.integrity import Damage, Integrity, check_files
from mtft.runs.probe import compare_probe, precision_of
from mtft.runs.records import is_record
from mtft.runtime.devices import find_device
from mtft.selection.mask import load_mask
from mtft.training.choices import resolve_device


@dataclass(frozen=True)
class VerifyResult:
    """The result: `kind` is "run", "bundle" or "mask", `base` the path of the base model with the right digest.

    `probe` compares the outputs on the fixed texts with the saved ones: "the same bits", "the same within X",
    "different" or "not run". Without a matching base model, `base` is None.
    """

    path: Path
    kind: str
    finished: bool
    files: int
    bytes: int
    base: str | None
    probe: str
    problems: tuple[Damage, ...]
    notes: tuple[str, ...]


def verify(path: Path, config: VerifyConfig, context: Context) -> VerifyResult:
    """Check a run, a bundle or a mask; the result lists problems. CheckpointError if nothing can be checked."""
    if path.is_file():
        return verify_bundle(path, config, context) if is_zipfile(path) else verify_mask(path)
    integrity = check_files(path)
    base, probed = _probe_run(path, config, context, integrity)
    return VerifyResult(
        path,
        "run",
        integrity.finished,
        integrity.files,
        integrity.bytes,
        base,
        probed,
        tuple(integrity.problems),
        tuple(integrity.notes),
    )


def verify_mask(path: Path) -> VerifyResult:
    """Check a mask against its checksum."""
    load_mask(path)
    return VerifyResult(path, "mask", True, 1, path.stat().st_size, None, "not run", (), ())


def verify_bundle(path: Path, config: VerifyConfig, context: Context) -> VerifyResult:
    """Check a bundle against the digests in it; CheckpointError names what is damaged."""
    notes: list[str] = []
    with model_directory(path) as directory:
        files = len(list(directory.iterdir()))
        trained = _load(directory, config, context, notes)
        base, probed = (trained.base, compare_probe(directory, trained)) if trained else (None, "not run")
        renamed = tuple(note.replace(str(directory), str(path)) for note in notes)
    return VerifyResult(path, "bundle", True, files, path.stat().st_size, base, probed, (), renamed)


def _probe_run(path: Path, config: VerifyConfig, context: Context, integrity: Integrity) -> tuple[str | None, str]:
    """Load the model, check the digest of its base, and run the probe; return base and result."""
    directory = current_directory(path / "model")
    if is_record(path):
        integrity.notes.append("this is the record of a run, without weights: the probe was not run")
        return None, "not run"
    if not directory.is_dir() or not integrity.sound("model"):
        integrity.notes.append("there is no sound model: the probe was not run")
        return None, "not run"
    try:
        trained = _load(directory, config, context, integrity.notes)
    except CheckpointError as error:
        integrity.problems.append(Damage("model", str(error)))
        return None, "not run"
    if trained is None:
        return None, "not run"
    try:
        probed = compare_probe(directory, trained)
    except CheckpointError as error:
        integrity.problems.append(Damage("model/probe.safetensors", str(error)))
        return trained.base, "different"
    return trained.base, probed


def _load(directory: Path, config: VerifyConfig, context: Context, notes: list[str]) -> TrainedModel | None:
    """Load a model; None, with a note, if its base model is not found."""
    try:
        return load_model(directory, context.registry, config.model, *_probe_device(directory, config))
    except ModelError as error:
        if config.model:
            raise
        notes.append(f"{error}; neither the base model's digest nor the probe was checked")
        return None


def _probe_device(directory: Path, config: VerifyConfig) -> tuple[torch.device, torch.dtype | None]:
    """Return the device of the probe, and the precision of the training if the device supports it."""
    precision = precision_of(directory)
    possible = precision != "tf32" or find_device(config.device).type == "cuda"
    return resolve_device(config, precision if possible else "fp32")
