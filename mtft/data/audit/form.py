"""Findings about the form of files: unreadable rows, rows without a label, rows over several lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from mtft.data.audit.findings import SHOWN, Finding, brief, example_of
from mtft.data.audit.reading import SplitReading
from mtft.data.audit.split_reader import RowProblem, Split
from mtft.errors import with_names

ADVICE = {
    "file": "give another `data_dir`, or make the file readable",
    "header": "the first line names the columns, each once; what parts them may be given as delimiter",
    "columns": "name the columns as the task expects them (examples/guide/data.md)",
    "encoding": "save the file as UTF-8, or name its encoding",
    "nul": "remove the NUL characters; a file of another encoding has many",
    "ragged": "give each row as many fields as the header, quoting fields that hold separators",
    "quotes": "close the quote, and double quotes inside quoted fields",
    "row": "see the line named",
    "json": "write one JSON object a line",
    "held-out": "give more labelled rows, another share, or a file as dev",
    "split-invalid": "name the value under train, dev, test or unused of the key split",
    "label-invalid": "mend the label, or leave such rows out with `skip_bad_rows`",
    "reader": "see the message of the reader",
}


def form_findings(found: Split) -> Iterator[Finding]:
    """Report the rows that cannot become examples, by kind of fault, and other oddities of the files."""
    problems = sorted(found.problems, key=lambda problem: problem.check)
    for check, group in groupby(problems, key=lambda problem: problem.check):
        yield _problem(found, check, list(group))
    for scan in found.scans:
        yield from _several_lines(found, scan)
    unlabelled = np.flatnonzero(~found.examples.labelled)
    if len(unlabelled):
        first = found.examples[int(unlabelled[0])]
        yield Finding(
            "label-missing",
            "warning",
            found.source,
            found.split,
            first.origin,
            len(unlabelled),
            "rows without a label, which training leaves out",
            example_of(first),
            "label them, or drop them",
            found.examples.origins(unlabelled),
        )
    if len(unlabelled) == len(found.examples) and not problems:
        location = str(found.scans[0].path) if found.scans else found.source
        yield Finding("file", "error", found.source, found.split, location, 1, "no labelled row", advice="add rows")


def _problem(found: Split, check: str, problems: Sequence[RowProblem]) -> Finding:
    first = problems[0]
    return Finding(
        check,
        "error",
        found.source,
        found.split,
        first.origin,
        len(problems),
        first.text,
        _line(found, first),
        first.remedy or with_names(ADVICE.get(check, "")),
        tuple(problem.origin for problem in problems if not problem.whole),
    )


def _line(found: Split, problem: RowProblem) -> str:
    """Return the beginning of a row's bytes, for display."""
    path = problem.origin.rpartition(":")[0]
    scan = next((scan for scan in found.scans if str(scan.path) == path), None)
    if not scan or problem.begin < 0:
        return ""
    return _shown(scan.beginning(problem.begin, 4 * SHOWN))


def _shown(text: bytes) -> str:
    return brief(text[: 4 * SHOWN].decode("utf-8", "replace").rstrip())


def _several_lines(found: Split, scan: SplitReading) -> Iterator[Finding]:
    """Report rows that span several lines; a warning if one of the lines could be a row of its own."""
    count, swallowing, first, shown = 0, 0, 0, b""
    for line, text in scan.rows_of_several_lines():
        holds = _holds_rows(scan, text)
        if not count or (holds and not swallowing):
            first, shown = line, text
        count, swallowing = count + 1, swallowing + holds
    if not count:
        return
    counts = f"({scan.rows:,} rows in {scan.lines:,} lines)"
    message = (
        f"quoted fields swallow lines that look like rows {counts}"
        if swallowing
        else f"quoted fields go over several lines {counts}"
    )
    yield Finding(
        "lines",
        "warning" if swallowing else "note",
        found.source,
        found.split,
        f"{scan.path}:{first}",
        swallowing or count,
        message,
        _shown(shown),
        "look for a quote that opens in this row and is closed in a later one" if swallowing else "",
    )


def _holds_rows(scan: SplitReading, text: bytes) -> bool:
    separator = scan.dialect.delimiter.encode() if scan.dialect else b""
    inside = text.splitlines()[1:]
    return len(scan.names) > 1 and any(line.count(separator) >= len(scan.names) - 1 for line in inside)
