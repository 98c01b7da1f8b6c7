"""``mtft export``: write a run as one file, after reading it back and comparing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtft.config.schema import ExportConfig
from mtft.data.dataset import Dataset
from mtft.data.tokenization import TokenTable
from mtft.encoder.architectures import ARCHITECTURES
from mtft.encoder.pretrained import weights_digest
from mtft.errors import CheckpointError, ConfigError, ModelError, setting
from mtft.io.files import replaced_file, write_json
from mtft.model.inference import apply, read_outputs, scores
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory, write_bundle
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.looks import count_looks, looks_text
from mtft.runs.onnx import apply_session, check_installed, inputs, open_session, write_int8, write_onnx
from mtft.runs.paths import free_path, keep_apart
from mtft.runs.probe import compare_probe, probe_table
from mtft.runtime.seeding import numpy_generator
from mtft.training.choices import data_directory
from mtft.training.loading import Loader

SUFFIXES = {"onnx": "onnx", "bundle": "mtft"}
TOLERANCE = 1e-4
"""Largest allowed difference of an output by rounding; relative for outputs above 1."""

READS = {
    "categorical": "probabilities of the names: softmax(output / temperature)",
    "binary": "probability of the second name: sigmoid(output / temperature)",
    "bounded": "score: output clipped to low ... high",
    "ordinal": "probabilities of the names: those of mtft.outputs.Ordinal",
}
"""How to read each kind of output."""


@dataclass(frozen=True)
class ExportResult:
    """The files written; for ONNX also the largest difference from mtft's outputs, and scores of int8 and float32."""

    path: Path
    bytes: int
    difference: float | None = None
    int8: dict[str, Any] | None = None
    files: tuple[Path, ...] = field(default=())


def export(run: Path, config: ExportConfig, context: Context) -> ExportResult:
    """Write the file in the format that the settings name."""
    path = free_path(config.out, str(run), f".{SUFFIXES[config.format]}", overwrite=config.overwrite)
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; name a file", setting="out")
    keep_apart(path, run, "the run that is exported")
    if config.int8 and config.format != "onnx":
        raise ConfigError(f"is for {setting('format', 'onnx')}, not {config.format}", setting="int8")
    if config.format == "onnx":
        check_installed()
    with model_directory(run) as directory:
        trained = load_model(directory, context.registry, config.model)
        path.parent.mkdir(parents=True, exist_ok=True)
        if config.format == "onnx":
            dev = dev_sets(run, trained, config, context) if config.int8 else {}
            return export_onnx(path, trained, dev)
        try:
            compare_probe(directory, trained)
        except CheckpointError as error:
            raise CheckpointError(f"{run}: {error}") from None
        looks = count_looks(run) if run.is_dir() else 0
        note = f"Before it was exported: {looks_text(looks)}. Scores on test mean less with each look." if looks else ""
        write_bundle(path, directory, note)
    return ExportResult(path, path.stat().st_size, files=(path,))


def export_onnx(path: Path, trained: TrainedModel, dev: Mapping[str, Dataset]) -> ExportResult:
    """Write a graph and its description as JSON; with `dev` rows also an int8 graph, and score both on them."""
    family = trained.model.encoder.family
    if family not in ARCHITECTURES:
        raise ConfigError(f"onnx takes encoders of {', '.join(ARCHITECTURES)}, not {family!r}", setting="format")
    about = describe(trained)
    with _removed_on_error(path) as temporary:
        write_onnx(temporary, trained, about)
        parity = check_parity(temporary, trained)
    files = [path]
    about["parity"] = parity
    if dev:
        small = path.with_name(f"{path.stem}.int8{path.suffix}")
        with _removed_on_error(small) as temporary:
            write_int8(temporary, path)
            about["int8"] = {"bytes": temporary.stat().st_size, **measure(temporary, trained, dev)}
        files.append(small)
    description = path.with_name(f"{path.name}.json")
    write_json(description, about)
    return ExportResult(path, path.stat().st_size, parity["difference"], about.get("int8"), (*files, description))


