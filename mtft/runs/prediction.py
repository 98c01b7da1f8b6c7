"""Predict a stream of records: read in chunks, encode once per kind of input, return answers in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mtft.data.stream_records import TEXTS, Record
from mtft.errors import ConfigError, DataError, plugin_guard
from mtft.io.files import to_json
from mtft.model.inference import read_outputs, run_leader, stop_workers
from mtft.runs.checkpoint import TrainedModel
from mtft.runtime.distributed import ALONE, Group
from mtft.tasks.task import Task

BLOCK = 1_000_000
"""Largest number of characters tokenized at once; a single longer record is allowed."""


def columns(task: Task) -> tuple[tuple[str, ...], ...]:
    """Return the keys under which a record may hold a task's texts: its data's columns, and those of all tasks.

    The columns of a task's data are declared for it, or its reader names them in `texts`.
    """
    usual = TEXTS[task.source.input]
    own = tuple(task.declaration["text"]) if task.declaration else getattr(task.source.reader, "texts", usual)
    fits = isinstance(own, tuple) and len(own) == len(usual) and all(isinstance(name, str) for name in own)
    return (usual,) if own == usual or not fits else (own, usual)


def record_keys(tasks: Iterable[Task]) -> tuple[tuple[str, ...], ...]:
    """Return all keys under which records may hold the texts of tasks, including those for plain lines."""
    return tuple(dict.fromkeys([*TEXTS.values(), *(each for task in tasks for each in columns(task))]))


def lacking(names: Collection[str], tasks: Sequence[Task], every: bool) -> str:
    """Return which text columns a table lacks, "" if none; `every` requires those of one task only."""
    without = [task for task in tasks if not any(set(keys) <= set(names) for keys in columns(task))]
    if every and len(without) == len(tasks):
        return f"the run's tasks need {_needs(tasks)}"
    return f"task {without[0].name!r} needs {_needs(without[:1])}" if without and not every else ""


def unanswered(names: Collection[str], tasks: Sequence[Task]) -> str:
    """Return which tasks cannot answer a table with these columns, "" if all can."""
    without = [task for task in tasks if not any(set(keys) <= set(names) for keys in columns(task))]
    listed = ", ".join(f"{task.name} (needs {_needs([task])})" for task in without)
    return f"not answered, for lack of columns: {listed}" if listed else ""


def predict(
    trained: TrainedModel,
    records: Iterable[Record],
    tasks: Sequence[Task],
    *,
    every: bool,
    chunk: int,
    wait: bool = True,
    group: Group = ALONE,
) -> Generator[dict[str, Any], None, None]:
    """Yield one mapping per record, in order: its id and each task's answer, or its id and the "error".

    With `every`, a record is answered by all tasks that its texts allow, at least one; otherwise each record needs the
    texts of all tasks. At most `chunk` records, and about `BLOCK` characters, are held at a time. Without `wait`, an
    error is yielded before the next record is read. This is process 0 of a `group`; the others run
    `mtft.model.inference.run_worker`.
    """
    if not tasks:
        raise ConfigError("no task to predict")
    try:
        for block in _blocks((_judged(record, tasks, every) for record in records), chunk, wait):
            yield from _predict_block(trained, block, tasks, group)
    except (DataError, GeneratorExit):  # stop the workers, which wait for more; any other error ends them too
        stop_workers(group)
        raise
    stop_workers(group)


def _judged(record: Record, tasks: Sequence[Task], every: bool) -> Record:
    """Return the record, with an error if it lacks texts."""
    if record.error:
        return record
    lacking = [task for task in tasks if not _texts(record, task)]
    if every and len(lacking) == len(tasks):
        reason = f"no task applies; a record needs {_needs(tasks)}"
    elif lacking and not every:
        reason = f"task {lacking[0].name!r} needs {_needs(lacking[:1])}"
    else:
        return record
    return replace(record, error=f"{record.origin or f'input line {record.line}'}: {reason}")


def _blocks(records: Iterable[Record], chunk: int, wait: bool) -> Iterator[list[Record]]:
    block: list[Record] = []
    size = 0
    for record in records:
        block.append(record)
        size += record.size
        if len(block) == chunk or size >= BLOCK or (record.error and not wait):
            yield block
            block, size = [], 0
    if block:
        yield block


def _predict_block(
    trained: TrainedModel, block: list[Record], tasks: Sequence[Task], group: Group
) -> list[dict[str, Any]]:
    results = [
        {"id": record.id, **record.kept, **({"error": record.error} if record.error else {})} for record in block
    ]
    asked: dict[tuple[int, tuple[str, ...]], list[Task]] = defaultdict(list)
    for task in tasks:
        for index, record in enumerate(block):
            if not record.error and (texts := _texts(record, task)):
                asked[index, texts].append(task)
    groups: dict[tuple[str, ...], list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
    for row, wanted in asked.items():
        groups[tuple(task.name for task in wanted)].append(row)
    for names, rows in groups.items():
        wanted = [task for task in tasks if task.name in names]
        _fill(trained, [results[index] for index, _ in rows], [texts for _, texts in rows], wanted, group)
    last = (*(task.name for task in tasks), "truncated", "error")
    return [
        {key: result[key] for key in ("id", *record.kept, *last) if key in result}
        for record, result in zip(block, results, strict=True)
    ]


def _texts(record: Record, task: Task) -> tuple[str, ...]:
    """Return a record's texts for a task, none if it lacks one."""
    found = (keys for keys in columns(task) if all(key in record.texts for key in keys))
    return tuple(record.texts[key] for key in next(found, ()))


def _needs(tasks: Sequence[Task]) -> str:
    return " or ".join(dict.fromkeys(" and ".join(keys) for task in tasks for keys in columns(task)))


def _fill(
    trained: TrainedModel,
    results: list[dict[str, Any]],
    rows: list[tuple[str, ...]],
    tasks: list[Task],
    group: Group,
) -> None:
    """Encode rows of one kind of input once and add every task's answer to the results.

    A result whose texts were cut by the length limit has ``"truncated": true``.
    """
    table, truncation = trained.tokenizer.table(rows, apart=False, max_length=trained.max_length)
    raw = run_leader(trained.model, table, [task.name for task in tasks], group)
    for task in tasks:
        values = read_outputs(task, raw[task.name])
        with plugin_guard(f"task {task.name!r}: presenting its output", task.name):
            for result, value in zip(results, values, strict=True):
                result[task.name] = task.output.present(value)
            to_json(results[0][task.name])
    for index in truncation.cut:
        results[index]["truncated"] = True
