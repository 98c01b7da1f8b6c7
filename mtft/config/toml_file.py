"""Read a settings file: a TOML table with exact numbers; what is wrong with it becomes a list of problems."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from mtft.errors import ConfigError
from mtft.io import toml_parser

SIZE_LIMIT = 1_000_000
"""Largest size of a settings file in bytes."""


def read_table(file: Path, problems: list[str]) -> dict[str, Any]:
    """Return the table of a TOML file, empty if it cannot be read; hyphens in keys are underscores."""
    try:
        with file.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            raise ConfigError(f"larger than {SIZE_LIMIT} bytes")
        table = toml_parser.loads(content.decode("utf-8-sig"), parse_float=exact_number)
    except OSError as error:
        problems.append(f"cannot read {file}: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError as error:
        problems.append(f"{file}: not UTF-8 (byte {error.start})")
    except ConfigError as error:
        problems.append(f"{file}: {error}")
    except (ValueError, RecursionError) as error:  # bad TOML, and numbers or nesting beyond Python's limits
        problems.append(f"{file}: not TOML: {error}")
    else:
        return _normalised(table, file, problems)
    return {}


def exact_number(text: str) -> Decimal | float:
    """Return a TOML float as the exact decimal."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return float(text)


def _normalised(table: Mapping[str, Any], file: Path, problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for written, value in table.items():
        key = written.replace("-", "_")
        if key in values:
            problems.append(f"{file}: {written}: the key is given twice, with a hyphen and with an underscore")
        values[key] = value
    return values
