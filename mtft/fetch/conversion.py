"""Convert rows of public datasets into the tab-separated files, with ids, that the built-in tasks read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from mtft.errors import FetchError
from mtft.fetch.catalogue import HubFile

ID = "id"
"""Column of ids; generated ids contain dataset, split and row."""


def course_table(rows: Iterable[Mapping[str, str]], file: HubFile) -> bytes:
    """Return rows with the course's columns, in UTF-8: a number without a column name, an id, the texts, the label.

    With `numbers`, labels get a decimal point, as in the course's files. FetchError for a row without one of the
    columns or without a label, which means that the dataset has changed.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["", ID, *(ours for _, ours in file.columns)])
    stem = file.name.partition(".")[0]
    for number, row in enumerate(rows):
        cells = [row.get(theirs, "") for theirs, _ in file.columns]
        label = cells[-1].strip()
        if not label or label == "-1" or any(theirs not in row for theirs, _ in file.columns):
            raise FetchError(f"{file.path}: row {number + 1} has no {' and '.join(name for name, _ in file.columns)}")
        cells[-1] = str(round(float(label), 4)) if file.numbers else label
        writer.writerow([number, f"{stem}-{number}", *cells])
    return text.getvalue().encode()