@contextmanager
def _removed_on_error(path: Path) -> Iterator[Path]:
    """Yield a temporary file that replaces `path` at the end; remove it if the block fails."""
    try:
        with replaced_file(path) as temporary:
            yield temporary
    finally:
        path.with_name(f".{path.name}.tmp").unlink(missing_ok=True)


def describe(trained: TrainedModel) -> dict[str, Any]:
    """Return the description of a graph for its users."""
    return {
        "format": "mtft-onnx",
        "version": 1,
        "inputs": f"{', '.join(inputs(trained))}: int64 [batch, length], as Hugging Face tokenizers return",
        "outputs": "one per task: float32 [batch, width], raw; `reads` says what they mean",
        "max_length": trained.max_length,
        "base": {"name": trained.base, "weights": trained.mask.base_digest},
        "weights": weights_digest(trained.encoder.theta),
        "tokenizer": trained.tokenizer.digest(),
        "tasks": {
            task.name: {
                "input": task.source.input,
                "output": task.output.describe(),
                "temperature": getattr(task.output, "temperature", 1.0),
                "reads": READS.get(task.output.kind, "as the plugin's kind of output reads it"),
            }
            for task in trained.tasks
        },
    }


def check_parity(path: Path, trained: TrainedModel) -> dict[str, Any]:
    """Compare a graph with the model at two shapes; ModelError if they differ by more than floating point does."""
    session = open_session(path)
    names = [task.name for task in trained.tasks]
    worst, shapes = 0.0, []
    for table in (probe_table(trained.model, trained.tokenizer, trained.max_length), _random(trained)):
        ours, theirs = apply(trained.model, table, names), apply_session(session, table, names)
        shapes.append([len(table), int(table.lengths.max())])
        for name in names:
            off = np.abs(ours[name] - theirs[name])
            worst = max(worst, float(np.where(np.isfinite(off), off, np.inf).max()))
            if not (off <= TOLERANCE * np.maximum(1.0, np.abs(ours[name]))).all():
                raise ModelError(
                    f"{path}: outputs of {name!r} differ from mtft's by up to {off.max():.3g}: "
                    f"the export is not written"
                )
    return {"shapes": shapes, "difference": worst}


def _random(trained: TrainedModel) -> TokenTable:
    """Return three sequences of random tokens, of different lengths."""
    config, generator = trained.model.encoder.config, numpy_generator(0, "parity")
    longest = min(trained.max_length, 64)
    offsets = np.cumsum([0, longest, longest // 2, 1])
    ids = generator.integers(0, config.vocabulary, offsets[-1]).astype(np.int32)
    return TokenTable(ids, generator.integers(0, max(config.segments, 1), offsets[-1]).astype(np.uint8), offsets, 1)


def dev_sets(run: Path, trained: TrainedModel, config: ExportConfig, context: Context) -> dict[str, Dataset]:
    """Read the dev rows of each task."""
    data_dir = data_directory(config, run)
    loader = Loader.of(config, data_dir, trained.tokenizer, trained.max_length, context.notify)
    return loader.load_tasks(trained.tasks, "dev")


def measure(path: Path, trained: TrainedModel, dev: Mapping[str, Dataset]) -> dict[str, Any]:
    """Score a graph and the model on dev; return per task the examples, both scores and the largest difference."""
    session, measured = open_session(path), {}
    for task in trained.tasks:
        data = dev[task.name]
        raw = {
            "full": apply(trained.model, data.table, [task.name])[task.name],
            "int8": apply_session(session, data.table, [task.name])[task.name],
        }
        measured[task.name] = {
            "n": len(data),
            "metric": task.primary_metric,
            **{
                kind: scores(task, read_outputs(task, of), data.targets)[task.primary_metric]
                for kind, of in raw.items()
            },
            "difference": float(np.abs(raw["full"] - raw["int8"]).max()),
        }
    return {"dev": measured}
