"""A trained model from Python: loaded once, with the same answers as `mtft predict`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from mtft.call import PathName, open_call
from mtft.commands.predict import answers
from mtft.config.documentation import documented
from mtft.config.schema import PredictConfig
from mtft.data.inputs import Input, input_records
from mtft.data.stream_records import Record
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import load_model
from mtft.runs.manifest import task_names
from mtft.runs.prediction import predict, record_keys
from mtft.runtime.notices import Notify, silent
from mtft.settings import PredictSettings
from mtft.training.choices import resolve_device


class Model:
    """A finished run or a bundle, loaded once; it gives the same answers as `mtft predict`."""

    @documented(PredictConfig, left_out=("format", "output_format"))
    def __init__(
        self,
        run: PathName,
        *,
        config: PathName | None = None,
        notify: Notify = silent,
        **settings: Unpack[PredictSettings],
    ) -> None:
        """Load the model of `run`."""
        with (
            open_call(PredictConfig, settings, notify, config=config) as (options, context),
            model_directory(Path(run)) as directory,
        ):
            device, products = resolve_device(options)
            self._every = options.tasks == ("all",)
            names = task_names(Path(run), directory, () if self._every else options.tasks)
            self._trained = load_model(directory, context.registry, options.model, device, products, only=names)
        self._config, self._context = options, context
        self._tasks = sorted(self._trained.tasks, key=lambda task: names.index(task.name))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are predicted."""
        return tuple(task.name for task in self._tasks)

    def predict(self, inputs: Iterable[Input]) -> list[dict[str, Any]]:
        """Return each task's answer for each input, in order.

        An input is a text, a pair of texts (a tuple or a list), or a mapping from column names to texts; `inputs` may
        also be a table of pandas or polars with such columns. One text or one pair is given as a list of one:
        ``predict(["a text"])``, ``predict([("a text", "another")])``; ``["a text", "another"]`` are two texts.

        ValueError if `inputs` is not a list of inputs. An input that cannot be answered is a ValueError if it holds no
        text, a DataError if its texts fit no task; `on_error` "skip" leaves it out, "null" answers it with an "error".
        """
        options = self._config
        records = input_records(inputs, record_keys(self._tasks))
        if options.on_error == "fail":
            records = _sound(records)
        results = predict(self._trained, records, self._tasks, every=self._every, chunk=options.batch_size)
        with self._context.provenance.attribute_errors():
            return list(answers(results, options.on_error, self._context.notify, streamed=False))


def _sound(records: Iterator[Record]) -> Iterator[Record]:
    """Yield records; ValueError at one without a text."""
    for record in records:
        if record.error:
            raise ValueError(record.error)
        yield record
