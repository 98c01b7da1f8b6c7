"""One split of one source, read row by row: its examples, and the rows and files that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mtft.data.audit.findings import brief
from mtft.data.audit.reading import SplitReading, open_reading
from mtft.data.dialect import AS_FOUND, Layout, form_of
from mtft.data.example import Example, fault
from mtft.data.examples import Examples
from mtft.data.readers import RowError, no_column
from mtft.data.rows import Row
from mtft.errors import DataError, PluginError, plugin_guard, setting

LONGEST = 500
"""Most characters of a reader's message that are shown; a message may quote a whole field."""

Reader = Callable[[str, Path], Iterable[Example]]


BLOCK = 1000
"""Rows of a file that one source takes before the next does."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row or, with `whole`, a file that cannot be read; `check` names the kind of fault, `remedy` what to change.

    `begin` is the row's first byte, if it is known.
    """

    check: str
    origin: str
    text: str
    whole: bool = False
    remedy: str = ""
    begin: int = field(default=-1, compare=False)


@dataclass(frozen=True)
class Split:
    """The content of a source's files for one split.

    `output` is the meaning of its labels, if known. `evaluated` is true if scores are computed on this source,
    `by_label` if its rows are chosen by label, and `by_row` if the rows after a bad row were read.
    """

    source: str
    split: str
    scans: tuple[SplitReading, ...]
    examples: Examples
    problems: tuple[RowProblem, ...]
    output: Any = None
    evaluated: bool = False
    by_label: bool = False
    by_row: bool = True


@dataclass(frozen=True)
class Request:
    """What to read: a source's reader, the split, and the number of texts that its examples must have."""

    source: str
    split: str
    reader: Reader
    texts: int
    evaluated: bool = False


def read_split(
    source: str, split: str, reader: Reader, data_dir: Path, texts: int, *, evaluated: bool = False
) -> Split:
    """Read all readable rows.

    A reader that turns single rows into examples (method `example`, as in `TableReader`) loses only the bad rows. If
    another reader lists its `files`, their form is checked, and the examples before its first error are kept. Any
    other failure of a reader, or an example without the right number of `texts`, raises a PluginError.
    """
    (found,) = read_together([Request(source, split, reader, texts, evaluated)], data_dir)
    return found


def read_together(requests: Sequence[Request], data_dir: Path) -> list[Split]:
    """Read several splits as `read_split` does; files that several of them share are read once."""
    collectors = [_Collector(request, data_dir) for request in requests]
    alike: dict[tuple[tuple[Path, ...], Layout], list[_Collector]] = {}
    for each in collectors:
        alike.setdefault((each.files, each.layout), []).append(each)
    for (files, layout), group in alike.items():
        for path in files:
            _read_file(open_reading(path, layout), group)
    return [each.finish() for each in collectors]


def _read_file(reading: SplitReading, group: Sequence[_Collector]) -> None:
    """Let each collector take the rows of a file, block by block."""
    for each in group:
        each.begin(reading)
    rows = reading.all_rows()
    while block := list(islice(rows, BLOCK)):
        for each in group:
            each.take(reading, block)
    for each in group:
        each.end(reading)


class _Collector:
    """Makes one split of the rows that it is given."""

    def __init__(self, request: Request, data_dir: Path) -> None:
        self.request, self.data_dir, self.what = request, data_dir, f"source {request.source!r}: its reader"
        with self._guard():
            reader: Any = request.reader
            reader = reader.part(request.split) if hasattr(reader, "part") else reader
            list_files: Callable[..., list[Path]] = getattr(reader, "files", lambda *_: [])
            self.files = tuple(map(Path, list_files(request.split, data_dir)))
            self.layout = getattr(reader, "layout", AS_FOUND)
            self.reader = reader.opened(data_dir) if hasattr(reader, "opened") else reader
            self.parse = getattr(self.reader, "example", None) if self.files else None
        self.scans: list[SplitReading] = []
        self.examples, self.problems = Examples(), list[RowProblem]()
        self._whole, self._mark = False, (0, 0)

    def _guard(self) -> AbstractContextManager[None]:
        return plugin_guard(self.what, self.request.source)

    def begin(self, reading: SplitReading) -> None:
        """Begin a file; one that cannot be read is a problem."""
        self.scans.append(reading)
        self._whole, self._mark = False, (len(self.examples), len(self.problems))

    def take(self, reading: SplitReading, rows: Sequence[Row]) -> None:
        """Take rows of a file: the bad ones as problems, the others as examples if the reader makes these.

        A table without a needed column gives one problem, and no more of its rows are taken.
        """
        with self._guard():
            for row in rows:
                if self._whole:
                    return
                if row.trouble:
                    origin = f"{reading.path}:{row.line}"
                    self.problems.append(RowProblem(row.trouble.check, origin, row.trouble.text, begin=row.begin))
                elif self.parse:
                    found = _parsed(self.parse, reading.path, row.line, row.fields, table=bool(reading.names))
                    self._add(replace(found, begin=row.begin) if isinstance(found, RowProblem) else found)

    def end(self, reading: SplitReading) -> None:
        """End a file; if it cannot be read as a whole, its rows are void."""
        if reading.trouble:
            self.examples.cut(self._mark[0])
            del self.problems[self._mark[1] :]
            location = str(reading.path) if reading.trouble.check == "file" else f"{reading.path}:1"
            text = brief(reading.trouble.text, LONGEST)
            self.problems.append(RowProblem(reading.trouble.check, location, text, whole=True))

    def _add(self, found: Example | RowProblem | None) -> None:
        if isinstance(found, RowProblem):
            self.problems.append(found)
            self._whole = found.whole
        elif found is not None:
            if wrong := fault(found, self.request.texts):
                text = f"{self.what} gave no example for {self.request.split}: {brief(wrong, LONGEST)}"
                raise PluginError(text, self.request.source)
            self.examples.append(found)

    def finish(self) -> Split:
        """Return the split, after what the reader gives besides the rows of text files."""
        reader, split, scans = self.reader, self.request.split, tuple(self.scans)
        with self._guard():
            if self.parse is None:
                for found in _given(reader, split, self.data_dir, broken=bool(self.problems)):
                    self._add(found)
            elif hasattr(reader, "rows_of_other_files"):
                for found in _each(reader, reader.rows_of_other_files(split, self.data_dir)):
                    self._add(found)
        problems = _once(self.problems, len(self.examples))
        problems += _label_nowhere(scans, reader) if not problems else []
        if remedy := reader.file_remedy(split) if hasattr(reader, "file_remedy") else "":
            problems = [replace(each, remedy=remedy) if each.check == "file" else each for each in problems]
        if trouble := getattr(reader, "trouble", ""):
            problems.append(RowProblem("held-out", "", trouble, whole=True))
        return Split(
            self.request.source,
            split,
            scans,
            self.examples,
            tuple(problems),
            output=getattr(reader, "output", None),
            evaluated=self.request.evaluated,
            by_label=getattr(reader, "above", None) is not None,
            by_row=not scans or self.parse is not None,
        )


