"""``mtft predict``: a run's answers to a stream of texts."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mtft.config.schema import PredictConfig
from mtft.data.dialect import layout_from, layout_keys
from mtft.data.record_files import file_records
from mtft.data.stream_records import Record, Wanted, read_records
from mtft.errors import ConfigError, DataError, setting
from mtft.io.text import RESERVED
from mtft.model.inference import run_worker
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.manifest import task_names
from mtft.runs.prediction import lacking, record_keys, unanswered
from mtft.runs.prediction import predict as predict_records
from mtft.runtime.distributed import Group
from mtft.runtime.notices import Notify
from mtft.training.agreement import check_same_model
from mtft.training.choices import resolve_device
from mtft.training.temperatures import tell


def predict(
    run: Path, source: Path | Iterable[str], config: PredictConfig, context: Context
) -> Generator[dict[str, Any], None, None]:
    """Yield one mapping per record, in order, of a file, or of lines that are read as they arrive.

    A record that cannot be answered is a DataError, raised after all records before it; or it is counted, and left out
    or yielded with its "error". Of several processes, the first reads and yields, the others compute their share.
    """
    group = context.group
    if config.on_error == "null" and config.output_format != "jsonl":
        raise ConfigError(
            f"{setting('on_error', 'null')} writes errors in place, which a table has no column for; "
            f"use {setting('output_format', 'jsonl')}, or {setting('on_error', 'skip')}"
        )
    keys = layout_keys(config.delimiter, config.quotes, config.header, config.columns, config.encoding)
    layout = layout_from(keys)
    device, products = resolve_device(config)
    every = config.tasks == ("all",)
    with model_directory(run) as directory:
        names = task_names(run, directory, () if every else config.tasks)
        trained = load_model(directory, context.registry, config.model, device, products, only=names)
    tasks = sorted(trained.tasks, key=lambda task: names.index(task.name))
    check_same_model(config, trained, group, {})
    if not group.first:
        return _share(trained, group)
    tell(tasks, context.notify)
    if taken := [name for name in config.keep_columns if name in (*RESERVED, *names)]:
        raise ConfigError(
            f"an answer has {taken[0]!r} already; its column of the input cannot be kept", setting="keep_columns"
        )
    wanted = Wanted(
        record_keys(tasks),
        config.id or "",
        config.keep_columns,
        lambda columns: lacking(columns, tasks, every),
        lambda columns: _report(unanswered(columns, tasks), context.notify),
        no_blanks=config.on_error == "null",
    )
    if isinstance(source, Path):
        records = file_records(source, config.format, wanted, layout, lambda line: context.notify("info", line))
    else:
        records = read_records(source, "txt" if config.format == "lines" else config.format, wanted, layout)
    fail = config.on_error == "fail"
    results = predict_records(trained, records, tasks, every=every, chunk=config.batch_size, wait=not fail, group=group)
    return answers(_until_closed(results, records), config.on_error, context.notify)


def _report(text: str, notify: Notify) -> None:
    if text:
        notify("info", text)


def _until_closed(
    results: Generator[dict[str, Any], None, None], records: Iterator[Record]
) -> Generator[dict[str, Any], None, None]:
    """Yield the results, and close the input after them."""
    try:
        yield from results
    finally:
        results.close()
        if isinstance(records, Generator):
            records.close()


def _share(trained: TrainedModel, group: Group) -> Generator[dict[str, Any], None, None]:
    """Compute this process's share, and yield nothing."""
    run_worker(trained.model, group)
    yield from ()


def answers(
    results: Generator[dict[str, Any], None, None], on_error: str, notify: Notify, *, streamed: bool = True
) -> Generator[dict[str, Any], None, None]:
    """Yield results; handle errors among them as `on_error` says, and report their number.

    `streamed` results reach the user one by one.
    """
    bad, first = 0, ""
    with closing(results):
        for result in results:
            error = result.get("error")
            if error and on_error == "fail":
                before = "all before it is answered; " if streamed else ""
                goes_on = f"{setting('on_error', 'skip')} or {setting('on_error', 'null')} goes on after it"
                raise DataError(f"{error}\n{before}{goes_on}")
            if error:
                bad, first = bad + 1, first or error
            if not error or on_error == "null":
                yield result
    if bad:
        what = "left out" if on_error == "skip" else "answered with an error"
        notify("info", f"{bad:,} {'records' if bad > 1 else 'record'} {what}; first: {first}")
