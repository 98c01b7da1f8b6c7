"""Read the examples of a task that settings declare: one file per split, or a share of train held out for dev."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mtft.data.example import Example, text_key
from mtft.data.formats import is_text, named_rows
from mtft.data.readers import make_example
from mtft.data.shares import hash_fraction
from mtft.errors import DataError
from mtft.outputs import Output


@dataclass(frozen=True)
class DeclaredReader:
    """Reads columns of the file that a split has; `splits` holds (split, name), without dev where that is `held_out`.

    `held_out` is the share of train's rows that are dev: which ones is decided by their texts, so that rows with
    the same texts stay together and adding rows moves no other.
    """

    splits: tuple[tuple[str, str], ...]
    texts: tuple[str, ...]
    label: str
    output: Output
    held_out: float = 0.0
    own_split: str = ""

    def part(self, split: str) -> DeclaredReader:
        """Return the reader whose `example` gives the rows of one split alone."""
        return replace(self, own_split=split)

    def name(self, split: str) -> str:
        """Return what the split is read from, "" if it is not declared."""
        shared = "train" if split == "dev" and self.held_out else split
        return dict(self.splits).get(shared, "")

    @property
    def sparse(self) -> bool:
        """Tell whether rows may lack the key of the label: in JSON Lines that is how a row has none."""
        return self.name(self.own_split).endswith(".jsonl")

    def files(self, split: str, data_dir: Path) -> list[Path]:
        """Return the split's file, if it is one that is read line by line."""
        name = self.name(split)
        return [data_dir / name] if name and is_text(name) else []

    def __call__(self, split: str, data_dir: Path) -> Iterator[Example]:
        own = self.part(split)
        for row in self.rows(split, data_dir):
            if example := own.of_row(*row):
                yield example

    def rows(self, split: str, data_dir: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield (origin, number, row) of a split."""
        name = self.name(split)
        if not name:
            raise DataError(f"no file is declared for split {split!r} (declared: {', '.join(dict(self.splits))})")
        yield from named_rows(name, data_dir)

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Example | None:
        """Make an example of one row of a file, None if it belongs to another split."""
        return self.of_row(f"{path}:{line}", line, row)

    def of_row(self, origin: str, number: int, row: Mapping[str, str]) -> Example | None:
        if self.label not in row and self.sparse:
            row = {**row, self.label: ""}
        found = make_example(origin, number, row, self.texts, self.label, self.output)
        if self.held_out and self.own_split in ("train", "dev"):
            belongs = "dev" if position(found.texts) < self.held_out else "train"
            return found if belongs == self.own_split else None
        return found


def position(texts: Sequence[str]) -> float:
    """Place texts in [0, 1), evenly, without regard to case, white space and order."""
    return hash_fraction(text_key(texts))
