"""Tables with known content, written in every way that people write them: for tests that read them back."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

DELIMITERS = ("\t", ",", ";", "|")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
TEXTS = (
    "a film",
    "it's fine",
    'the "best" one',
    '"quoted',
    'so, "he" said',
    "a;b|c",
    "1,5",
    "tab\there",
    "line\nend",
    "bare\rreturn",
    "",
    " padded ",
    '"',
    '""',
    "é ü",
    "x",
    '"whole"',
    "end\u2028mark",
)
LABELS = (("no", "yes"), ("0", "1", "2"), ("0,5", "1,0", "4,75"), ("a b", "c,d"), ("-1", "1"))
NAMES = ("text", "label", "id", "sentence 1", "is_duplicate", "größe", "note")


@dataclass(frozen=True)
class Written:
    """A table, and how it was written: what a reader must find, or refuse."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    suffix: str
    delimiter: str = ""
    quoting: str = ""
    end: str = "\n"
    encoding: str = "utf-8"
    separator: bool = False
    packed: bool = False
    last_end: bool = True
    indent: int | None = None
    again: int | None = field(default=None)
    headed: bool = True

    @property
    def records(self) -> list[dict[str, str]]:
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    @property
    def name(self) -> str:
        return f"table{self.suffix}{'.gz' * self.packed}"

    def text(self) -> str:
        """Write the table as text."""
        if self.suffix == ".jsonl":
            return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in self.records)
        if self.suffix == ".json":
            return json.dumps(self.records, ensure_ascii=False, indent=self.indent)
        lines = [self.names] * self.headed + [*self.rows]
        if self.again is not None:
            lines.insert(min(self.again + 1, len(lines)), self.names)
        if self.quoting == "none":
            text = "".join(self.delimiter.join(line) + self.end for line in lines)
        else:
            text = self._quoted(lines, csv.QUOTE_ALL if self.quoting == "all" else csv.QUOTE_MINIMAL)
            if "\r" in text and "\n" not in self._complete(text):  # it would be the end of a line
                text = self._quoted(lines, csv.QUOTE_ALL)
        return self._complete(text)

    def _quoted(self, lines: list[tuple[str, ...]], mode: Literal[0, 1]) -> str:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.delimiter, lineterminator=self.end, quoting=mode).writerows(lines)
        return buffer.getvalue()

    def _complete(self, text: str) -> str:
        text = f"sep={self.delimiter}{self.end}" * self.separator + text
        return text if self.last_end else text.removesuffix(self.end)

    def write(self, folder: Path) -> Path:
        """Write the table to a file."""
        path = folder / self.name
        data = self.text().encode(self.encoding)
        path.write_bytes(gzip.compress(data, 1) if self.packed else data)
        return path


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Draw a table and a way to write it that loses nothing."""
    suffix = draw(st.sampled_from([".csv", ".csv", ".tsv", ".jsonl", ".json"]))
    names = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)))
    labels = draw(st.sampled_from(LABELS))
    cells = [st.sampled_from(TEXTS) | st.text(st.sampled_from('ab\t,;|" \n\ré'), max_size=8)] * len(names)
    if len(names) > 1:
        cells[draw(st.integers(0, len(names) - 1))] = st.sampled_from(labels)
    rows: list[tuple[str, ...]] = draw(st.lists(st.tuples(*cells), max_size=12))
    options: dict[str, Any] = {"packed": draw(st.booleans()), "encoding": draw(st.sampled_from(ENCODINGS[:3]))}
    if suffix in (".json", ".jsonl"):
        return Written(names, tuple(rows), suffix, indent=draw(st.sampled_from([None, 2])), **options)
    delimiter = "\t" if suffix == ".tsv" else draw(st.sampled_from(DELIMITERS))
    quoting = draw(st.sampled_from(["minimal", "all", "none"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    if quoting == "none":
        bad = (delimiter, "\n", "\r")
        rows = [tuple("".join("_" if sign in bad else sign for sign in cell) for cell in row) for row in rows]
        rows = [row for row in rows if len(names) > 1 or row[0]]
    elif quoting == "minimal" and end == "\n":  # the csv module writes such an end unquoted, where it ends the line
        rows = [(*row[:-1], row[-1].rstrip("\r")) for row in rows]
    again = draw(st.none() | st.none() | st.none() | st.integers(0, 12))
    return Written(
        names,
        tuple(rows),
        suffix,
        delimiter,
        quoting,
        end,
        separator=draw(st.integers(0, 5)) == 0,
        last_end=draw(st.booleans()),
        again=again,
        **options,
    )
