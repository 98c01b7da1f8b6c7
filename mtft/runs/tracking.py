"""Trackers: plugins that receive what a run logs and cannot change the run.

Each receives copies, one record at a time, after they were written. The state of global generators and of torch is
restored after each call. A tracker that fails is reported and switched off for the rest of the run, which continues.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from mtft.config.groups import Options
from mtft.config.load import dump
from mtft.io import toml_parser
from mtft.io.files import to_json
from mtft.plugin.context import Context
from mtft.runtime.notices import Notify
from mtft.runtime.seeding import untouched


@dataclass(frozen=True)
class Tracked:
    """The run that is tracked: its directory, command and settings, and whether it was resumed.

    A resumed run logs again the steps after its last saved state; of two records of one step, the later counts.
    """

    path: Path
    command: str
    settings: Mapping[str, Any]
    resumed: bool


class Tracker(Protocol):
    """The object that a tracker's part makes from a `Tracked`."""

    def log(self, kind: str, record: dict[str, Any]) -> None:
        """Receive a record of the log `kind`: "steps", "metrics", "conflicts", "times", and at the end "summary"."""

    def close(self) -> None:
        """Close the tracker: the run ended, was stopped or failed."""


class Trackers:
    """The trackers of a run, each until its first error."""

    def __init__(self, makers: Mapping[str, Callable[[], Tracker]], notify: Notify) -> None:
        self._notify = notify
        self._active: dict[str, Tracker] = {}
        for name, make in makers.items():
            with self._guarded(name):
                self._active[name] = make()

    def log(self, kind: str, record: Mapping[str, Any]) -> None:
        """Pass a record to all trackers."""
        for name, tracker in list(self._active.items()):
            with self._guarded(name):
                tracker.log(kind, json.loads(to_json(record)))

    def close(self) -> None:
        """Close all."""
        for name, tracker in list(self._active.items()):
            with self._guarded(name):
                tracker.close()
        self._active.clear()

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Restore this process's global state after a tracker's call; drop the tracker on an error."""
        threads, kind, grad = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
        try:
            with untouched(), contextlib.redirect_stdout(sys.stderr):
                yield
        except (Exception, SystemExit) as error:
            self._active.pop(name, None)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._notify("warning", f"tracker {name!r} failed and is off for the rest of this run: {reason}")
        finally:
            torch.set_default_dtype(kind)
            torch.set_grad_enabled(grad)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


def start_trackers(
    names: Sequence[str], context: Context, path: Path, command: str, config: Options, *, resumed: bool
) -> Trackers:
    """Start the trackers of these names on a run."""
    settings = toml_parser.loads(dump(config))

    def maker(name: str) -> Callable[[], Tracker]:
        tracked = Tracked(path, command, json.loads(to_json(settings)), resumed)
        return lambda: context.registry.load("tracker", name)(tracked)

    return Trackers({name: maker(name) for name in names}, context.notify)
