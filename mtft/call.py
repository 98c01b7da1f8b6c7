"""Open a call of mtft from Python: its settings and its context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TypeVar

from mtft.config.groups import Options
from mtft.config.load import declared_tasks, load
from mtft.errors import ConfigError
from mtft.plugin.context import Context, new_context
from mtft.runs.resume import settings_file
from mtft.runtime.notices import Notify

PathName = str | PathLike[str]
C = TypeVar("C", bound=Options)


@contextmanager
def open_call(
    kind: type[C],
    settings: Mapping[str, object],
    notify: Notify,
    *,
    config: PathName | None = None,
    preset: str | None = None,
    resume: PathName | None = None,
) -> Iterator[tuple[C, Context]]:
    """Yield the settings and the context of a call; an error in a plugin's code names the plugin."""
    given = dict(settings)
    if resume is not None:
        own = {"config": config, "preset": preset, "out": given.get("out")}
        if taken := [name for name, value in own.items() if value is not None]:
            raise ConfigError(f"{resume} has its own {taken[0]}; leave that out", setting="resume")
        config, given["out"] = settings_file(Path(resume)), str(resume)
    loaded = load(kind, preset=preset, file=Path(config) if config else None, given=given)
    declared, file = declared_tasks(loaded)
    context = new_context(notify, declared=declared, file=file)
    with context.provenance.attribute_errors():
        yield loaded.config, context
