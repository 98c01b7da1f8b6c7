"""The run directory with several processes: one process writes it, the others have one that writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mtft.data.dataset import Dataset
from mtft.outputs import Array
from mtft.runs.run_directory import Follower, RunDirectory
from mtft.runtime.distributed import Group


class NullRunDirectory(RunDirectory):
    """A run directory with the same methods that do nothing, for processes that leave writing to another."""

    def __init__(self, path: Path) -> None:
        self.path, self.model = path, path / "model"

    def __exit__(self, *_: object) -> None: ...

    def follow(self, start: Callable[[], Follower]) -> None: ...

    def write(self, name: str, write: Callable[[Path], None], *, final: bool = True) -> None: ...

    def seal(self, *names: str) -> None: ...

    def log(self, name: str, record: Mapping[str, Any]) -> None: ...

    def log_time(self, **record: Any) -> None: ...

    def logged(self) -> dict[str, dict[str, Any]]:
        return {}

    def cut_logs(self, before: Mapping[str, Mapping[str, Any]]) -> None: ...

    def write_predictions(self, split: str, data: Mapping[str, Dataset], values: Mapping[str, Array]) -> None: ...

    def write_summary(self, summary: Mapping[str, Any]) -> None: ...

    def load_state(self, stage: str) -> None: ...

    def save_state(self, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None: ...

    def drop_state(self, stage: str) -> None: ...


def share_run(path: Path, group: Group, open_directory: Callable[[], RunDirectory]) -> RunDirectory:
    """Open a run in process 0; the others get a null one. An error in process 0 is raised in all."""
    opened: list[RunDirectory] = []
    group.on_first(lambda: opened.append(open_directory()))
    return opened[0] if opened else NullRunDirectory(path)
