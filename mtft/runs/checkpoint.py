"""A trained model on disk: the selection, its values, the heads, and the digest of the base they belong to.

Plain files only: ``model.json``, ``mask.safetensors``, ``encoder.safetensors`` (packed values [k]),
``heads.safetensors``, and their digests. Loading is strict and never unpickles.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mtft.data.tokenization import Tokenizer
from mtft.encoder.directory import find_model, recorded_name
from mtft.errors import CheckpointError, ModelError, setting
from mtft.io.digests import check_digests, write_digests
from mtft.io.directories import from_one_directory, replaced_directory
from mtft.io.disk import named_when_full
from mtft.io.files import replaced_file, write_bytes, write_json
from mtft.model.base import load_base
from mtft.model.flat import FlatParameters, flatten
from mtft.model.multitask import MultiTaskModel, build_model, to_device
from mtft.model.parameters import ParameterCount
from mtft.outputs import Tempered
from mtft.runs.manifest import DROPOUTS, FORMAT, VERSION, known_task, read_manifest
from mtft.runs.paths import RECORD
from mtft.selection.mask import Mask, load_mask, save_mask
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task

FILES = ("model.json", "mask.safetensors", "encoder.safetensors", "heads.safetensors")


@dataclass
class TrainedModel:
    """A model with its tasks, tokenizer and mask; `base` names the pretrained model that it was made from."""

    model: MultiTaskModel
    encoder: FlatParameters
    mask: Mask
    tasks: tuple[Task, ...]
    tokenizer: Tokenizer
    max_length: int
    base: str

    @property
    def selection(self) -> Tensor | slice:
        """Tunable entries of the encoder's flat vector."""
        return slice(None) if len(self.mask.indices) == self.mask.total else self.mask.indices

    @property
    def placement(self) -> tuple[torch.device, torch.dtype | None]:
        """Device, and type of matrix products."""
        return self.encoder.theta.device, self.model.matmul_dtype

    def parameters(self) -> ParameterCount:
        """Count what is stored and what could train."""
        heads = {name: sum(p.numel() for p in head.parameters()) for name, head in self.model.heads.items()}
        return ParameterCount(len(self.encoder), len(self.mask.indices), heads)


