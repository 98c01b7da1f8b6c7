"""Load settings in layers: defaults < preset < file < assignments < values given; record the origin of each value.

All errors are raised together.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

import tomli_w
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from mtft.config.groups import Options
from mtft.config.plugin_choice import Known, open_kind, open_problems
from mtft.config.schema import SCHEMAS
from mtft.config.synonyms import near
from mtft.config.task_tables import Tables, take_tables, task_tables, with_files, with_rules
from mtft.config.toml_file import exact_number, read_table
from mtft.errors import ConfigError, setting, unknown, with_names, word_for_given
from mtft.io import toml_parser
from mtft.io.text import show

S = TypeVar("S", bound=Options)

FORMER: Mapping[str, Any] = {"class_weights": "none", "eps": 1e-8}
"""Values that runs used before these were settings, which their recorded settings lack."""


@dataclass(frozen=True)
class Loaded(Generic[S]):
    """Checked settings, and for each key where its value came from.

    An origin is "default", "preset NAME", "file PATH", "argument NAME" or "not set" (for a stand-in). The command line
    replaces "argument" by "flag" and adds the origin of assignments.
    """

    config: S
    origins: dict[str, str]


def load(
    schema: type[S],
    *,
    preset: str | None = None,
    file: Path | None = None,
    sets: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
    known: Known | None = None,
    stand_ins: Mapping[str, Any] | None = None,
    table: tuple[str, Mapping[str, Any]] | None = None,
) -> Loaded[S]:
    """Resolve the settings of one command from files and values; those `given` as None count as not given.

    `known` looks up names that plugins bring; without it such names are accepted here and checked when they are used.
    `stand_ins` are values for required settings that were not given. `table` is the name and the content of one table
    of the file, which is then not read.
    A file may serve several commands: keys that only other commands have are ignored. Raises one ConfigError with a
    line for each fault.
    """
    problems: list[str] = []
    source_name = f"{file}: {table[0]}" if table else str(file)
    written = dict(table[1]) if table else read_table(file, problems) if file else {}
    if problems:  # without the file's settings, further errors would mislead
        raise ConfigError("\n".join(problems))
    declared = take_tables(written, source_name, problems)
    preset = _preset(schema, preset, written.pop("preset", None), f"{source_name}: preset", problems)
    layers: list[tuple[str, Iterable[tuple[str, Any]], bool]] = [
        ("not set", (stand_ins or {}).items(), True),
        (f"preset {preset}", schema.presets.get(preset or "", {}).items(), True),
        (f"file {source_name}", FORMER.items() if _is_record(file) else (), True),
        (f"file {source_name}", written.items(), True),
        (setting("set"), _assignments(sets, problems), False),
        ("given", ((key, value) for key, value in (given or {}).items() if value is not None), False),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(schema.settings(), "default")
    for origin, layer, shared in layers:
        for key, value in layer:
            source = f"{word_for_given()} {setting(key)}" if origin == "given" else origin
            if key in origins:
                values[key], origins[key] = value, source
            elif not (shared and key in _all_keys()):
                problems.append(f"{_origin_of(source, key)}: {_unknown_key(key, _all_keys() if shared else origins)}")
    if known:
        for key, value in values.items():
            unknown_names = open_problems(schema.model_fields[key], value, known)
            problems += [f"{_origin_of(origins[key], key)}: {problem}" for problem in unknown_names]
    if declared and "declared" in schema.model_fields:
        values["declared"], origins["declared"] = _completed(declared, file, values.get("data_dir")), f"file {file}"
    return Loaded(_checked(schema, values, origins, problems), origins)


def declared_tasks(loaded: Loaded[Any]) -> tuple[Mapping[str, Any], str]:
    """Return the tables [tasks.NAME] of the settings file, and its name; ({}, "") without any."""
    file = loaded.origins.get("declared", "").removeprefix("file ")
    return (loaded.config.declared, file) if file else ({}, "")


def _completed(declared: Tables, file: Path | None, data_dir: Any) -> Tables:
    """Return the tables of a settings file with the rule of each share, and with resolved file names.

    Tables that a run has recorded are returned unchanged.
    """
    if file is None or _is_record(file):
        return declared
    data_dir = Path(str(data_dir or os.environ.get("MTFT_DATA_DIR") or "data"))
    return with_files(with_rules(declared), file, data_dir)


def _is_record(file: Path | None) -> bool:
    """Return whether a file holds the settings that a run has recorded."""
    return file is not None and file.with_name("environment.json").is_file()


def dump(config: Options, exclude: Collection[str] = ()) -> str:
    """Write settings as TOML that `load` reads back to the same values; settings that are None are left out."""
    values = config.model_dump(exclude=set(exclude), exclude_none=True)
    if declared := getattr(config, "declared", {}):
        values["tasks"] = task_tables(values.pop("tasks"), declared)
    return tomli_w.dumps({key: str(value) if isinstance(value, Path) else value for key, value in values.items()})


# ---- one field ------------------------------------------------------------------------------------------------


def kind(field: FieldInfo) -> Any:
    """Return the type of a field's value when it has one: `int` for ``int | None``, `tuple` for ``tuple[str, ...]``."""
    members = [member for member in get_args(field.annotation) if member is not NoneType]
    optional = NoneType in get_args(field.annotation)
    value_type = members[0] if optional else field.annotation
    if get_origin(value_type) is Annotated:
        value_type = get_args(value_type)[0]
    return get_origin(value_type) or value_type


