"""Settings to whose values plugins add: the schema lists the built-in ones; others are looked up when named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from mtft.errors import ConfigError

Known = Callable[[str, str], object]
"""Takes a kind of part and a name; ConfigError, with near matches and all names, if the name is unknown."""


@dataclass(frozen=True)
class PluginChoice:
    """Marks a setting that names parts of one `kind`; `names` are the built-in ones, so that help needs no plugin."""

    kind: str
    names: tuple[str, ...] = ()


def open_kind(field: FieldInfo) -> PluginChoice | None:
    """Return the mark of a field to whose values plugins add; None for others."""
    return next((mark for mark in field.metadata if isinstance(mark, PluginChoice)), None)


def open_problems(field: FieldInfo, value: Any, known: Known) -> Iterable[str]:
    """Return an error for each name in a value that is neither built in nor known."""
    mark = open_kind(field)
    if mark is None:
        return
    names = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    for name in (name.strip() for name in names if isinstance(name, str)):
        if name and name not in mark.names:
            try:
                known(mark.kind, name)
            except ConfigError as error:
                yield str(error)
