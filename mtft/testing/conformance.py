"""Check a plugin against its contract; each problem is one line of text.

In a plugin's tests: ``assert_task_conforms(TASK)``, or ``assert check_plugin("name") == []``. A reader whose files
come from the user's data directory is checked only if one is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtft.data.example import fault
from mtft.data.packing import pack
from mtft.errors import PluginError
from mtft.metrics import METRICS
from mtft.model.multitask import build_head, build_model
from mtft.outputs import Bounded, Output
from mtft.plugin.manager import Plugin, build_registry, load_plugins
from mtft.runtime.seeding import torch_generator
from mtft.tasks.registry import check_source, check_task
from mtft.tasks.task import Source, Task, resolve
from mtft.testing.parts import owned_parts, part_problems
from mtft.testing.tiny import tiny_encoder, tiny_table

LENGTHS = (5, 3, 8, 3)
"""Lengths in tokens of the sequences on which heads are tested."""

NOWHERE = Path("no-data-directory-given")


def assert_task_conforms(task: Task, data_dir: Path | None = None) -> None:
    """Raise AssertionError with all problems of a task."""
    if problems := task_problems(task, data_dir):
        raise AssertionError("\n".join(problems))


def check_plugin(plugin: str | ModuleType, data_dir: Path | None = None) -> list[str]:
    """Return the problems of a plugin, given by its name, its module or its module's name."""
    name = plugin if isinstance(plugin, str) else plugin.__name__
    plugins = load_plugins()
    if not any(name in (each.name, each.module) for each in plugins):
        load = partial(import_module, plugin) if isinstance(plugin, str) else lambda: plugin
        plugins.add(Plugin(name, name, "not", "installed"), load)
    registry = build_registry(plugins)
    (found,) = (each for each in plugins if name in (each.name, each.module))
    if found.trouble:
        return [found.trouble]
    tasks = [task for task in registry.tasks.values() if registry.owner(task.name) == found.name]
    sources = [source for source in registry.sources.values() if registry.owner(source.name) == found.name]
    problems = [problem for task in tasks for problem in task_problems(task, data_dir)]
    for source in sources:
        problems += source_problems(source, registry.task(source.task), data_dir)
    for kind, part in owned_parts(registry, found.name):
        problems += _collect(f"{kind} {part.name!r}", part_problems(kind, part))
    return problems


def task_problems(task: Task, data_dir: Path | None = None) -> list[str]:
    """Return the problems of a task, its head and its own source."""
    try:
        check_task(task)
    except PluginError as error:
        return [str(error)]
    what = f"task {task.name!r}"
    return [
        *_collect(f"{what}: output", output_problems(task)),
        *_collect(f"{what}: head", head_problems(task)),
        *source_problems(task.source, task, data_dir),
    ]


def source_problems(source: Source, task: Task, data_dir: Path | None = None) -> list[str]:
    """Return the problems of a task's source: its examples, and its loss."""
    try:
        check_source(source)
    except PluginError as error:
        return [str(error)]
    what = f"source {source.name!r}"
    output = task.output if source is task.source else None
    problems = _collect(f"{what}: loss", loss_problems(source, task, output))
    for split in ("train", "dev") if output else ("train",):
        problems += _collect(f"{what}: {split} split", reading_problems(source, split, data_dir, output))
    return problems


def _collect(what: str, problems: Iterator[str]) -> list[str]:
    """Collect problems; if an exception is raised, it is the last of them."""
    found = []
    try:
        for problem in problems:
            found.append(f"{what}: {problem}")  # noqa: PERF401 - problems before an exception are kept
    except Exception as error:
        found.append(f"{what}: {type(error).__name__}: {error}")
    return found


def output_problems(task: Task) -> Iterator[str]:
    """Yield faults in how outputs are read, labels parsed and predictions scored."""
    output, count = task.output, 12
    values = output.read(np.linspace(-2.0, 2.0, count * output.width).reshape(count, -1))
    if len(values) != count:
        yield f"read gives {len(values)} values of {count} examples"
        return
    json.dumps(output.present(values[0]))
    names = output.describe().get("names", [])
    if found := [name for index, name in enumerate(names) if output.parse(name) != index]:
        yield f"label {found[0]!r} is not parsed as number {names.index(found[0])}"
    targets = _targets(output, count)
    perfect = targets if values.ndim == 1 else np.eye(values.shape[1])[targets.astype(int)]
    for name in task.metric_names:
        metric = METRICS[name]
        float(metric.function(values, targets))
        best, worse = metric.function(perfect, targets), metric.function(np.roll(perfect, 1, axis=0), targets)
        if not (best > worse if metric.higher_is_better else best < worse):
            yield f"metric {name!r} does not prefer the right answers: {best:g} against {worse:g}"


