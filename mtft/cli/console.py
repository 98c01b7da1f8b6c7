"""What commands print: data on stdout, everything else on stderr; rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, TextIO

from mtft.cli.streams import tell
from mtft.io.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from mtft.runtime.notices import Level

GAP = 2
"""Spaces between the columns of a table on a terminal."""


def say(text: str = "") -> None:
    """Print a message to stderr, above a progress bar if one is there."""
    if console := rich_console(sys.stderr):
        console.print(printable(text), markup=False, emoji=False, highlight=False, soft_wrap=True)
    else:
        tell(printable(text))


def warn(text: str) -> None:
    """Print a warning to stderr."""
    say(f"mtft: warning: {text}")


def show_notice(level: Level, text: str) -> None:
    """Print a notice to stderr."""
    (warn if level == "warning" else say)(text)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout; columns of numbers are aligned right, None is an empty cell.

    On a terminal that is too narrow for the longest words, each row is printed as a block of lines.
    """
    values = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in values]
    right = [
        any(_is_number(row[i]) for row in values) and all(row[i] is None or _is_number(row[i]) for row in values)
        for i in range(len(headers))
    ]
    if console := rich_console(sys.stdout):
        if widths := _fitting_widths([list(column) for column in zip(headers, *cells, strict=True)], console.width - 2):
            console.print(_rich_table(headers, cells, right, widths))
        else:
            for row in cells:
                console.print(_rich_block(headers, row))
        return
    lines = [list(headers), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    for line in lines:
        parts = [
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        ]
        print("  ".join(parts).rstrip())


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print one JSON document to stdout; with ``indent=None`` on one line. Numbers that are not finite become null."""
    print(printable(json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent)))


def plain(value: Any) -> Any:
    """Turn a value into JSON's own types: dataclasses, settings, arrays, paths and decimals included."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    for method in ("model_dump", "tolist"):  # pydantic; numpy and torch
        if hasattr(value, method):
            return plain(getattr(value, method)())
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


# ---- inside ---------------------------------------------------------------------------------------------------


def rich_console(stream: TextIO) -> Console | None:
    """Return rich's console for a terminal, None for anything else; rich itself honours NO_COLOR."""
    return _rich_console(stream) if stream.isatty() and os.environ.get("TERM") != "dumb" else None


@functools.lru_cache(maxsize=4)
def _rich_console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else printable(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _fitting_widths(columns: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return column widths that break no word and leave gaps between columns; None if the terminal is too narrow."""
    widths = [max(len(word) for text in column for word in [*text.split(), ""]) for column in columns]
    wanted = [max(map(len, column)) - width for column, width in zip(columns, widths, strict=True)]
    left = room - sum(widths) - GAP * (len(columns) - 1)
    if left < 0:
        return None
    order = sorted(range(len(columns)), key=wanted.__getitem__)  # the narrowest columns get their full width first
    for position, column in enumerate(order):
        given = min(wanted[column], left // (len(order) - position))
        widths[column] += given
        left -= given
    return widths


def _rich_table(
    headers: Sequence[str], cells: Iterable[Sequence[str]], right: Sequence[bool], widths: Sequence[int]
) -> Any:
    """Return a table with columns of these widths."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for header, flush, width in zip(headers, right, widths, strict=True):
        justify: Literal["left", "right"] = "right" if flush else "left"
        grid.add_column(Text(header), justify=justify, overflow="fold", width=width)  # nothing is cut
    for row in cells:
        grid.add_row(*map(Text, row))
    return grid


def _rich_block(headers: Sequence[str], row: Sequence[str]) -> Any:
    """Return one row as a line for each of its columns that is not empty, and an empty line."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, GAP, 0, 0))
    for header, text in zip(headers, row, strict=True):
        if text:
            grid.add_row(Text(header, style="dim"), Text(text, overflow="fold"))
    grid.add_row("", "")
    return grid


def duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
