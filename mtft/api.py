"""mtft from Python: a function for each command that works on models; its settings are keywords, its result a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from mtft.commands import evaluate as evaluating
from mtft.commands import refine as refining
from mtft.commands import train as training
from mtft.commands.predict import answers
from mtft.config.groups import Options
from mtft.config.load import Loaded, load
from mtft.config.schema import EvalConfig, PredictConfig, RefineConfig, TrainConfig
from mtft.data.records import TEXTS, Record
from mtft.plugin.context import Services, services
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import load_model
from mtft.runs.prediction import predict as predict_records
from mtft.runs.prediction import record_keys
from mtft.training.preparation import resolve_device

S = TypeVar("S", bound=Options)
Notify = Callable[[str], None]


def silent(_: str) -> None:
    """Say nothing."""


def train(*, notify: Notify = silent, **settings: Any) -> training.TrainResult:
    """Train as `mtft train` does: `settings` are its keys, as in ``tasks=["sst"], sample=True``; `config` is a file.

    `notify` is told what the command would say. ConfigError names every setting that is wrong.
    """
    loaded = _settings(TrainConfig, settings)
    with _served(loaded, notify) as served:
        return training.train(loaded.config, served)


def refine(run: str | Path, *, notify: Notify = silent, **settings: Any) -> refining.RefineResult:
    """Refine the heads of a run as `mtft refine` does."""
    loaded = _settings(RefineConfig, settings)
    with _served(loaded, notify) as served:
        return refining.refine(Path(run), loaded.config, served)


def evaluate(run: str | Path, *, notify: Notify = silent, **settings: Any) -> evaluating.EvalResult:
    """Score a run as `mtft eval` does."""
    loaded = _settings(EvalConfig, settings)
    with _served(loaded, notify) as served:
        return evaluating.evaluate(Path(run), loaded.config, served)


class Model:
    """A finished run or a bundle, loaded once, that answers as `mtft predict` does."""

    def __init__(self, run: str | Path, *, notify: Notify = silent, **settings: Any) -> None:
        loaded = _settings(PredictConfig, settings)
        self._config, self._notify, place = loaded.config, notify, resolve_device(loaded.config)
        with _served(loaded, notify) as self._served, model_directory(Path(run)) as directory:
            self._trained = load_model(directory, self._served.registry, loaded.config.model, *place)
        names = loaded.config.tasks
        self._every = names == ("all",)
        self._tasks = evaluating.chosen_tasks(Path(run), self._trained, () if self._every else names)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are answered."""
        return tuple(task.name for task in self._tasks)

    def predict(self, inputs: Iterable[str | Sequence[str] | Mapping[str, str]]) -> list[dict[str, Any]]:
        """Return what each task says of each input, in order: a text, a pair of texts, or texts by column name."""
        keys = set(chain.from_iterable(record_keys(self._tasks)))
        records = (Record(number, _texts(given, keys), number) for number, given in enumerate(inputs, 1))
        chunk = self._config.batch_size
        results = predict_records(self._trained, records, self._tasks, every=self._every, chunk=chunk)
        with self._served.attribute_plugin_errors():
            return list(answers(results, self._config.on_error, self._notify))


def _texts(given: str | Sequence[str] | Mapping[str, Any], keys: Set[str]) -> Mapping[str, str]:
    """Return the texts of an input by column name, those of these `keys` alone; ValueError if it is none."""
    if isinstance(given, Mapping):
        found = {key: text for key, text in given.items() if key in keys}
        if wrong := [key for key, text in found.items() if not isinstance(text, str)]:
            raise ValueError(f"input has {found[wrong[0]]!r} under {wrong[0]!r}, which is not a text")
        return found
    parts = (given,) if isinstance(given, str) else tuple(given)
    names = {len(each): each for each in TEXTS.values()}.get(len(parts))
    if names is None or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"input is {given!r}, allowed: a text, a pair of texts, or a mapping")
    return dict(zip(names, parts, strict=True))


def _settings(schema: type[S], given: Mapping[str, Any]) -> Loaded[S]:
    rest = {key: value for key, value in given.items() if key not in ("config", "preset")}
    file = given.get("config")
    return load(schema, preset=given.get("preset"), file=Path(file) if file else None, flags=rest)


@contextmanager
def _served(loaded: Loaded[Any], notify: Notify) -> Iterator[Services]:
    """Give the services that settings ask for; an error in a plugin's code says whose it is."""
    origin = loaded.origins.get("declared", "")
    declared = getattr(loaded.config, "declared", {}) if origin else {}
    found = services(notify, declared=declared, place=origin.removeprefix("file "))
    with found.attribute_plugin_errors():
        yield found
