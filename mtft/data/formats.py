"""Rows of all supported data: text files, and with optional extras Parquet files and Hugging Face datasets."""

from __future__ import annotations

import glob
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mtft.data.dialect import AS_FOUND, COMMA_NUMBER, CommaNumber, Dialect, Layout, form_of
from mtft.data.parquet import cell_text, extra, parquet_columns, parquet_rows
from mtft.data.readers import RowError, no_column, open_file, read_rows
from mtft.errors import DataError

TEXT = ("table", "jsonl", "json")
"""Forms of files that hold text."""

HUB = "hub:"
"""Prefix of the name of a Hugging Face dataset: ``hub:NAME[@CONFIGURATION]:SPLIT``."""

ALLOWED = f"a file .csv, .tsv, .jsonl, .json (also .gz, .zst) or .parquet, or {HUB}NAME[@CONFIGURATION]:SPLIT"

Names = str | Sequence[str]
"""The file or files of a split; each may be a pattern such as ``part-*.csv``."""


def is_text(name: str) -> bool:
    """Return whether a name is that of a text file."""
    return not name.startswith(HUB) and form_of(name) in TEXT


def can_read(name: str) -> bool:
    """Return whether `named_rows` can read a name of this form."""
    if not name.startswith(HUB):
        return form_of(name) in (*TEXT, "parquet")
    dataset, colon, split = name.removeprefix(HUB).rpartition(":")
    return bool(all(dataset.partition("@")[::2]) if "@" in dataset else dataset) and bool(colon and split)


def expand(names: Names, data_dir: Path) -> list[str]:
    """Return the files that names and patterns match; the files of a pattern are sorted by name.

    A pattern without a match is returned unchanged, as the name of a missing file. DataError if a file is given twice.
    """
    found: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        magic = not name.startswith(HUB) and glob.has_magic(name) and not (data_dir / name).exists()
        fits = sorted(glob.glob(name, root_dir=data_dir)) if magic else []
        found += fits or [name]
    for name in found:
        if found.count(name) > 1:
            raise DataError(f"{name}: given twice for one split")
    return found


def named_rows(
    name: str, data_dir: Path, layout: Layout = AS_FOUND, columns: Sequence[str] | None = None
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield (origin, number, column -> text) for each row of a file in the data directory, or of a dataset.

    Numbers are lines in text files, and rows (from 1) in other data. A null is "". With `columns`, other columns need
    not be read, and a column missing from a Parquet file raises a DataError.
    """
    if is_text(name) or not can_read(name):
        path = data_dir / name
        yield from ((f"{path}:{number}", number, row) for number, row in read_rows(path, layout))
        return
    location = name if name.startswith(HUB) else str(data_dir / name)
    rows = _hub_rows(name) if name.startswith(HUB) else _checked_rows(data_dir / name, columns)
    for number, row in rows:
        if layout.decimal == ",":
            row = {column: CommaNumber(text) if COMMA_NUMBER.fullmatch(text) else text for column, text in row.items()}
        yield f"{location}:{number}", number, row


def readings(names: Iterable[str], data_dir: Path, layout: Layout = AS_FOUND) -> list[str]:
    """Return lines that describe how text files are read; unreadable files are left out."""
    found: dict[Path, Dialect] = {}
    for name in names:
        for file in expand(name, data_dir):
            if is_text(file):
                with suppress(DataError):
                    found[data_dir / file], _ = open_file(data_dir / file, layout)
    return reading_lines(found)


def readings_of(reader: Any, split: str, data_dir: Path) -> list[str]:
    """Return lines that describe how the files of a split are read; none if the reader does not list its files."""
    files = reader.files(split, data_dir) if hasattr(reader, "files") else []
    layout = getattr(reader, "layout", AS_FOUND)
    return readings([str(path) for path in files], Path(), layout)


def reading_lines(dialects: Mapping[Path, Dialect]) -> list[str]:
    """Return a line for each dialect, with the names of its files."""
    groups: dict[str, list[str]] = {}
    for path, dialect in dialects.items():
        groups.setdefault(dialect.describe(), []).append(str(path))
    return [f"{_few(paths)}: read as {described}" for described, paths in groups.items()]


def _few(paths: Sequence[str]) -> str:
    """Name files; those in the first file's directory by name only, and of many files only the first and the count."""
    first = Path(paths[0])
    names = [paths[0], *(Path(path).name if Path(path).parent == first.parent else path for path in paths[1:])]
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} and {len(names) - 1} more files"


def _checked_rows(path: Path, columns: Sequence[str] | None) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a Parquet file; DataError if a requested column is missing."""
    names = parquet_columns(path)
    if lacking := [name for name in columns or () if name not in names]:
        raise RowError("columns", str(path), no_column(lacking[0], names), column=lacking[0])
    yield from parquet_rows(path, columns and (*columns, "id"))


def _hub_rows(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a dataset from a directory or the local cache; labels of a class feature are replaced by their names."""
    datasets = extra("datasets", "hub", name)
    dataset, _, split = name.removeprefix(HUB).rpartition(":")
    dataset, _, configuration = dataset.partition("@")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        with _offline():
            found = datasets.load_dataset(dataset, configuration or None, split=split)
    except Exception as error:  # whatever the library raises, the remedy is to correct the name or to fetch the dataset
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: not in the local cache, or not a dataset: {reason}; `hf download` fetches") from None
    features: Mapping[str, Any] = found.features
    for number, record in enumerate(found, 1):
        yield number, {column: cell_text(value, features[column]) for column, value in record.items()}


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the hub's libraries offline, like their own variable, which must be set before their import."""
    modules: list[Any] = [importlib.import_module(name) for name in ("huggingface_hub.constants", "datasets.config")]
    before = [module.HF_HUB_OFFLINE for module in modules]
    try:
        for module in modules:
            module.HF_HUB_OFFLINE = True
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value
