"""The format of a data file: what the user sets (`Layout`), and what is detected in the file (`Dialect`)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.data.storage import plain_name
from mtft.errors import ConfigError, setting

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
"""Delimiters of tables and their names; the setting `delimiter` takes either."""

FORMS = {
    ".csv": "table",
    ".tsv": "table",
    ".tab": "table",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "lines",
}
"""File suffixes, and the form that each means."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+")
"""Numbers with a point, and with a decimal comma."""


def form_of(name: str) -> str:
    """Return a file's form by its suffix, which a compression suffix may follow; "" if unknown."""
    form = FORMS.get(Path(plain_name(name)).suffix.casefold(), "")
    return "" if form == "parquet" and plain_name(name) != name else form


@dataclass(frozen=True)
class Layout:
    """The user's settings for a file's form; values that are empty or None are detected in the file.

    If `header` is false, `columns` names the columns. `form` is "table", "jsonl" or "json" if the suffix does not
    decide.
    """

    delimiter: str = ""
    quotes: bool | None = None
    header: bool = True
    columns: tuple[str, ...] = ()
    encoding: str = ""
    decimal: str = ""
    form: str = ""


AS_FOUND = Layout()


class CommaNumber(str):
    """The text of a cell that holds a number with a decimal comma."""

    @property
    def number(self) -> str:
        """The number with a point."""
        return self.replace(",", ".")


def with_point(text: str) -> str:
    """Return the text of a label; in a number, a decimal comma becomes a point."""
    return text.number if isinstance(text, CommaNumber) else text


@dataclass(frozen=True)
class Dialect:
    """How a file is read: detected once per file, from its whole content.

    `form` is "table", "jsonl" or "json" (an array). `names` are a table's columns, and `first` is the line of its first
    record. `line_end` ends lines. `decimal` names the columns whose numbers have a decimal comma; with `any_decimal`
    every column may have some. `swallowing` holds the lines whose open quote swallows other rows. `several` counts the
    rows that span several lines, and `blank` the lines without text. `doubt` says why the file cannot be read ("" if it
    can), and `check` is the kind of that fault.
    """

    form: str
    encoding: str
    compression: str = ""
    line_end: str = "\n"
    delimiter: str = ""
    quotes: bool = False
    quotes_seen: bool = False
    names: tuple[str, ...] = ()
    header: bool = True
    first: int = 1
    decimal: frozenset[str] = frozenset()
    any_decimal: bool = False
    swallowing: frozenset[int] = frozenset()
    several: int = 0
    blank: int = 0
    doubt: str = ""
    check: str = "header"

    def describe(self) -> str:
        """Describe in one line how the file is read."""
        said = []
        if self.form == "table":
            name = DELIMITERS.get(self.delimiter, repr(self.delimiter))
            said.append(f"{name}-separated" if self.delimiter else "one column")
            if self.quotes_seen:
                said.append("fields in quotes" if self.quotes else "quotes are text")
            if self.several:
                said.append(f"{self.several:,} row{'s' if self.several > 1 else ''} over several lines")
            if self.blank and not self.delimiter:
                said.append(f"{self.blank:,} blank line{'s' if self.blank > 1 else ''} left out")
            if not self.header:
                said.append("no header line")
        else:
            said.append("JSON array" if self.form == "json" else "JSON Lines")
        if self.any_decimal:
            said.append("decimal comma")
        elif self.decimal:
            said.append(f"decimal comma in {', '.join(map(repr, sorted(self.decimal)))}")
        said.append("UTF-8" if self.encoding in ("utf-8", "utf-8-sig") else self.encoding.upper())
        if self.line_end == "\r":
            said.append("lines end in a carriage return")
        if self.compression:
            said.append(self.compression)
        return ", ".join(said)

    def cell(self, name: str, text: str) -> str:
        """Return a cell's text, as a `CommaNumber` if it is a number with a decimal comma."""
        if (self.any_decimal or name in self.decimal) and COMMA_NUMBER.fullmatch(text.strip()):
            return CommaNumber(text)
        return text


# ---- checks of settings ----------------------------------------------------------------------------------------------


def _delimiter(value: Any) -> str:
    names = {name: sign for sign, name in DELIMITERS.items()} | {"\\t": "\t"}
    found = names.get(value, value) if isinstance(value, str) else value
    if found not in DELIMITERS:
        allowed = ", ".join(DELIMITERS.values())
        raise ValueError(f"{value!r} is not one of {allowed}, or the sign itself")
    return str(found)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _columns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{value!r} is not a list of column names")
    if twice := [name for index, name in enumerate(value) if name in value[:index]]:
        raise ValueError(f"{twice[0]!r} is given twice")
    return tuple(value)


def _encoding(value: Any) -> str:
    try:
        found = codecs.lookup(value).name
        "".encode(found)
    except (LookupError, TypeError, ValueError):
        raise ValueError(f"{value!r} is not an encoding that Python knows, as in utf-8, utf-16, cp1252") from None
    return "utf-8-sig" if found == "utf-8" else found


def _decimal(value: Any) -> str:
    if value not in (",", "."):
        raise ValueError(f'{value!r} is not "," or "."')
    return str(value)


KEYS: Mapping[str, Callable[[Any], Any]] = {
    "delimiter": _delimiter,
    "quotes": _truth,
    "header": _truth,
    "columns": _columns,
    "encoding": _encoding,
    "decimal": _decimal,
}
"""Settings for a file, and the check of each; ValueError names the allowed values."""


def layout_of(given: Mapping[str, Any]) -> Layout:
    """Make a layout from checked values; ValueError if they contradict each other."""
    found = {key: given[key] for key in KEYS if given.get(key) is not None}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    layout = Layout(**values)
    if not layout.header and not layout.columns:
        raise ValueError("header = false needs columns = [...], the names of the columns")
    if layout.header and layout.columns:
        raise ValueError("columns = [...] names the columns of files without a header line: header = false")
    return layout


def layout_keys(
    delimiter: str = "auto",
    quotes: str = "auto",
    header: bool = True,
    columns: tuple[str, ...] = (),
    encoding: str | None = None,
    decimal: str = "auto",
) -> dict[str, Any]:
    """Return the keys of a table `[tasks.NAME]` for these settings of a command; those left at their default are out.

    ConfigError if they contradict each other or if the encoding is unknown.
    """
    if not header and not columns:
        names = setting("columns", "NAME,...")
        raise ConfigError(f"{setting('header', False)} needs the names of the columns: {names}")
    if header and columns:
        raise ConfigError(
            f"it names the columns of files without a header line; give {setting('header', False)} too",
            setting="columns",
        )
    given: dict[str, Any] = {
        "delimiter": None if delimiter == "auto" else delimiter,
        "quotes": None if quotes == "auto" else quotes == "yes",
        "header": None if header else False,
        "columns": list(columns) or None,
        "encoding": encoding,
        "decimal": {"comma": ",", "point": "."}.get(decimal),
    }
    for key, value in given.items():
        try:
            if value is not None:
                KEYS[key](value)
        except ValueError as error:
            raise ConfigError(str(error), setting=key) from None
    return {key: value for key, value in given.items() if value is not None}


def layout_from(keys: Mapping[str, Any]) -> Layout:
    """Return the layout for what `layout_keys` returns."""
    return layout_of({key: KEYS[key](value) for key, value in keys.items()})
