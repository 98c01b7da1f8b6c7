"""``mtft predict``: a run's answers to a stream of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mtft.checkpoint import load_model
from mtft.config.schema import PredictConfig
from mtft.prediction import TEXTS, columns, read_records
from mtft.prediction import predict as predict_records
from mtft.workflows.evaluate import chosen_tasks
from mtft.workflows.preparation import machine
from mtft.workflows.services import Services


def predict(run: Path, lines: Iterable[str], config: PredictConfig, services: Services) -> Iterator[dict[str, Any]]:
    """Yield one mapping per input record, in order, reading `lines` as they come."""
    place = machine(config)
    trained = load_model(run / "model", services.registry, config.model, *place)
    every = config.tasks == ("all",)
    tasks = chosen_tasks(run, trained, () if every else config.tasks)
    keys = dict.fromkeys([*TEXTS.values(), *(each for task in tasks for each in columns(task))])
    records = read_records(lines, config.format, tuple(keys))
    return predict_records(trained, records, tasks, every=every, chunk=config.batch_size)
