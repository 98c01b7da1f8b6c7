"""``mtft predict``: a run's answers to a stream of texts."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from mtft.config.schema import PredictConfig
from mtft.data.records import read_records
from mtft.errors import ConfigError, DataError, setting
from mtft.model.inference import run_worker
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.manifest import task_names
from mtft.runs.prediction import predict as predict_records
from mtft.runs.prediction import record_keys
from mtft.runtime.distributed import Group
from mtft.runtime.notices import Notify
from mtft.training.agreement import check_same_model
from mtft.training.preparation import resolve_device
from mtft.training.temperatures import tell


def predict(
    run: Path, lines: Iterable[str], config: PredictConfig, context: Context
) -> Generator[dict[str, Any], None, None]:
    """Yield one mapping per input record, in order, reading `lines` as they come.

    A record that cannot be answered is a DataError once all before it are answered, or is counted, and left out or
    yielded with its "error". Of several processes the first one reads and yields, the others compute their share.
    """
    group = context.group
    if config.on_error == "null" and config.output_format == "tsv":
        raise ConfigError(
            f"{setting('on_error', 'null')} writes errors in place, which a table has no column for; "
            f"use {setting('output_format', 'jsonl')}, or {setting('on_error', 'skip')}"
        )
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
    records = read_records(lines, config.format, record_keys(tasks))
    fail = config.on_error == "fail"
    results = predict_records(trained, records, tasks, every=every, chunk=config.batch_size, wait=not fail, group=group)
    return answers(results, config.on_error, context.notify)


def _share(trained: TrainedModel, group: Group) -> Generator[dict[str, Any], None, None]:
    """Compute what is left to this process, and yield nothing."""
    run_worker(trained.model, group)
    yield from ()


def answers(
    results: Generator[dict[str, Any], None, None], on_error: str, notify: Notify, *, streamed: bool = True
) -> Generator[dict[str, Any], None, None]:
    """Yield results; do with errors among them what `on_error` says, and report how many there were.

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
