"""One split of one source, tokenized: what training and evaluation read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtft.data.example import Example
from mtft.data.examples import Examples
from mtft.data.tokenization import Tokenizer, TokenTable, Truncation
from mtft.errors import DataError, setting


@dataclass(frozen=True)
class Dataset:
    """Labelled examples of one source.

    `ids` and `keys` have one entry for each of the n rows; a row's key decides its half or share of the data. `table`
    holds the tokens, `targets` [n] the labels, `truncation` what the length limit cut, and `notes` the messages for the
    user (rows left out, texts cut).
    """

    name: str
    ids: Sequence[str]
    keys: Sequence[str]
    table: TokenTable
    targets: NDArray[np.float32]
    truncation: Truncation
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


Tables = dict[tuple[bytes, bool, int], tuple[TokenTable, Truncation]]
"""Tables of tokens, and what the length limit cut, by the digest of their texts and how these are encoded."""


def build_dataset(
    name: str,
    examples: Iterable[Example],
    tokenizer: Tokenizer,
    *,
    apart: bool,
    max_length: int,
    strict: bool,
    tables: Tables | None = None,
) -> Dataset:
    """Tokenize a source's labelled examples.

    Unlabelled rows are left out, and one note counts them; with `strict` they raise a DataError. A source without
    any labelled row raises a DataError. A table that is in `tables` is not made again, and a new one is added.
    """
    rows = examples if isinstance(examples, Examples) else Examples(examples)
    labelled = rows.labelled
    notes = []
    if missing := int((~labelled).sum()):
        first = rows.origin(int(np.argmin(labelled)))
        note = f"{name}: {missing} of {len(rows)} rows have no label (first: {first})"
        if strict:
            raise DataError(f"{note}; {setting('strict', True)} allows none")
        notes.append(f"{note}; left out")
    if missing == len(rows):
        raise DataError(f"{name}: no labelled row (rows: {len(rows)})")
    rows = rows.where(labelled)
    tables = {} if tables is None else tables
    how = (rows.digest_of_texts(), apart, max_length)
    if how not in tables:
        tables[how] = tokenizer.table(rows.all_texts(), apart=apart, max_length=max_length)
    table, truncation = tables[how]
    if truncation.texts_cut:
        notes.append(f"{name}: {truncation}; {setting('max_length')} is {max_length}")
    targets = rows.targets.astype(np.float32)
    return Dataset(name, rows.ids, rows.keys, table, targets, truncation, tuple(notes))


def find_data_dir(given: Path | None, environment: str | None, former: Path | None = None) -> Path:
    """Return the data directory: the given one, else ``$MTFT_DATA_DIR``, else the `former` one if it still exists.

    Without any of them the result is ./data, whether or not it exists.

    A named path that is not a directory raises a DataError, which suggests the sample data.
    """
    if given is not None or environment:
        chosen = given if given is not None else Path(environment or "")
        if not chosen.is_dir():
            origin = setting("data_dir") if given is not None else "$MTFT_DATA_DIR"
            raise DataError(
                f"{origin}: {chosen} is not a directory; {setting('sample', True)} uses the shipped sample data"
            )
        return chosen
    return former if former is not None and former.is_dir() else Path("data")


def sample_dir() -> Path:
    """Return the directory of the shipped sample data."""
    return Path(__file__).parent.parent / "sample"
