"""Read and tokenize the data of sources, in the same way for training, for choosing epochs and for scoring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtft.config.groups import FileOptions
from mtft.data.audit.split_reader import usable_examples
from mtft.data.dataset import Dataset, Tables, build_dataset
from mtft.data.declared_reader import DeclaredReader
from mtft.data.shares import in_share
from mtft.data.tokenization import Tokenizer
from mtft.errors import DataError, setting
from mtft.runtime.notices import Notify, silent
from mtft.tasks.task import Source, Task
from mtft.training.shared_splits import SplitReader


def missing_files(source: Source, split: str, data_dir: Path) -> list[Path]:
    """Return the files of a source that do not exist; none for a reader that names no files."""
    return [path for path in source.files(split, data_dir) if not path.exists()]


@dataclass(frozen=True)
class Loader:
    """Reads splits of sources from `data_dir` and tokenizes them; `notify` reports rows left out and texts cut.

    A `reader` may have read splits before. Sources with the same texts in the same rows, such as several columns of
    labels of one file, share one table of tokens.
    """

    data_dir: Path
    tokenizer: Tokenizer
    max_length: int
    strict: bool = False
    skip_bad_rows: bool = False
    notify: Notify = silent
    reader: SplitReader | None = None
    _tables: Tables = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        config: FileOptions,
        data_dir: Path,
        tokenizer: Tokenizer,
        max_length: int,
        notify: Notify,
        reader: SplitReader | None = None,
    ) -> Loader:
        """Return the loader that settings ask for."""
        return cls(data_dir, tokenizer, max_length, config.strict, config.skip_bad_rows, notify, reader)

    def load_tasks(self, tasks: Iterable[Task], split: str) -> dict[str, Dataset]:
        """Return one split of each task, by its name."""
        return {task.name: self.load(task.source, split) for task in tasks}

    def load(self, source: Source, split: str, share: float = 1.0) -> Dataset:
        """Return one split of one source, or a `share` of its rows.

        DataError if files are missing, rows cannot be read, or no row has a label.
        """
        if missing := missing_files(source, split, self.data_dir):
            raise DataError(f"{source.name}: {missing[0]}: no such file; {_where_to_look(source, split)}")
        rows = (self.reader or SplitReader(self.data_dir)).take(source, split)
        examples, notes = usable_examples(rows, skip_bad_rows=self.skip_bad_rows)
        if share < 1:
            kept = examples.where(np.array([in_share(key, share) for key in examples.keys], np.bool_))
            notes += (f"{source.name}: {len(kept):,} of {len(examples):,} rows are in the share of {share:g}",)
            examples = kept
        if not examples.labelled.any():
            raise DataError(_no_labels(source, split, len(examples), self.data_dir))
        dataset = build_dataset(
            source.name,
            examples,
            self.tokenizer,
            apart=source.input == "apart",
            max_length=self.max_length,
            strict=self.strict,
            tables=self._tables,
        )
        for note in (*notes, *dataset.notes):
            self.notify("info", note)
        return dataset


def _where_to_look(source: Source, split: str) -> str:
    """Return what to change if a file of a source is missing."""
    if isinstance(source.reader, DeclaredReader) and (remedy := source.reader.file_remedy(split)):
        return f"{remedy}, or give {setting('data_dir')}; files beside the settings file are found too"
    data = f"give {setting('data_dir')}, set $MTFT_DATA_DIR"
    return f"{data}, or try the shipped sample data with {setting('sample', True)}"


def _no_labels(source: Source, split: str, rows: int, data_dir: Path) -> str:
    """Return the error text for a split without a labelled row: the files read, and a remedy."""
    files = ", ".join(map(str, source.files(split, data_dir)))
    text = f"{source.name}: {split} has no labelled row (rows: {rows}{f' of {files}' if files else ''})"
    share = getattr(source.reader, "held_out", 0) if split == "dev" else 0
    return f"{text}; dev = {share:g} holds out too few: give a larger share, or a file" if share else text
