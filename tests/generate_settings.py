"""Write `mtft/settings/`, the types of the settings that the functions of the library take: `make docs`."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from mtft.config.groups import Options
from mtft.config.load import kind
from mtft.config.schema import (
    CompareConfig,
    CountConfig,
    DataCheckConfig,
    EvalConfig,
    ExperimentConfig,
    ExportConfig,
    InitConfig,
    MergeConfig,
    PredictConfig,
    RefineConfig,
    ReportConfig,
    SelectConfig,
    TrainConfig,
    VerifyConfig,
)
from mtft.errors import with_names

FOLDER = Path(__file__).parent.parent / "mtft" / "settings"

SCHEMAS: tuple[type[Options], ...] = (
    TrainConfig,
    SelectConfig,
    RefineConfig,
    EvalConfig,
    PredictConfig,
    CompareConfig,
    ExperimentConfig,
    ReportConfig,
    ExportConfig,
    MergeConfig,
    VerifyConfig,
    CountConfig,
    DataCheckConfig,
    InitConfig,
)
LEFT_OUT: dict[type[Options], tuple[str, ...]] = {PredictConfig: ("format", "output_format")}
"""Settings that say how text is read and written, which values of Python need not."""

MADE = "Made from the settings' schema by tests/generate_settings.py; `make docs` writes it anew."

GROUPS = f'''"""Groups of settings that several functions take, each with its type. All may be left out.

{MADE}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from os import PathLike
from typing import Literal, TypedDict

Names = str | Sequence[str]
"""Names: ["sst", "sts"], or "sst,sts"."""

Numbers = str | Mapping[str, float]
"""Numbers by name: {{"sst": 2}}, or "sst=2"."""
'''

COMMANDS = f'''"""Settings that the functions of `mtft` take as keywords, each with its type. All may be left out.

{MADE}
"""

from __future__ import annotations

from decimal import Decimal
from os import PathLike
from typing import Literal, TypedDict

from mtft.settings.groups import (
    {{imports}},
)
'''

TYPES: dict[Any, str] = {
    Path: "str | PathLike[str]",
    Decimal: "Decimal | float | str",
    tuple: "Names",
    dict: "Numbers",
    bool: "bool",
    float: "float",
    str: "str",
}


def main() -> None:
    """Write the modules."""
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def documents() -> dict[str, str]:
    """Return the text of each module by its file's name."""
    every = dict.fromkeys(base for schema in SCHEMAS for base in reversed(schema.__mro__) if _is_group(base))
    groups = "".join(f"\n\n{_typed_dict(schema)}" for schema in every if schema not in SCHEMAS)
    commands = "".join(f"\n\n{_typed_dict(schema)}" for schema in SCHEMAS)
    bases = {_name(base) for schema in SCHEMAS for base in schema.__bases__ if _is_group(base)}
    names = {base for base in bases if f"{base}," in commands}
    names |= {name for name in ("Names", "Numbers") if f": {name}\n" in commands}
    return {
        "groups.py": GROUPS + groups,
        "__init__.py": COMMANDS.format(imports=",\n    ".join(sorted(names, key=str.lower))) + commands,
    }


def _is_group(base: type) -> bool:
    return issubclass(base, Options) and base is not Options and bool(_settings(base))


def _settings(schema: type[Options]) -> dict[str, FieldInfo]:
    return {name: field for name, field in schema.settings().items() if name not in LEFT_OUT.get(schema, ())}


def _typed_dict(schema: type[Options]) -> str:
    """Return the class of one schema, or group of settings, with those that its bases lack."""
    bases = [base for base in schema.__bases__ if _is_group(base)]
    known = {name: _type(field) for base in bases for name, field in _settings(base).items()}
    mine = {name: field for name, field in _settings(schema).items() if known.get(name) != _type(field)}
    if clash := known.keys() & mine.keys():
        raise ValueError(f"{schema.__name__} changes the type of {clash}")
    heads = [*(map(_name, bases) if bases else ["TypedDict"]), "total=False"]
    text = f'{_head(_name(schema), heads)}\n    """{(schema.__doc__ or "").strip()}"""\n'
    for name, field in mine.items():
        text += f"\n    {name}: {_type(field)}\n{_quoted(with_names(field.description or ''))}\n"
    return text


def _head(name: str, arguments: list[str]) -> str:
    """Return the first line of a class, broken as the formatter breaks it."""
    line = ", ".join(arguments)
    if len(f"class {name}({line}):") <= 120:
        return f"class {name}({line}):"
    if len(line) + 4 <= 120:
        return f"class {name}(\n    {line}\n):"
    return f"class {name}(\n" + "".join(f"    {each},\n" for each in arguments) + "):"


def _name(schema: type[Options]) -> str:
    return f"{schema.__name__.removesuffix('Config').removesuffix('Options')}Settings"


def _type(field: FieldInfo) -> str:
    """Return the type of the values that a setting takes from Python."""
    found = kind(field)
    members = [each for each in get_args(field.annotation) if each is not NoneType]
    if found is Literal:
        text = f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in get_args(field.annotation))}]"
    elif found is int:
        text = "int | str" if _reads_text(field, members) else "int"
    else:
        text = "str | int" if found is str and _reads_text(field, members) else TYPES[found]
    return f"{text} | None" if NoneType in get_args(field.annotation) else text


def _reads_text(field: FieldInfo, members: list[Any]) -> bool:
    """Tell whether a validator turns text into the value, or the value into text."""
    inner = get_args(members[0])[1:] if members and get_origin(members[0]) is Annotated else ()
    return any(type(mark).__name__ == "BeforeValidator" for mark in (*field.metadata, *inner))


def _quoted(text: str) -> str:
    lines = textwrap.wrap(f'"""{text[:1].upper()}{text[1:]}."""', 116)
    return textwrap.indent("\n".join(lines), "    ")


if __name__ == "__main__":
    main()
