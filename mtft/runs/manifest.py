"""The manifest of a model directory, ``model.json``: its schema, and the tasks that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError, ConfigError, command, missing_distribution, setting, unknown
from mtft.io.digests import check_tree
from mtft.io.directories import current_directory, lock_holder
from mtft.io.files import read_json
from mtft.model.calibration import HIGHEST, LOWEST
from mtft.outputs import Tempered
from mtft.runs.paths import stopped_command
from mtft.tasks.declared import HEADS, declare, with_rule_of
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task

FORMAT, VERSION = "mtft-model", 1
DROPOUTS = ("dropout", "attention_dropout", "head_dropout")

SHAPE: dict[str, Any] = {
    "base": {"name": str, "weights": str, "tokenizer": str, "encoder": dict.fromkeys(DROPOUTS, float)},
    "max_length": int,
    "total": int,
    "selected": int,
    "tasks": [{"name": str, "output": {}, "parameters": int, "plugin": {}}],
}
"""Required keys of ``model.json``: types, mappings, and lists of one kind of entry. More keys are allowed."""


def _no_model(directory: Path) -> str:
    """Say that a directory holds no model, and how to continue a run that was stopped before it had one."""
    run = directory.parent
    made = stopped_command(run) if directory.name == "model" else ""
    if made and not lock_holder(run):
        advice = f"{command(made, resume=run)} continues it"
        return f"{run}: was stopped before its first epoch ended and has no model yet; {advice}"
    return f"{directory}: holds no trained model (no model.json)"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read and check ``model.json``."""
    path = current_directory(directory) / "model.json"
    if not path.is_file():
        raise CheckpointError(_no_model(directory))
    check_tree(directory)
    manifest = read_json(path)
    if manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path}: format is {manifest.get('format')!r}, not {FORMAT!r}")
    if manifest.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: format version is {manifest.get('version')!r}; this mtft reads version {VERSION} only"
        )
    if wrong := _misfits(manifest, SHAPE):
        raise CheckpointError(f"{path}: missing or malformed: {', '.join(wrong)}")
    return manifest


def _misfits(value: Any, shape: Any, key_path: str = "") -> list[str]:
    """Return the keys at which a JSON value does not have the required shape."""
    if isinstance(shape, dict) and isinstance(value, dict):
        paths = {key: f"{key_path}.{key}".lstrip(".") for key in shape}
        return [wrong for key, part in shape.items() for wrong in _misfits(value.get(key), part, paths[key])]
    if isinstance(shape, list) and isinstance(value, list):
        return [wrong for at, entry in enumerate(value) for wrong in _misfits(entry, shape[0], f"{key_path}[{at}]")]
    return [] if type(value) is shape else [key_path]


def task_names(run: Path, directory: Path, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return `names`, or without any those of all tasks; ConfigError unless the run's model directory has them."""
    known = [entry["name"] for entry in read_manifest(directory)["tasks"]]
    for name in names:
        if name not in known:
            raise ConfigError(f"{run}: {unknown('task of this run', name, known)}")
    return tuple(names or known)


def run_tasks(directory: Path, registry: Registry, *names: str) -> tuple[Task, ...]:
    """Return the tasks of a model directory, or only those with these names."""
    entries = read_manifest(directory)["tasks"]
    return tuple(known_task(directory, registry, entry) for entry in entries if not names or entry["name"] in names)


def known_task(directory: Path, registry: Registry, entry: Mapping[str, Any]) -> Task:
    """Return the task of a manifest entry; its labels must be the same as in training."""
    name, plugin = entry.get("name"), entry.get("plugin", {})
    try:
        task = _declared_task(directory, registry, entry) or registry.task(str(name))
    except ConfigError:
        where = missing_distribution(plugin.get("distribution"), plugin.get("version"))
        raise CheckpointError("; ".join([f"{directory}: task {name!r} came from {where}", *registry.absent])) from None
    if task.output.describe() != entry.get("output"):
        now = "it is now declared with" if task.declaration else "the installed plugin says"
        raise CheckpointError(
            f"{directory}: task {name!r} was trained with {entry.get('output')}, but {now} {task.output.describe()}"
        )
    return _tempered(directory, task, entry["temperature"]) if "temperature" in entry else task


def _tempered(directory: Path, task: Task, temperature: object) -> Task:
    """Return the task with the temperature of the manifest on its output."""
    if not isinstance(task.output, Tempered.KINDS):
        raise CheckpointError(f"{directory}: task {task.name!r} has a temperature, but its output has no classes")
    if not isinstance(temperature, float) or not LOWEST <= temperature <= HIGHEST:
        allowed = f"a number from {LOWEST:g} to {HIGHEST:g}"
        raise CheckpointError(f"{directory}: the temperature of task {task.name!r} is {temperature!r}, not {allowed}")
    return replace(task, output=Tempered(task.output, temperature))


def _declared_task(directory: Path, registry: Registry, entry: Mapping[str, Any]) -> Task | None:
    """Return the task of an entry with a declaration; a declaration in the current settings overrides it."""
    if not isinstance(declaration := entry.get("declaration"), dict):
        return None
    name, now = entry["name"], registry.tasks.get(entry["name"])
    heads, file = registry.parts.get("head", HEADS), str(directory / "model.json")
    table_name = f"[tasks.{name}], which the run recorded ({setting('config')} can declare it anew)"
    try:
        kept = declare(name, declaration, file, heads, table_name=table_name)
    except ConfigError as error:
        plugin = entry.get("plugin", {})
        where = f"; its head came from {missing_distribution(plugin.get('distribution'), plugin.get('version'))}"
        raise CheckpointError(f"{error}{where if 'distribution' in plugin else ''}") from None
    if now is None or not now.declaration:
        return kept
    if now.source.input != kept.source.input:
        raise CheckpointError(
            f"{directory}: task {kept.name!r} was trained with the text columns "
            f"{declaration['text']}, but is now declared with {now.declaration['text']}"
        )
    return replace(with_rule_of(kept, now), head=kept.head)
