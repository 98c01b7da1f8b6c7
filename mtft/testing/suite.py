"""The conformance suite of an installed plugin: named checks, for `mtft plugins test` and for a plugin's own tests.

In a plugin's tests::

    @pytest.mark.parametrize("check", checks("name"), ids=str)
    def test_conforms(check):
        check.run()
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

from mtft.errors import PluginError, unknown
from mtft.plugin.manager import Plugin, Plugins, build_registry, load_plugins
from mtft.tasks.registry import Registry, check_source, check_task
from mtft.tasks.task import Source, Task
from mtft.testing.conformance import NOWHERE, head_problems, loss_problems, output_problems, reading_problems
from mtft.testing.parts import owned_parts, part_problems

HEAVY = ("torch", "transformers", "tensorflow", "jax", "pandas", "sklearn", "scipy", "matplotlib")
"""Modules that a plugin must not import when it is loaded, since every command loads all plugins."""


@dataclass(frozen=True)
class Check:
    """One requirement of a plugin; `find` returns the faults, nothing if there are none."""

    name: str
    find: Callable[[], Iterable[str]]

    def __str__(self) -> str:
        return self.name

    def problems(self) -> list[str]:
        """Return the faults; if an exception is raised, it is the last of them."""
        found: list[str] = []
        try:
            with _offline():
                found.extend(self.find())
        except Exception as error:
            found.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
        return found

    def run(self) -> None:
        """Raise AssertionError with the faults, if any."""
        if problems := self.problems():
            raise AssertionError("\n".join(f"{self.name}: {problem}" for problem in problems))


def checks(name: str, data_dir: Path | None = None) -> list[Check]:
    """Return the checks of an installed plugin, found by its name, module or distribution.

    Readers whose files are missing are checked only with a `data_dir`. PluginError if no plugin has the name.
    """
    plugins = load_plugins()
    registry = build_registry(plugins)
    plugin = _find(name, plugins)
    found = [Check("loads", partial(_trouble, plugin))]
    if not plugin.trouble:
        found += [Check("imports little", partial(_heavy, plugin)), *_of_tasks(registry, plugin.name, data_dir)]
        found += [
            Check(f"{kind} {part.name}", partial(part_problems, kind, part))
            for kind, part in owned_parts(registry, plugin.name)
        ]
    return found


def _find(name: str, plugins: Plugins) -> Plugin:
    for plugin in plugins:
        if name in (plugin.name, plugin.module, plugin.distribution):
            return plugin
    raise PluginError(unknown("plugin", name, (plugin.name for plugin in plugins)))


def _of_tasks(registry: Registry, owner: str, data_dir: Path | None) -> Iterator[Check]:
    """Yield the checks of a plugin's tasks, and of its sources for all tasks."""
    for task in registry.tasks.values():
        if registry.owner(task.name) == owner:
            what = f"task {task.name}"
            yield Check(f"{what}: schema", partial(_raised, check_task, task))
            yield Check(f"{what}: labels and metrics", partial(output_problems, task))
            yield Check(f"{what}: head", partial(head_problems, task))
            yield Check(f"{what}: can be sent to another process", partial(_unlike, task))
            yield from _of_source(task.source, task, data_dir)
    for source in registry.sources.values():
        if registry.owner(source.name) == owner:
            yield Check(f"source {source.name}: schema", partial(_raised, check_source, source))
            yield Check(f"source {source.name}: can be sent to another process", partial(_unlike, source))
            yield from _of_source(source, registry.task(source.task), data_dir)


def _of_source(source: Source, task: Task, data_dir: Path | None) -> Iterator[Check]:
    output = task.output if source is task.source else None
    yield Check(f"source {source.name}: loss", partial(loss_problems, source, task, output))
    files = getattr(source.reader, "files", None)
    for split in ("train", "dev") if output else ("train",):
        if files and data_dir is None and not all(path.exists() for path in files(split, NOWHERE)):
            continue  # they are the user's
        find = partial(reading_problems, source, split, data_dir, output)
        yield Check(f"source {source.name}: reads {split}, offline, twice the same", find)


def _trouble(plugin: Plugin) -> list[str]:
    return [plugin.trouble] if plugin.trouble else []


def _heavy(plugin: Plugin) -> Iterator[str]:
    """Load the plugin and call its hooks in a fresh process, and check which modules that imports."""
    probe = (
        f"import sys\nfrom mtft.plugin.manager import load_plugins, build_registry\nbuild_registry(load_plugins())\n"
        f"import {plugin.module.partition(':')[0]}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": path, "MTFT_DISABLE_PLUGINS": _others(plugin)}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        yield f"does not load in a fresh process: {done.stderr.strip().splitlines()[-1]}"
    elif done.stdout.split():
        yield f"loading it imports {', '.join(done.stdout.split())}; name heads, losses and parts as text instead"


def _others(plugin: Plugin) -> str:
    """Return the names of all other plugins except the built-in one, which are to be disabled."""
    names = [each.name for each in load_plugins() if each.name not in (plugin.name, "builtin")]
    return ",".join(names)


def _raised(check: Callable[[object], None], value: object) -> list[str]:
    check(value)
    return []


def _unlike(value: Any) -> Iterator[str]:
    if pickle.loads(pickle.dumps(value)) != value:  # what was just made here
        yield "it comes back from pickle as something else (are its parts frozen dataclasses and functions?)"


@contextmanager
def _offline() -> Iterator[None]:
    """Refuse connections."""

    def refuse(*_: object) -> NoReturn:
        raise OSError("it connects to the network")

    with mock.patch.object(socket.socket, "connect", refuse), mock.patch.object(socket, "create_connection", refuse):
        yield
