"""Predict a stream of records: read in chunks, encode once per kind of input, answer in order."""

from __future__ import annotations

import csv
import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


def columns(task: Task) -> tuple[tuple[str, ...], ...]:
    """Return the keys under which a record may hold a task's texts: the columns declared for it, and those of all."""
    usual = TEXTS[task.source.input]
    own = tuple(task.declaration["text"]) if task.declaration else usual
    return (usual,) if own == usual else (own, usual)


def read_records(
    lines: Iterable[str], form: str = "auto", keys: Collection[tuple[str, ...]] = tuple(TEXTS.values())
) -> Iterator[Record]:
    """Read JSON Lines, a TSV table with a header, or plain lines; errors name the line.

    "auto" takes the first line that is not empty: an object means JSON Lines, a tab-separated header with
    known names a table. A plain line is one text, or a pair around a tab. `keys` are the `columns` of all tasks.
    """
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1))
    rows = ((number, line.removeprefix("\ufeff") if number == 1 else line) for number, line in numbered)
    filled: Iterator[tuple[int, str]] = ((number, line) for number, line in rows if line.strip())
    first = next(filled, None)
    if first is None:
        return
    form = _guess(first[1], keys) if form == "auto" else form
    filled = itertools.chain([first], filled)
    if form == "jsonl":
        yield from (_from_json(number, line, keys) for number, line in filled)
    elif form == "tsv":
        header = _fields(*next(filled))
        yield from (_from_table(number, line, header, keys) for number, line in filled)
    else:
        yield from (_from_line(number, line) for number, line in filled)


def _guess(line: str, keys: Collection[tuple[str, ...]]) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    names = set(line.split("\t"))
    return "tsv" if any(names >= set(each) for each in keys) else "lines"


def _from_json(number: int, line: str, keys: Collection[tuple[str, ...]]) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"input line {number}: not JSON: {error}") from None
    if not isinstance(record, dict):
        raise DataError(f"input line {number}: found {type(record).__name__} where an object is needed")
    texts = {key: record[key] for each in keys for key in each if key in record}
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


def _from_table(number: int, line: str, header: list[str], keys: Collection[tuple[str, ...]]) -> Record:
    fields = _fields(number, line)
    if len(fields) != len(header):
        raise DataError(f"input line {number}: {len(fields)} fields where the header has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    texts = {key: row[key] for each in keys for key in each if key in row}
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
    asked: dict[tuple[int, tuple[str, ...]], list[Task]] = defaultdict(list)
    for task in tasks:
        for place, record in enumerate(block):
            if texts := _texts(record, task):
                asked[place, texts].append(task)
            elif not every:
                raise DataError(f"input line {record.line}: task {task.name!r} needs {_needs([task])}")
    groups: dict[tuple[str, ...], list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
    for row, wanted in asked.items():
        groups[tuple(task.name for task in wanted)].append(row)
    for names, rows in groups.items():
        wanted = [task for task in tasks if task.name in names]
        _fill(trained, [results[place] for place, _ in rows], [texts for _, texts in rows], wanted)
    for place, record in enumerate(block):
        if not results[place].keys() - {"id"}:
            raise DataError(f"input line {record.line}: no task applies; a record needs {_needs(tasks)}")
    order = ("id", *(task.name for task in tasks), "truncated")
    return [{key: result[key] for key in order if key in result} for result in results]


def _texts(record: Record, task: Task) -> tuple[str, ...]:
    """Return a record's texts for a task, none if it lacks one."""
    found = (keys for keys in columns(task) if all(key in record.texts for key in keys))
    return tuple(record.texts[key] for key in next(found, ()))


def _needs(tasks: Sequence[Task]) -> str:
    return " or ".join(dict.fromkeys(" and ".join(keys) for task in tasks for keys in columns(task)))


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
