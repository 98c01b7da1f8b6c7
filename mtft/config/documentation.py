"""Settings in the docstring and the signature of a function that takes them as keywords."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from inspect import Parameter, signature
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from mtft.config.groups import Options
from mtft.config.load import described

F = TypeVar("F", bound=Callable[..., Any])


def documented(schema: type[Options], left_out: Collection[str] = ()) -> Callable[[F], F]:
    """Add the settings of a schema, each with its default, to a function, for `help` and for completion.

    The function takes them as keywords, except those `left_out`.
    """

    def decorate(function: F) -> F:
        fields = {name: field for name, field in schema.settings().items() if name not in left_out}
        lines = [f"    {name}: {described(field)} [{_default(field)}]" for name, field in fields.items()]
        text = (function.__doc__ or "").rstrip()
        function.__doc__ = "\n".join([text, "", "Settings, each with its default:", *lines, ""])
        own = [each for each in signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        added = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None if field.is_required() else field.default)
            for name, field in fields.items()
        ]
        vars(function)["__signature__"] = signature(function).replace(parameters=[*own, *added])
        return function

    return decorate


def _default(field: FieldInfo) -> str:
    """Write a setting's default as Python does."""
    if field.is_required():
        return "required"
    return str(field.default) if isinstance(field.default, Decimal) else repr(field.default)
