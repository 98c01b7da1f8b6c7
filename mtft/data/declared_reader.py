"""Read the examples of a task declared in settings: one file per split, or splits as parts of the train file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from mtft.data.audit.reading import open_reading
from mtft.data.dialect import AS_FOUND, Layout, form_of
from mtft.data.example import Example
from mtft.data.formats import HUB, expand, is_text, named_rows
from mtft.data.held_out import HeldOut, Strata, Stratum, advice, hold_out, position, too_few
from mtft.data.json_rows import Nested
from mtft.data.labels import LOOK, appearance, canonical, told_apart, visible
from mtft.data.readers import RowError, make_example, no_column
from mtft.errors import DataError
from mtft.outputs import Output


@dataclass(frozen=True)
class SplitColumn:
    """A column that gives the split of each row: `values` are pairs (value, split), with split "" for unused rows."""

    name: str
    values: tuple[tuple[str, str], ...]

    @property
    def splits(self) -> set[str]:
        """The splits that the column names."""
        return {split for _, split in self.values if split}

    def split_of(self, row: Mapping[str, str], origin: str) -> str:
        """Return the split of a row, "" if it is not used; RowError for an unknown value."""
        if self.name not in row:
            raise RowError("columns", origin, no_column(self.name, list(row)), column=self.name)
        value = row[self.name].strip()
        for known, split in self.values:
            if value == known:
                return split
        allowed = ", ".join(visible(known) for known, _ in self.values)
        raise RowError("split-invalid", origin, f"column {self.name!r}: {visible(value)} is no split: {allowed}")


Files = str | tuple[str, ...]
"""The file or files of a split; each may be a pattern."""


def _listed(files: Files) -> tuple[str, ...]:
    return ((files,) if files else ()) if isinstance(files, str) else files


@dataclass(frozen=True)
class DeclaredReader:
    """Reads columns of a split's files; `splits` holds (split, files) of the splits that have files of their own.

    `column` separates splits inside the train file. `held_out` is the share of the train rows used as dev, chosen by
    their texts alone or, with `strata`, as in `mtft.data.held_out`; rows with the same texts stay together. Labels in
    `missing` mean no label; `aliases` are pairs of a label as written and the name that it means. `layout` sets the
    parts of the files' form that need not be detected. `table` names the declaration, as in "[tasks.mood] of run.toml".
    """

    splits: tuple[tuple[str, Files], ...]
    texts: tuple[str, ...]
    label: str
    output: Output
    held_out: float = 0.0
    own_split: str = ""
    strata: Strata | None = None
    column: SplitColumn | None = None
    missing: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    layout: Layout = AS_FOUND
    table: str = field(default="", compare=False, repr=False)
    chosen: HeldOut | None = field(default=None, compare=False, repr=False)
    trouble: str = field(default="", compare=False)

    def part(self, split: str) -> DeclaredReader:
        """Return a reader whose `example` returns only the rows of one split."""
        return replace(self, own_split=split)

    def opened(self, data_dir: Path) -> DeclaredReader:
        """Return a reader that knows which rows are held out.

        If the share cannot be stratified, its `trouble` says why, and rows are chosen by their texts alone.
        """
        if not (self.held_out and self.strata and self.own_split in ("train", "dev")) or self.chosen:
            return self
        found = _choose(self, data_dir)
        names = self.output.describe().get("names")
        meanings = {label: self.meant(str(label)) if names else "the whole" for label in found.labels(self.label)}
        if short := too_few(found, self.label, {label: name for label, name in meanings.items() if name}):
            train = ", ".join(_listed(self.name("train")))
            return replace(self, strata=None, trouble=advice(train, self.label, self.held_out, short))
        return replace(self, chosen=found)

    def name(self, split: str) -> Files:
        """Return the declared source of a split, "" if there is none."""
        inside = (split == "dev" and self.held_out) or (self.column and split in self.column.splits)
        return dict(self.splits).get("train" if inside else split, "")

    def files(self, split: str, data_dir: Path) -> list[Path]:
        """Return the split's text files."""
        return [data_dir / name for name in expand(_listed(self.name(split)), data_dir) if is_text(name)]

    def __call__(self, split: str, data_dir: Path) -> Iterator[Example]:
        own = self.part(split).opened(data_dir)
        if own.trouble:
            raise DataError(own.trouble)
        for row in self.rows(split, data_dir):
            if example := own.of_row(*row):
                yield example

    def rows(self, split: str, data_dir: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield (origin, number, row) of a split."""
        if not self.name(split):
            raise DataError(f"no file is declared for split {split!r} (declared: {', '.join(dict(self.splits))})")
        yield from self._named_rows(expand(_listed(self.name(split)), data_dir), data_dir)

    def rows_of_other_files(self, split: str, data_dir: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Yield (origin, number, row) of a split's data other than the text files in `files`."""
        names = expand(_listed(self.name(split)), data_dir)
        yield from self._named_rows([name for name in names if not is_text(name)], data_dir)

    def _named_rows(self, names: Sequence[str], data_dir: Path) -> Iterator[tuple[str, int, dict[str, str]]]:
        try:
            for name in names:
                yield from named_rows(name, data_dir, self.layout, self._columns)
        except RowError as error:
            raise self._with_remedy(error) from None

    @property
    def _columns(self) -> tuple[str, ...]:
        return (*self.texts, self.label, *((self.column.name,) if self.column else ()))

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Example | None:
        """Make an example from one row of a file, None if it belongs to another split."""
        return self.of_row(f"{path}:{line}", line, row)

    def of_row(self, origin: str, number: int, row: Mapping[str, str]) -> Example | None:
        """Make an example from one row, None if it belongs to another split."""
        try:
            return self._of_row(origin, number, row)
        except RowError as error:
            raise self._with_remedy(error) from None

    def _of_row(self, origin: str, number: int, row: Mapping[str, str]) -> Example | None:
        held_out = self.held_out and self.own_split in ("train", "dev")
        parted = self.column is not None and (held_out or self.own_split in self.column.splits)
        if self.column and parted and self.column.split_of(row, origin) != ("train" if held_out else self.own_split):
            return None
        found = self._example(origin, number, row)
        if held_out:
            belongs = "dev" if self._is_held_out(position(found.texts)) else "train"
            return found if belongs == self.own_split else None
        return found

    def _is_held_out(self, point: float) -> bool:
        if not self.strata:
            return point < self.held_out
        if not self.chosen:
            raise ValueError("opened() must be called before rows are divided")
        return point in self.chosen.positions

    def _example(self, origin: str, number: int, row: Mapping[str, str]) -> Example:
        file = Path(origin.rpartition(":")[0])
        if self.label not in row and form_of(file.name) in ("json", "jsonl"):
            row = {**row, self.label: ""}
        written = row.get(self.label, "")
        if not isinstance(written, Nested) and (label := self.meant(written)) != written.strip():
            row = {**row, self.label: label}
        several = not isinstance(self.name(self.own_split or "train"), str)
        line = f"{file.name}:{number}" if several else number
        try:
            return make_example(origin, line, row, self.texts, self.label, self.output, self.layout)
        except RowError as error:
            if error.check != "label-invalid":
                raise
            raise RowError(error.check, origin, f"{error.text}{self._near(written)}") from None

    def _with_remedy(self, error: RowError) -> RowError:
        """Return the error about a missing column with the key of the declaration that names the column."""
        if not error.column:
            return error
        remedy = self.column_remedy(error.column)
        return RowError(error.check, error.origin, error.text, column=error.column, remedy=remedy)

    def column_remedy(self, column: str) -> str:
        """Return what to change if a column is missing: the key of the declaration that names it."""
        split = self.column is not None and column == self.column.name and column not in (*self.texts, self.label)
        key = "split" if split else "text" if column in self.texts else "label"
        return f"change {key} = ... in {self.table}" if self.table else ""

    def file_remedy(self, split: str) -> str:
        """Return what to change if a file of a split is missing: the key of the declaration that names it."""
        key = split if split in dict(self.splits) else "train"
        return f"change {key} = ... in {self.table}" if self.table else ""

    def meant(self, written: str) -> str:
        """Return the label of a cell: "" for no label, the name for an alias."""
        label = written.strip()
        if label in self.missing or canonical(label) in map(canonical, self.missing):
            return ""
        return dict(self.aliases).get(label, label)

    def _near(self, written: str) -> str:
        """Return a hint at the label that an unknown label looks like."""
        names = self.output.describe().get("names", [])
        same = [name for name in names if appearance(name) == appearance(written)]
        if not same:
            return ""
        return (
            f"; {' differs from '.join(told_apart((written.strip(), same[0])))} only in {LOOK}: mend it, or name it in "
            f"aliases"
        )


# ---- which rows are held out -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """What decides which rows are held out, besides the files."""

    texts: tuple[str, ...]
    layout: Layout
    column: SplitColumn | None
    strata: Strata
    share: float


def _choose(reader: DeclaredReader, data_dir: Path) -> HeldOut:
    """Choose the rows that are held out; an unchanged file is read only once."""
    names = tuple(expand(_listed(reader.name("train")), data_dir))
    stamps, strata = tuple(_stamp(name, data_dir) for name in names), reader.strata or Strata()
    return _chosen(names, data_dir, stamps, _Rule(reader.texts, reader.layout, reader.column, strata, reader.held_out))


def _stamp(name: str, data_dir: Path) -> tuple[int, int]:
    """Return a value that changes when a file changes."""
    path = data_dir / name
    if name.startswith(HUB) or not path.is_file():
        return 0, 0
    return path.stat().st_mtime_ns, path.stat().st_size


@lru_cache(maxsize=8)
def _chosen(
    names: tuple[str, ...],
    data_dir: Path,
    stamps: tuple[tuple[int, int], ...],  # noqa: ARG001 - part of the cache key
    rule: _Rule,
) -> HeldOut:
    """Choose the rows of files that are held out; `stamps` change when the files change."""
    return hold_out(_positions(names, data_dir, rule), rule.share)


def _positions(names: tuple[str, ...], data_dir: Path, rule: _Rule) -> Iterator[tuple[float, list[Stratum]]]:
    """Yield the position and strata of each readable training row."""
    column, strata = rule.column, rule.strata
    wanted = (*rule.texts, *strata.classes, *strata.numbers, *((column.name,) if column else ()))
    for name in names:
        for origin, row in _readable(name, data_dir, rule.layout, wanted):
            try:
                used = not column or column.split_of(row, origin) == "train"
            except RowError:
                continue
            if used and all(text in row for text in rule.texts):
                yield position([row[text] for text in rule.texts]), strata.of(row)


def _readable(
    name: str, data_dir: Path, layout: Layout, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield (origin, row) of all readable rows; unreadable rows are reported when the examples are read."""
    if is_text(name):
        for row in open_reading(data_dir / name, layout).all_rows():
            if not row.trouble:
                yield f"{data_dir / name}:{row.line}", row.fields
        return
    try:
        for origin, _, fields in named_rows(name, data_dir, layout, wanted):
            yield origin, fields
    except DataError:
        return
