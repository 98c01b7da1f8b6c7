"""One split of one source, read row by row: its examples, and the rows and files that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtft.data.audit.findings import brief
from mtft.data.audit.scan import Scan, scan_file
from mtft.data.dialect import AS_FOUND, form_of
from mtft.data.example import Example, fault
from mtft.data.readers import RowError, no_column
from mtft.errors import DataError, PluginError, plugin_guard, setting

LONGEST = 500
"""Most characters of a reader's message that are shown; a message may quote a whole field."""

Reader = Callable[[str, Path], Iterable[Example]]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row or, with `whole`, a file that cannot be read; `check` names the kind of fault, `remedy` what to change."""

    check: str
    origin: str
    text: str
    whole: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class Split:
    """The content of a source's files for one split.

    `output` is the meaning of its labels, if known. `evaluated` is true if scores are computed on this source,
    `by_label` if its rows are chosen by label, and `by_row` if the rows after a bad row were read.
    """

    source: str
    split: str
    scans: tuple[Scan, ...]
    examples: tuple[Example, ...]
    problems: tuple[RowProblem, ...]
    output: Any = None
    evaluated: bool = False
    by_label: bool = False
    by_row: bool = True


def read_split(
    source: str, split: str, reader: Reader, data_dir: Path, texts: int, *, evaluated: bool = False
) -> Split:
    """Read all readable rows.

    A reader that turns single rows into examples (method `example`, as in `TableReader`) loses only the bad rows. If
    another reader lists its `files`, their form is checked, and the examples before its first error are kept. Any
    other failure of a reader, or an example without the right number of `texts`, raises a PluginError.
    """
    what = f"source {source!r}: its reader"
    with plugin_guard(what, source):
        reader = reader.part(split) if hasattr(reader, "part") else reader
        list_files: Callable[..., list[Path]] = getattr(reader, "files", lambda *_: [])
        layout = getattr(reader, "layout", AS_FOUND)
        scans = tuple(scan_file(path, layout) for path in list_files(split, data_dir))
        reader = reader.opened(data_dir) if hasattr(reader, "opened") else reader
        parse = getattr(reader, "example", None) if scans else None
        found: list[Example | RowProblem] = [each for scan in scans for each in _rows(scan, parse)]
        if parse is None:
            found += _given(reader, split, data_dir, broken=bool(found))
        elif hasattr(reader, "rows_of_other_files"):
            found += _each(reader, reader.rows_of_other_files(split, data_dir))
    for each in found:
        if not isinstance(each, RowProblem) and (wrong := fault(each, texts)):
            raise PluginError(f"{what} gave no example for {split}: {brief(wrong, LONGEST)}", source)
    examples = [each for each in found if not isinstance(each, RowProblem)]
    problems = _once([each for each in found if isinstance(each, RowProblem)], len(examples))
    problems += _label_nowhere(scans, reader) if not problems else []
    if remedy := reader.file_remedy(split) if hasattr(reader, "file_remedy") else "":
        problems = [replace(each, remedy=remedy) if each.check == "file" else each for each in problems]
    if trouble := getattr(reader, "trouble", ""):
        problems.append(RowProblem("held-out", "", trouble, whole=True))
    output, by_label = getattr(reader, "output", None), getattr(reader, "above", None) is not None
    by_row = not scans or parse is not None
    return Split(source, split, scans, tuple(examples), tuple(problems), output, evaluated, by_label, by_row)


def _once(problems: list[RowProblem], examples: int) -> list[RowProblem]:
    """Return one problem for all rows if a column is missing in every row."""
    if examples or len(problems) < 2 or len({(each.check, each.text) for each in problems}) > 1:
        return problems
    first = problems[0]
    if first.check != "columns":
        return problems
    return [replace(first, text=f"{first.text}; all {len(problems):,} rows lack it", whole=True)]


def _label_nowhere(scans: Sequence[Scan], reader: Any) -> Iterator[RowProblem]:
    """Yield a problem if no object of the JSON files has the key of the label, which single objects may lack."""
    label, rows = getattr(reader, "label", None), [row for scan in scans for row in scan.rows if not row.trouble]
    json = all(form_of(scan.path.name) in ("json", "jsonl") for scan in scans)
    if label is None or not json or not rows or any(label in row.fields for row in rows):
        return
    keys = list(dict.fromkeys(key for row in rows for key in row.fields))
    remedy = reader.column_remedy(label) if hasattr(reader, "column_remedy") else ""
    text = f"{no_column(label, keys)}; all {len(rows):,} rows lack it"
    yield RowProblem("columns", str(scans[0].path), text, whole=True, remedy=remedy)


def _rows(scan: Scan, parse: Callable[..., Example | None] | None) -> Iterator[Example | RowProblem]:
    """Return the problems of a file and its rows, in order; with `parse`, also turn the other rows into examples.

    A table without a needed column gives one problem, and no more rows are read.
    """
    if scan.trouble:
        location = str(scan.path) if scan.trouble.check == "file" else f"{scan.path}:1"
        yield RowProblem(scan.trouble.check, location, brief(scan.trouble.text, LONGEST), whole=True)
    for row in scan.rows:
        if row.trouble:
            yield RowProblem(row.trouble.check, f"{scan.path}:{row.line}", row.trouble.text)
            continue
        if parse and (found := _parsed(parse, scan.path, row.line, row.fields, table=bool(scan.names))):
            yield found
            if isinstance(found, RowProblem) and found.whole:
                return


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


def usable_examples(found: Split, *, skip_bad_rows: bool) -> tuple[tuple[Example, ...], tuple[str, ...]]:
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
    rows = sum(len(scan.rows) for scan in found.scans) or len(found.examples) + count
    note = f"{found.source}: {count} of {rows} rows of {found.split} are bad (first: {_worded(first)}); left out"
    return found.examples, (note,)


def _worded(problem: RowProblem) -> str:
    text = f"{problem.origin}: {problem.text}" if problem.origin else problem.text
    return f"{text}; {problem.remedy}" if problem.remedy else text