def choices(field: FieldInfo) -> tuple[str, ...]:
    """Return the allowed values of a field (the built-in ones if plugins add to them); none if any value is allowed."""
    if mark := open_kind(field):
        return mark.names
    return get_args(field.annotation) if kind(field) is Literal else ()


def described(field: FieldInfo) -> str:
    """Return a setting's description, with other settings named in the caller's style."""
    return with_names(field.description or "")


def allowed(field: FieldInfo) -> str:
    """Return in words which values a field takes."""
    if kind(field) is Literal:
        return f"one of {', '.join(choices(field))}"
    words: dict[Any, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        Decimal: "a number",
        Path: "a path",
        tuple: "names separated by commas",
        dict: "NAME=NUMBER pairs separated by commas",
    }
    bounds = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [
        f"{sign} {getattr(limit, bound)}"
        for limit in field.metadata
        for bound, sign in bounds.items()
        if hasattr(limit, bound)
    ]
    digits = [f"with at most {m.decimal_places} decimals" for m in field.metadata if hasattr(m, "decimal_places")]
    return " ".join(filter(None, [words.get(kind(field), "text"), " and ".join(limits), *digits]))


# ---- layers ---------------------------------------------------------------------------------------------------


def _all_keys() -> set[str]:
    """Return every key of every command."""
    return {key for schema in SCHEMAS for key in schema.settings()}


def _preset(schema: type[Options], name: str | None, written: Any, origin: str, problems: list[str]) -> str | None:
    """Return the preset: the flag's, else the file's, if this command has it."""
    everywhere = {preset for other in SCHEMAS for preset in other.presets}
    if name is not None and name not in schema.presets:
        problems.append(f"{word_for_given()} {setting('preset')}: {unknown('preset', name, schema.presets)}")
    elif name is None and written is not None and written not in list(everywhere):
        problems.append(f"{origin}: {unknown('preset', str(written), everywhere)}")
    chosen = written if name is None else name
    return chosen if chosen in list(schema.presets) else None


def _assignments(sets: Sequence[str], problems: list[str]) -> list[tuple[str, Any]]:
    """Read ``key=value`` texts."""
    assignments: list[tuple[str, Any]] = []
    for text in sets:
        key, equals, value = text.partition("=")
        key, value = key.strip().replace("-", "_"), value.strip()
        if not (key and equals):
            problems.append(f"{setting('set')}: {text!r} is not KEY=VALUE")
            continue
        try:
            assignments.append((key, _value(value)))
        except (ValueError, RecursionError) as error:
            problems.append(f"{setting('set')}: {key}: {show(value)} is not a TOML value: {error}")
    return assignments


def _value(text: str) -> Any:
    """Read quoted text, an array or an inline table as TOML, with exact numbers; all else is text, as from a flag."""
    if not text.startswith(("'", '"', "[", "{")):
        return text
    table = toml_parser.loads(f"value = {text}", parse_float=exact_number)
    if len(table) > 1:
        raise ValueError("more follows after its end")
    return table["value"]


# ---- errors ---------------------------------------------------------------------------------------------------


def _checked(schema: type[S], values: dict[str, Any], origins: Mapping[str, str], problems: list[str]) -> S:
    """Build the settings, or raise all problems, including those found before."""
    try:
        config = schema.model_validate(values)
    except ValidationError as error:
        explained = [_explain(schema, origins, dict(detail)) for detail in error.errors(include_url=False)]
        raise ConfigError("\n".join([*problems, *explained])) from None
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _explain(schema: type[Options], origins: Mapping[str, str], detail: Mapping[str, Any]) -> str:
    """Turn one of pydantic's errors into a line: origin, key, value found, values allowed."""
    key = str(detail["loc"][0])
    field = schema.model_fields[key]
    origin = _origin_of(origins[key], key)
    if detail["type"] == "missing":
        return f"{key}: required; give {setting(key)}, or set it in a {setting('config')} file: {described(field)}"
    if detail["type"] == "value_error":
        return f"{origin}: {detail['ctx']['error']}"
    if detail["type"] == "too_short":
        return f"{origin}: name at least one ({described(field)})"
    value = detail["input"]
    return f"{origin}: {show(value)} is not {allowed(field)}" + _near(value, choices(field))


def _origin_of(origin: str, key: str) -> str:
    """Return the location of a value; the origin of an argument already contains its key."""
    if origin.startswith(f"{word_for_given()} "):
        return origin
    return key if origin == "default" else f"{origin.removeprefix('file ')}: {key}"


def _unknown_key(key: str, known: Iterable[str]) -> str:
    known = sorted(known)
    meant = near(key, known)
    return f"unknown key {show(key)}" + (f"; did you mean {meant!r}?" if meant else f" (allowed: {', '.join(known)})")


def _near(value: Any, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(value[:80], list(names), n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""
