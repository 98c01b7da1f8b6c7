"""The session of a command on a run, shared by every phase of a training, a selection or a refinement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor

from mtft.config.groups import RunOptions
from mtft.errors import command
from mtft.plugin.context import Context
from mtft.runs.artifact import RunArtifact
from mtft.runs.fingerprints import settings_digest
from mtft.runs.opening import Contents, New, Resumed
from mtft.runs.resume import check_position
from mtft.runs.run_directory import RunDirectory
from mtft.runs.tracking import start_trackers
from mtft.runtime.distributed import Group
from mtft.training.autosave import Autosaver
from mtft.training.choices import chosen_parts
from mtft.training.preparation import Prepared

C = TypeVar("C", bound=RunOptions)


@dataclass
class Session(Generic[C]):
    """Settings, model and data, the directory of the run, and the autosaver."""

    config: C
    context: Context
    prepared: Prepared
    run: RunDirectory
    autosaver: Autosaver

    @property
    def group(self) -> Group:
        """The group of processes that share the work."""
        return self.context.group

    def artifact(self, name: str) -> RunArtifact:
        """Return the run's artifact of this name, which is written once."""
        return RunArtifact(self.run, self.group, name)

    def load_state(self, stage: str) -> tuple[Mapping[str, Tensor], dict[str, Any]] | None:
        """Return, in all processes, tensors and position of the run's state if this stage saved one.

        CheckpointError if the state belongs to other settings.
        """
        found = self.group.load_on_first(lambda: self.run.load_state(stage))
        if found:
            check_position(self.run.path, found[1], self.config)
        return found

    def save_state(self, stage: str, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
        """Replace the saved state, which a resume needs."""
        self.run.save_state(tensors, {"stage": stage, **position, "settings": settings_digest(self.config)})


@contextmanager
def start_session(
    opened: New[C] | Resumed[C],
    config: C,
    prepared: Prepared,
    context: Context,
    refines: str = "",
) -> Iterator[Session[C]]:
    """Make or open the directory of a run and yield the session on it; `refines` is the run that it starts from."""
    parts = [*chosen_parts(config), f"encoder {prepared.model.encoder.family}"]
    contents = Contents(prepared.material(), context.provenance.requirements(parts), prepared.data_dir, refines)
    hint = f"go on with {command(opened.command, resume=opened.path)}"
    names, resumed = getattr(config, "trackers", ()), isinstance(opened, Resumed)
    with opened.start(config, contents, context.group) as run:
        run.follow(lambda: start_trackers(names, context, run.path, opened.command, config, resumed=resumed))
        autosaver = Autosaver(config.checkpoint_every, config.max_time, hint, context.group, context.notify)
        with autosaver.watching():
            yield Session(config, context, prepared, run, autosaver)