def head_problems(task: Task) -> Iterator[str]:
    """Yield faults of a task's head on the tiny encoder."""
    encoder = tiny_encoder()
    states = [build_head(task, encoder.config).state_dict() for _ in range(2)]
    if any(not torch.equal(value, states[1][name]) for name, value in states[0].items()):
        yield "building it twice from one seed gives different weights"
    model = build_model(encoder, [task]).eval()
    table = tiny_table(encoder, LENGTHS)
    together = model(pack((table, np.arange(len(LENGTHS)))), [task.name])[task.name]
    if together.shape != (len(LENGTHS), task.output.width):
        yield f"gives {list(together.shape)} where [{len(LENGTHS)}, {task.output.width}] is needed"
        return
    if not together.isfinite().all():
        yield "gives numbers that are not finite"
    alone = [model(pack((table, np.array([row]))), [task.name])[task.name] for row in range(len(LENGTHS))]
    if not torch.allclose(together, torch.cat(alone), rtol=1e-4, atol=1e-5):
        yield "what it gives for an example depends on the others in the batch"
    together.sum().backward()
    if all(parameter.grad is None for parameter in model.heads[task.name].parameters()):
        yield "no parameter gets a gradient"


def loss_problems(source: Source, task: Task, output: Output | None) -> Iterator[str]:
    """Yield faults of a source's loss on random outputs."""
    count, loss = 4, resolve(source.loss)
    shape = (2, count, task.output.width) if source.input == "apart" else (count, task.output.width)
    outputs = torch.randn(shape, generator=torch_generator(0, "conformance")).requires_grad_()
    targets = torch.from_numpy(_targets(output, count)).float()
    losses = loss(outputs, targets)
    if losses.shape != (count,):
        yield f"gives {list(losses.shape)} where one number per example, [{count}], is needed"
        return
    if not losses.isfinite().all():
        yield "gives numbers that are not finite"
    alone = [loss(outputs[..., row : row + 1, :], targets[row : row + 1]) for row in range(count)]
    if not torch.allclose(losses, torch.cat(alone), rtol=1e-4, atol=1e-5):
        yield "an example's loss depends on the others in the batch"
    losses.sum().backward()
    if outputs.grad is None or not outputs.grad.isfinite().all():
        yield "its gradient is missing or not finite"


def _targets(output: Output | None, count: int) -> NDArray[np.float64]:
    """Return made-up targets [count] of an output kind; zeros and ones for an unknown kind."""
    if isinstance(output, Bounded):
        return np.linspace(output.low, output.high, count)
    return (np.arange(count) % (_classes(output) or 2)).astype(np.float64)


def reading_problems(source: Source, split: str, data_dir: Path | None, output: Output | None) -> Iterator[str]:
    """Yield faults of the examples that a source reads."""
    files = getattr(source.reader, "files", None)
    missing = [path for path in files(split, data_dir or NOWHERE) if not path.exists()] if files else []
    if missing:
        if data_dir is not None:
            yield f"{missing[0]}: no such file"
        return
    try:
        examples, again = ([*source.reader(split, data_dir or NOWHERE)] for _ in range(2))
    except FileNotFoundError:
        if data_dir is None:
            return
        raise
    if examples != again:
        yield "reading it twice gives different examples"
    faults = [fault for example in examples if (fault := _fault(example, source, output))]
    if faults:
        yield f"{faults[0]} ({len(faults)} of {len(examples)} examples have such faults)"
    elif all(example.target is None for example in examples):
        yield "it has no labelled example"


def _fault(example: Any, source: Source, output: Output | None) -> str:
    """Return the fault of an example, "" if there is none; with an `output`, its range is checked too."""
    if wrong := fault(example, source.texts):
        return wrong
    if example.target is not None and output and not _in_range(example.target, output):
        return f"{example.origin}: target {example.target!r} is out of range"
    return ""


def _in_range(target: float, output: Output) -> bool:
    if isinstance(output, Bounded):
        return output.low <= target <= output.high
    classes = _classes(output)
    return classes is None or target in range(classes)


def _classes(output: Output | None) -> int | None:
    """Return the number of classes of an output's targets; None if it names none."""
    names = output.describe().get("names") if output is not None else None
    return len(names) if names else None