def _once(problems: list[RowProblem], examples: int) -> list[RowProblem]:
    """Return one problem for all rows if a column is missing in every row."""
    if examples or len(problems) < 2 or len({(each.check, each.text) for each in problems}) > 1:
        return problems
    first = problems[0]
    if first.check != "columns":
        return problems
    return [replace(first, text=f"{first.text}; all {len(problems):,} rows lack it", whole=True)]


def _label_nowhere(scans: Sequence[SplitReading], reader: Any) -> Iterator[RowProblem]:
    """Yield a problem if no object of the JSON files has the key of the label, which single objects may lack."""
    label, rows = getattr(reader, "label", None), sum(scan.readable for scan in scans)
    json = all(form_of(scan.path.name) in ("json", "jsonl") for scan in scans)
    keys = list(dict.fromkeys(key for scan in scans for key in scan.keys))
    if label is None or not json or not rows or label in keys:
        return
    remedy = reader.column_remedy(label) if hasattr(reader, "column_remedy") else ""
    text = f"{no_column(label, keys)}; all {rows:,} rows lack it"
    yield RowProblem("columns", str(scans[0].path), text, whole=True, remedy=remedy)


def _parsed(parse: Callable[..., Example | None], *row: Any, table: bool) -> Example | RowProblem | None:
    """Turn one row into an example or a problem; a column missing from a `table` is one problem for all rows."""
    try:
        return parse(*row)
    except RowError as error:
        whole = table and error.check == "columns"
        return RowProblem(error.check, error.origin, brief(error.text, LONGEST), whole, error.remedy)


def _given(reader: Any, split: str, data_dir: Path, *, broken: bool) -> Iterator[Example | RowProblem]:
    """Collect a reader's examples; its error is reported unless one of the files is known to be broken.

    A reader that yields rows of files that are not text (`rows`), and turns single rows into examples (`of_row`),
    loses only the bad rows.
    """
    try:
        if hasattr(reader, "rows"):
            yield from _each(reader, reader.rows(split, data_dir))
            return
        yield from reader(split, data_dir)
    except DataError as error:
        if not broken:
            yield _whole(error)


def _each(reader: Any, rows: Iterable[tuple[str, int, Any]]) -> Iterator[Example | RowProblem]:
    """Turn rows into examples one by one, up to the first error that would affect all rows."""
    try:
        for row in rows:
            if found := _parsed(reader.of_row, *row, table=True):
                yield found
                if isinstance(found, RowProblem) and found.whole:
                    return
    except DataError as error:
        yield _whole(error)


def _whole(error: DataError) -> RowProblem:
    check = error.check if isinstance(error, RowError) else "reader"
    origin, text = (error.origin, error.text) if isinstance(error, RowError) else ("", str(error))
    return RowProblem(check, origin, brief(text, LONGEST), whole=True, remedy=getattr(error, "remedy", ""))


def usable_examples(found: Split, *, skip_bad_rows: bool) -> tuple[Examples, tuple[str, ...]]:
    """Return the training examples and notes for the user.

    An unreadable file raises a DataError. So does a bad row, unless `skip_bad_rows` is set: then one note counts the
    bad rows.
    """
    whole = [problem for problem in found.problems if problem.whole]
    if whole:
        raise DataError(_worded(whole[0]))
    if not found.problems:
        return found.examples, ()
    first, count = found.problems[0], len(found.problems)
    if skip_bad_rows and not found.by_row:
        raise DataError(
            f"{_worded(first)}; the reader of {found.source!r} cannot leave out rows ({setting('skip_bad_rows')})"
        )
    if not skip_bad_rows:
        more = f", and {count - 1} more bad rows" if count > 1 else ""
        raise DataError(f"{_worded(first)}{more}; {setting('skip_bad_rows', True)} leaves such rows out")
    rows = sum(scan.rows for scan in found.scans) or len(found.examples) + count
    note = f"{found.source}: {count} of {rows} rows of {found.split} are bad (first: {_worded(first)}); left out"
    return found.examples, (note,)


def _worded(problem: RowProblem) -> str:
    text = f"{problem.origin}: {problem.text}" if problem.origin else problem.text
    return f"{text}; {problem.remedy}" if problem.remedy else text