def save_model(
    directory: Path,
    trained: TrainedModel,
    plugins: Mapping[str, Mapping[str, str]],
    probe: Mapping[str, Tensor] | None = None,
    card: str = "",
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a model directory; replace an existing one.

    `plugins` names the origin of each task and, unless it is built in, of the encoder ("encoder NAME"). `probe` are
    tensors for a separate file with `facts` about them, and `card` is the text of the model card.
    """
    encoder = plugins.get(f"encoder {trained.model.encoder.family}")
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "base": {
            "name": trained.base,
            "weights": trained.mask.base_digest,
            "tokenizer": trained.tokenizer.digest(),
            "encoder": asdict(trained.model.encoder.config),
            **({"plugin": dict(encoder)} if encoder else {}),
        },
        "max_length": trained.max_length,
        "total": trained.mask.total,
        "selected": len(trained.mask.indices),
        "tasks": [
            {
                "name": task.name,
                "output": task.output.describe(),
                "parameters": trained.parameters().heads[task.name],
                "plugin": dict(plugins[task.name]),
                **({"temperature": task.output.temperature} if isinstance(task.output, Tempered) else {}),
                **({"declaration": dict(task.declaration)} if task.declaration else {}),
            }
            for task in trained.tasks
        ],
    }
    heads = {
        f"{task.name}.{name}": tensor
        for task in trained.tasks
        for name, tensor in trained.model.heads[task.name].state_dict().items()
    }
    with replaced_directory(directory) as fresh:
        save_mask(fresh / "mask.safetensors", trained.mask)
        write_tensors(fresh / "encoder.safetensors", {"values": trained.encoder.theta[trained.selection]})
        write_tensors(fresh / "heads.safetensors", heads)
        if probe is not None:
            write_tensors(fresh / "probe.safetensors", probe, facts)
        if card:
            write_bytes(fresh / "README.md", card.encode())
        write_json(fresh / "model.json", manifest)
        write_digests(fresh)


@from_one_directory
def load_model(
    directory: Path,
    registry: Registry,
    base: str | None = None,
    device: torch.device | str = "cpu",
    matmul_dtype: torch.dtype | None = None,
    only: Collection[str] | None = None,
) -> TrainedModel:
    """Load a model directory; `base` is the current path of the pretrained model, which must have the right digest.

    With `only`, the heads of other tasks are left out, and their plugins are not needed. If a run in progress replaces
    the directory meanwhile, the new model is loaded.
    """
    manifest = read_manifest(directory)
    if (directory.parent / RECORD).is_file():
        raise CheckpointError(
            f"{directory.parent} is the record of a run: it has scores and predictions, but no weights"
        )
    entries = [entry for entry in manifest["tasks"] if only is None or entry["name"] in only]
    check_digests(directory, FILES)
    name = recorded_name(base) if base else manifest["base"]["name"]
    found = find_base(directory, name)
    dropouts = {key: manifest["base"]["encoder"][key] for key in DROPOUTS}
    loaded = load_base(found, registry, dropouts, manifest["base"].get("plugin"))
    encoder, flat, tokenizer = loaded.encoder, loaded.weights, loaded.tokenizer
    expected = (manifest["base"]["weights"], manifest["base"]["tokenizer"])
    if (loaded.digest, tokenizer.digest()) != expected:
        raise CheckpointError(
            f"{directory}: the base model {name!r} ({found}) is not the one this run was trained from "
            f"(weights {expected[0][:12]}..., tokenizer {expected[1][:12]}...); {setting('model')} says where that is"
        )
    mask = load_mask(directory / "mask.safetensors", total=len(flat))
    if mask.base_digest != expected[0]:
        raise CheckpointError(f"{directory}: mask.safetensors is of other base weights, {mask.base_digest[:12]}...")
    if not 3 <= manifest["max_length"] <= encoder.config.positions:
        found_length = f"max_length is {manifest['max_length']}"
        raise CheckpointError(f"{directory}: {found_length}, not an integer from 3 to {encoder.config.positions}")
    tasks = tuple(known_task(directory, registry, entry) for entry in entries)
    trained = TrainedModel(build_model(encoder, tasks), flat, mask, tasks, tokenizer, manifest["max_length"], name)
    values = read_tensors(directory / "encoder.safetensors", {"values": (len(mask.indices),)})["values"]
    flat.theta[trained.selection] = values
    shapes = {
        f"{task.name}.{key}": tuple(tensor.shape)
        for task in tasks
        for key, tensor in trained.model.heads[task.name].state_dict().items()
    }
    left_out = tuple(f"{entry['name']}." for entry in manifest["tasks"] if entry not in entries)
    tensors = read_tensors(directory / "heads.safetensors", shapes, left_out)
    for task in tasks:
        head = trained.model.heads[task.name]
        head.load_state_dict({key: tensors[f"{task.name}.{key}"] for key in head.state_dict()})
    to_device(trained.model, flat, torch.device(device), matmul_dtype)
    for head in trained.model.heads.values():
        flatten(head)  # as in training
    return trained


def find_base(directory: Path, name: str) -> Path:
    """Find the pretrained model of a run; the error says that `model` overrides it."""
    try:
        return find_model(name, check=False)  # the digest of the weights is checked later
    except ModelError as error:
        raise ModelError(
            f"{directory}: its base model was not found: {error}; {setting('model')} says where it is now"
        ) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file atomically, without a copy of it in memory."""
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    with named_when_full(path, needed), replaced_file(path) as temporary:
        found = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(found, temporary, dict(metadata) if metadata else None)


def read_tensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], left_out: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Read a safetensors file that must hold exactly these float32 tensors; CheckpointError names each misfit.

    Tensors whose names begin with one of `left_out` are not read.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys() if not name.startswith(left_out)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from None
    problems = [f"missing tensor {name}" for name in shapes if name not in tensors]
    problems += [f"unexpected tensor {name}" for name in tensors if name not in shapes]
    problems += [
        f"tensor {name} is {tensors[name].dtype} {list(tensors[name].shape)}, not float32 {list(shape)}"
        for name, shape in shapes.items()
        if name in tensors and (tuple(tensors[name].shape) != shape or tensors[name].dtype != torch.float32)
    ]
    if problems:
        raise CheckpointError(f"{path}: does not fit the model:\n  " + "\n  ".join(problems))
    return tensors
