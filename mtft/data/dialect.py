"""How a file writes its rows: what its user says of it (`Layout`), and what was found in it (`Dialect`)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.data.storage import plain_name

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
"""What may part the fields of a table, and its name; also what `delimiter` may be given as."""

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
"""Suffixes of files, and the form that each stands for."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+")
"""Numbers with a point, and with a decimal comma."""


def form_of(name: str) -> str:
    """Return the form of a file by its suffix, behind which the one of a compression may stand; "" if unknown."""
    form = FORMS.get(Path(plain_name(name)).suffix.casefold(), "")
    return "" if form == "parquet" and plain_name(name) != name else form


@dataclass(frozen=True)
class Layout:
    """What is said of a file's form; what is empty or None is found in the file.

    Without `header`, `columns` names the columns. `form` is "table", "jsonl" or "json" where the suffix does not
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
    """The text of a cell that is a number with a decimal comma."""

    @property
    def number(self) -> str:
        """The number with a point."""
        return self.replace(",", ".")


def with_point(text: str) -> str:
    """Return the text of a label, a number with a decimal comma with a point."""
    return text.number if isinstance(text, CommaNumber) else text


@dataclass(frozen=True)
class Dialect:
    """How a file is read: found once per file, from the whole of it.

    `form` is "table", "jsonl" or "json" (an array). A table has its `names`, and its first record is line `first`.
    `line_end` is what ends lines, `decimal` names the columns whose numbers have a decimal comma (every column may
    have some if `any_decimal`). `swallowing` has the lines of quotes that swallow other rows, `several`
    counts rows over several lines. `doubt` says why the file cannot be read, or "", `check` of what kind that is.
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
    doubt: str = ""
    check: str = "header"

    def describe(self) -> str:
        """Say in one line how the file is read."""
        said = []
        if self.form == "table":
            name = DELIMITERS.get(self.delimiter, repr(self.delimiter))
            said.append(f"{name}-separated" if self.delimiter else "one column")
            if self.quotes_seen:
                said.append("fields in quotes" if self.quotes else "quotes are text")
            if self.several:
                said.append(f"{self.several:,} row{'s' if self.several > 1 else ''} over several lines")
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
        """Return a cell's text, marked if it is a number with a decimal comma."""
        if (self.any_decimal or name in self.decimal) and COMMA_NUMBER.fullmatch(text.strip()):
            return CommaNumber(text)
        return text


# ---- what settings say -----------------------------------------------------------------------------------------------


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
    if twice := [name for place, name in enumerate(value) if name in value[:place]]:
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
"""What may be said of a file, and the check of each; ValueError says what is allowed."""


def layout_of(given: Mapping[str, Any]) -> Layout:
    """Make a layout of checked values; ValueError if they do not go together."""
    found = {key: given[key] for key in KEYS if given.get(key) is not None}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    layout = Layout(**values)
    if not layout.header and not layout.columns:
        raise ValueError("header = false needs columns = [...], the names of the columns")
    if layout.header and layout.columns:
        raise ValueError("columns = [...] names the columns of files without a header line: header = false")
    return layout
