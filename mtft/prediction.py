"""Predict a stream of records: read in chunks, encode once per kind of input, answer in order."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtft.checkpoint import TrainedModel
from mtft.data.readers import MAX_FIELD
from mtft.errors import ConfigError, DataError
from mtft.evaluation import apply
from mtft.tasks.task import Task

TEXTS = {"single": ("sentence",), "pair": ("sentence1", "sentence2")}
"""Keys that a record needs for each kind of input."""


@dataclass(frozen=True)
class Record:
    """One input: its id, its texts by key, and the line that it stood on."""

    id: Any
    texts: Mapping[str, str]
    line: int


def read_records(lines: Iterable[str], form: str = "auto") -> Iterator[Record]:
    """Read JSON Lines, a TSV table with a header, or plain lines; errors name the line.

    "auto" takes the first line that is not empty: an object means JSON Lines, a tab-separated header with
    known names a table. A plain line is one text, or a pair around a tab.
    """
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1))
    rows = ((number, line.removeprefix("\ufeff") if number == 1 else line) for number, line in numbered)
    filled: Iterator[tuple[int, str]] = ((number, line) for number, line in rows if line.strip())
    first = next(filled, None)
    if first is None:
        return
    form = _guess(first[1]) if form == "auto" else form
    filled = itertools.chain([first], filled)
    if form == "jsonl":
        yield from (_from_json(number, line) for number, line in filled)
    elif form == "tsv":
        header = _fields(*next(filled))
        yield from (_from_table(number, line, header) for number, line in filled)
    else:
        yield from (_from_line(number, line) for number, line in filled)


def _guess(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    names = set(line.split("\t"))
    return "tsv" if any(names >= set(keys) for keys in TEXTS.values()) else "lines"


def _from_json(number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"input line {number}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise DataError(f"input line {number}: found {type(record).__name__} where an object is needed")
    texts = {key: record[key] for keys in TEXTS.values() for key in keys if key in record}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise DataError(f"input line {number}: {key} is {json.dumps(text)}, not a text")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DataError(f"input line {number}: {key} holds half of a surrogate pair, which is no character")
    return Record(record.get("id", number), texts, number)


def _fields(number: int, line: str) -> list[str]:
    csv.field_size_limit(MAX_FIELD)
    try:
        return next(csv.reader([line], delimiter="\t"))
    except csv.Error as error:
        raise DataError(f"input line {number}: {error}") from None


def _from_table(number: int, line: str, header: list[str]) -> Record:
    fields = _fields(number, line)
    if len(fields) != len(header):
        raise DataError(f"input line {number}: {len(fields)} fields where the header has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    texts = {key: row[key] for keys in TEXTS.values() for key in keys if key in row}
    return Record(row.get("id", number), texts, number)


def _from_line(number: int, line: str) -> Record:
    parts = line.split("\t")
    if len(parts) > 2:
        raise DataError(f"input line {number}: {len(parts)} tab-separated texts where one or two are needed")
    return Record(number, dict(zip(TEXTS["single" if len(parts) == 1 else "pair"], parts, strict=True)), number)


def predict(
    trained: TrainedModel, records: Iterable[Record], tasks: Sequence[Task], *, every: bool, chunk: int
) -> Iterator[dict[str, Any]]:
    """Yield one mapping per record, in order: its id and what each task says.

    With `every`, a record gets those of the tasks that its texts allow, at least one; otherwise each record
    needs the texts of all tasks. At most `chunk` records are held at a time.
    """
    if not tasks:
        raise ConfigError("no task to predict")
    source = iter(records)
    while block := list(itertools.islice(source, chunk)):
        yield from _predict_block(trained, block, tasks, every)


def _predict_block(
    trained: TrainedModel, block: list[Record], tasks: Sequence[Task], every: bool
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [{"id": record.id} for record in block]
    for kind, keys in TEXTS.items():
        wanted = [task for task in tasks if task.source.input == kind]
        places = [place for place, record in enumerate(block) if all(key in record.texts for key in keys)]
        if wanted and not every and len(places) < len(block):
            lacking = next(record for record in block if not all(key in record.texts for key in keys))
            raise DataError(f"input line {lacking.line}: task {wanted[0].name!r} needs {' and '.join(keys)}")
        if not wanted or not places:
            continue
        rows = [tuple(block[place].texts[key] for key in keys) for place in places]
        _fill(trained, [results[place] for place in places], rows, wanted)
    for record, result in zip(block, results, strict=True):
        if not result.keys() - {"id"}:
            needs = " or ".join(" and ".join(TEXTS[kind]) for kind in dict.fromkeys(t.source.input for t in tasks))
            raise DataError(f"input line {record.line}: no task applies; a record needs {needs}")
    return results


def _fill(trained: TrainedModel, results: list[dict[str, Any]], rows: list[tuple[str, ...]], tasks: list[Task]) -> None:
    """Encode rows of one kind of input once and add what every task says to the results.

    A result whose texts the length limit cut says ``"truncated": true``.
    """
    table, truncation = trained.tokenizer.table(rows, apart=False, max_length=trained.max_length)
    raw = apply(trained.model, table, [task.name for task in tasks])
    for task in tasks:
        for result, value in zip(results, task.output.read(raw[task.name]), strict=True):
            result[task.name] = task.output.present(value)
    for place in truncation.cut:
        results[place]["truncated"] = True
