"""Rows of whatever holds a table: CSV, TSV and JSON Lines; Parquet and Hugging Face datasets with their extras."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtft.data.readers import Nested, read_rows
from mtft.errors import DataError, install_hint

TEXT = (".csv", ".tsv", ".jsonl")
"""Suffixes of files that are read line by line."""

HUB = "hub:"
"""Begins the name of a Hugging Face dataset: ``hub:NAME[@CONFIGURATION]:SPLIT``."""

ALLOWED = f"a file {', '.join(TEXT)} or .parquet, or {HUB}NAME[@CONFIGURATION]:SPLIT"


def is_text(name: str) -> bool:
    """Tell whether a name is that of a file read line by line."""
    return not name.startswith(HUB) and Path(name).suffix in TEXT


def can_read(name: str) -> bool:
    """Tell whether a name is of a form that `named_rows` reads."""
    if not name.startswith(HUB):
        return Path(name).suffix in (*TEXT, ".parquet")
    dataset, colon, split = name.removeprefix(HUB).rpartition(":")
    return bool(all(dataset.partition("@")[::2]) if "@" in dataset else dataset) and bool(colon and split)


def named_rows(name: str, data_dir: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield (place, number, column -> text) of a file in the data directory, or of a dataset.

    Numbers are lines of texts, rows (from 1) of what else there is. A null is "".
    """
    if name.startswith(HUB):
        yield from ((f"{name}:{number}", number, row) for number, row in _hub_rows(name))
        return
    path = data_dir / name
    rows = _parquet_rows(path) if path.suffix == ".parquet" else read_rows(path)
    yield from ((f"{path}:{number}", number, row) for number, row in rows)


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    parquet = _extra("pyarrow.parquet", "parquet", path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        batches = parquet.ParquetFile(path).iter_batches()
        records = (record for batch in batches for record in batch.to_pylist())
        for number, record in enumerate(records, 1):
            yield number, {column: _text(value) for column, value in record.items()}
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise DataError(f"{path}: not a Parquet file that can be read: {' '.join(str(error).split())}") from None


def _hub_rows(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a dataset from a directory or the local cache; labels of a class feature come as their names."""
    datasets = _extra("datasets", "hub", name)
    dataset, _, split = name.removeprefix(HUB).rpartition(":")
    dataset, _, configuration = dataset.partition("@")
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        with _offline():
            found = datasets.load_dataset(dataset, configuration or None, split=split)
    except Exception as error:  # whatever the library raises, the user can mend the name or fetch the dataset
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: not in the local cache, or not a dataset: {reason}; `hf download` fetches") from None
    features: Mapping[str, Any] = found.features
    for number, record in enumerate(found, 1):
        yield number, {column: _text(value, features[column]) for column, value in record.items()}


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the hub's libraries from the network, as their own variable does that must be set before their import."""
    modules: list[Any] = [importlib.import_module(name) for name in ("huggingface_hub.constants", "datasets.config")]
    before = [module.HF_HUB_OFFLINE for module in modules]
    try:
        for module in modules:
            module.HF_HUB_OFFLINE = True
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value


def _text(value: Any, feature: Any = None) -> str:
    """Write a cell as text: nothing for null, nan and the -1 that stands for no class; lists and bytes are no text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if hasattr(feature, "int2str"):
        return str(feature.int2str(value)) if value >= 0 else ""
    return Nested(value) if isinstance(value, list | dict | bytes) else str(value)


def _extra(module: str, name: str, what: object) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{what}: needs: {install_hint(name)} ({error})") from None
