"""Rows of Parquet files; only the requested columns are read."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mtft.data.json_rows import Nested
from mtft.data.sniff import column_twice
from mtft.errors import DataError, install_hint


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a file's columns; DataError if a name appears twice."""
    with _opened(path) as file:
        return _names(path, file)


def parquet_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row from 1, column -> text) with those of these columns that the file has, by default all.

    A cell that cannot become text (a date out of range, an unknown time zone) is `Nested`, like a list.
    """
    with _opened(path) as file:
        names = _names(path, file)
        chosen = [name for name in names if columns is None or name in columns]
        number = 0
        for batch in _batches(path, file, chosen):
            cells = [_cells(batch, name) for name in chosen]
            for row in range(batch.num_rows):
                number += 1
                yield number, {name: column[row] for name, column in zip(chosen, cells, strict=True)}


def _opened(path: Path) -> Any:
    parquet = extra("pyarrow.parquet", "parquet", path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        return parquet.ParquetFile(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever the library raises, the file is damaged or not Parquet
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{path}: not a Parquet file that can be read: {reason}")


def _names(path: Path, file: Any) -> list[str]:
    names = list(file.schema_arrow.names)
    if twice := column_twice(names):
        raise DataError(f"{path}: {twice}")
    return names


def _batches(path: Path, file: Any, columns: Sequence[str]) -> Iterator[Any]:
    batches = file.iter_batches(columns=list(columns))
    while True:
        try:
            batch = next(batches, None)
        except MemoryError:
            raise
        except Exception as error:
            raise _unreadable(path, error) from None
        if batch is None:
            return
        yield batch


def _cells(batch: Any, name: str) -> list[str]:
    column = batch.column(batch.schema.names.index(name))
    try:
        return [cell_text(value) for value in column.to_pylist()]
    except MemoryError:
        raise
    except Exception:  # one bad cell makes the conversion of all fail
        return [_single(cell) for cell in column]


def _single(cell: Any) -> str:
    try:
        return cell_text(cell.as_py())
    except Exception:
        return Nested(f"a {cell.type} that cannot be read")


class Null(str):
    """The empty text of a cell without a value."""


def cell_text(value: Any, feature: Any = None) -> str:
    """Return a cell as text: empty for null, NaN and class -1 (no label); `Nested` for lists and bytes."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Null()
    if hasattr(feature, "int2str"):
        return str(feature.int2str(value)) if value >= 0 else ""
    return Nested(value) if isinstance(value, list | dict | bytes) else str(value)


def extra(module: str, name: str, what: object) -> Any:
    """Import a module of an optional extra; DataError says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{what}: needs: {install_hint(name)} ({error})") from None
