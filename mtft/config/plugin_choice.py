"""Settings whose values plugins add to: those built in stand in the schema, others are asked for when named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from mtft.errors import ConfigError

Known = Callable[[str, str], object]
"""Takes a kind of part and a name; ConfigError, with near matches and the names there are, if it is not known."""


@dataclass(frozen=True)
class PluginChoice:
    """Marks a setting that names parts of one `kind`; `names` are built in, so that help needs no plugin."""

    kind: str
    names: tuple[str, ...] = ()


def open_kind(field: FieldInfo) -> PluginChoice | None:
    """Return the mark of a field whose values plugins add to; None for others."""
    return next((mark for mark in field.metadata if isinstance(mark, PluginChoice)), None)


def open_problems(field: FieldInfo, value: Any, known: Known) -> Iterable[str]:
    """Say what is wrong with each name in a value, as written, that is neither built in nor known."""
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
