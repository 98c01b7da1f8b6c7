"""Task and Source: plain values composed of parts, the same for built-in ones and plugins."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mtft.data.example import Example
from mtft.errors import plugin_guard
from mtft.outputs import Output

InputKind = Literal["single", "pair", "apart"]
"""How texts enter the encoder: one text, two texts in one sequence, or two encoded apart."""


class Reader(Protocol):
    """Callable (split, data directory) -> examples.

    A reader may have more methods:

    - ``files(split, data_dir) -> list[Path]``: the form of the files is checked, and a source without its files is left
      out instead of failing;
    - also ``example(path, line, row) -> Example | None``, as in `TableReader`: single bad rows can be left out;
    - ``rows(split, data_dir)``, which yields (origin, number, row), and ``of_row(origin, number, row)``: the same for
      data other than text files;
    - ``part(split) -> Reader``: splits are separated by more than their files;
    - ``opened(data_dir) -> Reader``: all rows must be read to separate splits; its `trouble` says why that failed.
    """

    def __call__(self, split: str, data_dir: Path, /) -> Iterable[Example]: ...


def resolve(part: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return a part given as ``"package.module:name"`` or as the object itself.

    Names keep definitions cheap: nothing is imported until a model is built.
    """
    return pkgutil.resolve_name(part) if isinstance(part, str) else part


@dataclass(frozen=True)
class Source:
    """One dataset that trains a task.

    `loss` takes (outputs, targets) and returns one loss per example [B]; outputs are [B, width] for "single"
    and "pair" inputs and [2, B, width] for "apart". `weight` is relative to the task's other sources: the weights of
    the sources in a batch are renormalised. An augmentation source names its task in `task`. `class_weights` multiply
    the losses of the rows of each class, in the order of the label names; without any the settings decide.
    """

    name: str
    reader: Reader
    input: InputKind
    loss: str | Callable[..., Any]
    weight: float = 1.0
    task: str = ""
    description: str = ""
    class_weights: tuple[float, ...] = ()

    @property
    def texts(self) -> int:
        """Texts of an example."""
        return 1 if self.input == "single" else 2

    def files(self, split: str, data_dir: Path) -> list[Path]:
        """Return the files that the reader reads, none if it does not list them."""
        listing = getattr(self.reader, "files", None)
        with plugin_guard(f"source {self.name!r}: its reader", self.name):
            return [Path(path) for path in listing(split, data_dir)] if listing else []

    def build_loss(self) -> Callable[..., Any]:
        """Import the loss."""
        with plugin_guard(f"source {self.name!r}: importing its loss", self.name):
            return resolve(self.loss)


@dataclass(frozen=True)
class Task:
    """One task: its data, its head, and the meaning of its output.

    `source` is the task's own dataset, evaluated and trained on. `head` is a factory (encoder config, output
    width) -> nn.Module taking an EncoderOutput and returning [B, width]. `metrics` names metrics of
    `mtft.metrics`, the primary one first; by default those of the output kind. A task declared in settings keeps
    its `declaration` (`mtft.tasks.declared`), from which it is rebuilt when its model is loaded.
    """

    name: str
    output: Output
    source: Source
    head: str | Callable[..., Any] = "mtft.heads:report_head"
    metrics: tuple[str, ...] = ()
    description: str = ""
    declaration: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics to report, the primary one first."""
        return self.metrics or self.output.metrics

    @property
    def primary_metric(self) -> str:
        return self.metric_names[0]
