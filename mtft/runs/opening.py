"""Find whether a command's run is new, stopped or finished, and open its directory accordingly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from mtft.config.groups import RunOptions
from mtft.config.load import load
from mtft.encoder.directory import recorded_name
from mtft.errors import ConfigError
from mtft.io.directories import clear_lock
from mtft.io.disk import check_room
from mtft.plugin.context import Context
from mtft.runs.null_directory import share_run
from mtft.runs.paths import is_finished
from mtft.runs.resume import check_material, check_settings, settings_file
from mtft.runs.run_directory import RunDirectory, read_summary
from mtft.runtime import processes
from mtft.runtime.distributed import Group

S = TypeVar("S", bound=RunOptions)

LENGTH = ("epochs", "max_steps", "patience")
"""Settings that can extend a finished run when they change."""


@dataclass(frozen=True)
class Target(Generic[S]):
    """The result of a command and its settings; `new_path` chooses its path, unless the command resumes `resume`.

    The run is at the path itself, or in the directory that `directory` returns for it. `complete` returns whether the
    result already exists, without a run. With `may_go_on`, a finished run can be extended by more epochs.
    """

    command: str
    config: S
    new_path: Callable[[], Path]
    resume: Path | None = None
    directory: Callable[[Path], Path] = Path
    complete: Callable[[Path], bool] = lambda _: False
    may_go_on: bool = True

    def path(self) -> Path:
        """Return the path of the result; restarted processes get the path of those before them."""
        out = self.config.out
        if self.resume:
            return self.resume
        if out is None and processes.may_restart():
            raise ConfigError(
                "give it with torchrun --max-restarts, so that restarted processes find the run", setting="out"
            )
        if out and processes.restarts() and (self.begun(out) or self.complete(out)):
            return out
        return self.new_path()

    def begun(self, path: Path) -> bool:
        """Return whether a run, stopped or finished, exists."""
        return (self.directory(path) / "config.toml").is_file()


@dataclass(frozen=True)
class Finished:
    """A finished result; `summary` is that of its run, empty if there is no run."""

    path: Path
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """The record of a new run, which must be the same on a resume.

    `material` are the digests of data and weights, `plugins` the distributions needed, `data_dir` the data directory.
    """

    material: Mapping[str, str]
    plugins: Mapping[str, Any]
    data_dir: Path
    refines: str = ""

    def facts(self) -> dict[str, Any]:
        """Return the entries for the run's environment file."""
        refines = {"refines": self.refines} if self.refines else {}
        return {**refines, "plugins": self.plugins, "material": self.material}


@dataclass(frozen=True)
class Opening(Generic[S]):
    """A run to write: the path of its result, its directory, and its current settings."""

    command: str
    path: Path
    directory: Path
    config: S


class New(Opening[S]):
    """A new run."""

    def start(self, config: S, contents: Contents, group: Group) -> RunDirectory:
        """Make the directory of the run with these settings."""
        overwrite = config.overwrite or self.directory != self.path

        def create() -> RunDirectory:
            facts = contents.facts()
            return RunDirectory.create(
                self.directory, config, self.command, contents.data_dir, facts, overwrite=overwrite
            )

        return share_run(self.directory, group, create)


class Resumed(Opening[S]):
    """A run that is resumed."""

    def start(self, config: S, contents: Contents, group: Group) -> RunDirectory:
        """Open the directory of the run; CheckpointError if it started with other data or weights."""

        def reopen() -> RunDirectory:
            check_material(self.directory, contents.material)
            return RunDirectory.reopen(self.directory, config)

        return share_run(self.directory, group, reopen)


def open_run(target: Target[S], context: Context) -> New[S] | Resumed[S] | Finished:
    """Return the state of a run, the same in all processes; nothing is written yet.

    ConfigError names settings that cannot change on a resume, CheckpointError damaged files.
    """
    found = context.group.on_first(lambda: _look(target, context))
    path, state = Path(found["path"]), found["state"]
    if state == "finished":
        return Finished(path, found["summary"])
    config = with_absolute_model(target.config).model_copy(update=found["fitted"])
    return (Resumed if state == "resumed" else New)(target.command, path, target.directory(path), config)


def with_absolute_model(config: S) -> S:
    """Return settings that name the directory of the pretrained model by its absolute path."""
    model = getattr(config, "model", None)
    return config.model_copy(update={"model": recorded_name(model)}) if model else config


def _look(target: Target[S], context: Context) -> dict[str, Any]:
    """Return a run's path and state, its summary if it has finished, and the settings fitted to the machine."""
    path = target.path()
    directory = target.directory(path)
    found: dict[str, Any] = {"path": str(path), "state": "new", "fitted": {}}
    going_on = target.resume is not None or processes.restarts() > 0
    if going_on and target.complete(path) and not target.begun(path):
        context.notify("info", f"{path} is complete: nothing is left to do")
        return {**found, "state": "finished", "summary": {}}
    if target.resume or (going_on and target.begun(path)):
        found |= {"state": "resumed", "fitted": {} if target.resume else _fitted(target.config, directory)}
        config = with_absolute_model(target.config).model_copy(update=found["fitted"])
        if _has_finished(directory, check_settings(directory, target.command, config, context), target.may_go_on):
            clear_lock(directory)
            context.notify("info", f"{path} has finished: nothing is left to do")
            return {**found, "state": "finished", "summary": read_summary(directory)}
    check_room(path)
    return found


def _has_finished(run: Path, changed: Mapping[str, str], may_go_on: bool) -> bool:
    """Return whether the `changed` settings leave nothing to do; ConfigError if they cannot change."""
    longer = [text for name, text in changed.items() if name in LENGTH]
    if not is_finished(run) or (longer and may_go_on):
        return False
    if longer:
        raise ConfigError(f"{run} has finished; {longer[0]}: cannot change any more", setting="resume")
    return True


def _fitted(config: RunOptions, run: Path) -> dict[str, Any]:
    """Return the micro-batch size that `max_memory` led to before the processes were restarted."""
    if not getattr(config, "max_memory", None):
        return {}
    before: Any = load(type(config), file=settings_file(run)).config
    return {"micro_batch_tokens": before.micro_batch_tokens}
