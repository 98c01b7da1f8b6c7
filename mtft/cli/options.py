"""Click options made from a schema, so that a setting is described once for TOML, flags and help."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from pydantic.fields import FieldInfo

from mtft.cli.flags import Flags, flag
from mtft.cli.main import VERBOSE
from mtft.config.groups import Options
from mtft.config.load import choices, described, kind, load
from mtft.config.plugin_choice import open_kind
from mtft.errors import worded

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_METAVARS: dict[Any, str] = {int: "N", float: "X", Decimal: "X", Path: "PATH", tuple: "NAME,...", dict: "NAME=X,..."}

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
"""Gives the command `as_json: bool`."""


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command `quiet: bool`, and --verbose, which `open_context` and the error handler use."""
    text = "Also say where settings come from, and where an error arose."
    verbose = click.option("--verbose", "-v", is_flag=True, expose_value=False, callback=_voice, help=text)
    quiet = click.option("--quiet", "-q", is_flag=True, callback=_voice, help="Print only results and errors.")
    return quiet(verbose(command))


def _voice(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Store --quiet or --verbose in the `meta` of all contexts; UsageError if both are given."""
    if value:
        context.meta[f"mtft.{parameter.name}"] = True
        if context.meta.get("mtft.quiet") and context.meta.get(VERBOSE):
            raise click.UsageError("--quiet and --verbose exclude each other", context)
    return value


def options_for(schema: type[Options], *, resume: str = "") -> Decorator:
    """Add one option per field of the schema, and --config, --set and, where it has some, --preset.

    The decorated function gets ``loaded: Loaded[schema]`` instead of these options. `resume`, a text that says what
    --resume continues, adds that option: settings then come from there, and the function also gets the path.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(*args: Any, **given: Any) -> Any:
            flags, layers = take_layers(schema, given)
            if given.get("resume"):
                layers["file"] = _resumed(given["resume"], flags, layers)
                flags["out"] = str(given["resume"])
            known = None if given.get("resume") else _find_part  # a run records which plugins it needs
            return command(*args, loaded=load(schema, given=flags, known=known, **layers), **given)

        vars(wrapped)["schema"] = schema  # for `mtft config show`
        options = [_option(name, field) for name, field in schema.settings().items()]
        layers = _layers(schema)
        if resume:
            text = f"Continue {resume}, with the same result as without a stop."
            layers = [*layers, click.option("--resume", metavar="PATH", type=click.Path(path_type=Path), help=text)]
        decorated: Callable[..., Any] = wrapped
        for option in reversed([*options, *layers]):
            decorated = option(decorated)
        return decorated

    return decorate


def settings_of(schema: type[Options]) -> Decorator:
    """Add one option per field of the schema, and no settings file; the decorated function gets ``config: schema``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(*args: Any, **given: Any) -> Any:
            flags = {name: _joined(given.pop(name)) for name in schema.settings()}
            return command(*args, config=load(schema, given=flags).config, **given)

        decorated: Callable[..., Any] = wrapped
        for name, field in reversed(schema.settings().items()):
            decorated = _option(name, field)(decorated)
        return decorated

    return decorate


def take_layers(schema: type[Options], given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of `load` from the values of a command's options: flags, and the other layers."""
    flags = {name: _joined(given.pop(name)) for name in schema.settings()}
    return flags, {name: given.pop(f"_{name}", None) for name in ("preset", "file", "sets")}


def _resumed(path: Path, flags: dict[str, Any], layers: dict[str, Any]) -> Path:
    """Return the settings file of the run or selection that is resumed."""
    context = click.get_current_context()
    if layers["file"] or layers["preset"]:
        raise click.UsageError(f"--resume: {path} has its own settings; leave --config and --preset out", context)
    if flags["out"] or any(each.partition("=")[0].strip() == "out" for each in layers["sets"] or ()):
        raise click.UsageError(f"--resume: {path} stays where it is; leave --out out", context)
    from mtft.runs.resume import settings_file

    return settings_file(path)


def _find_part(kind: str, name: str) -> object:
    """Ask the plugins for a part; ConfigError if none has it."""
    from mtft.plugin.manager import build_registry

    return build_registry().part(kind, name)


def _joined(value: Any) -> Any:
    """Join the texts of an option that was given several times; None if it was not given."""
    return (",".join(value) if value else None) if isinstance(value, tuple) else value


def _layers(schema: type[Options]) -> list[Decorator]:
    """Return the options that name sources of settings."""
    options: list[Decorator] = [
        click.option("--config", "_file", type=click.Path(path_type=Path), help="TOML file with settings."),
        click.option("--set", "_sets", metavar="KEY=VALUE", multiple=True, help="Set one setting by its TOML key."),
    ]
    if schema.presets:
        text = f"Named settings: {', '.join(schema.presets)}. All other settings override them."
        options.append(
            click.option("--preset", "_preset", metavar="NAME", help=text, shell_complete=offer(schema.presets))
        )
    return options


def _option(name: str, field: FieldInfo) -> Decorator:
    """Return one option; it takes text only, so that `load` reports every error."""
    value_type = kind(field)
    if value_type is bool:
        return click.option(f"{flag(name)}/{flag(f'no_{name}')}", name, default=None, help=_help(field))
    names = choices(field)
    shown = [*names, "NAME"] if names and open_kind(field) else names
    return click.option(
        flag(name),
        name,
        type=click.Path() if value_type is Path else str,
        metavar="|".join(shown) or _METAVARS.get(value_type, "TEXT"),
        multiple=value_type in (tuple, dict),
        help=_help(field),
        shell_complete=offer(names) if names else None,
    )


def _help(field: FieldInfo) -> str:
    """Return the description as a sentence, with the default if there is one."""
    with worded(Flags()):
        text, default = described(field), field.default
    if field.is_required():
        note = " [required]"
    elif isinstance(default, bool) or default in (None, (), {}):
        note = ""
    else:
        note = f" [default: {','.join(default) if isinstance(default, tuple) else default}]"
    return f"{text[:1].upper()}{text[1:]}.{note}"


def offer(names: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Complete with the names that begin with the typed text."""
    return lambda _context, _parameter, typed: [CompletionItem(name) for name in names if name.startswith(typed)]
