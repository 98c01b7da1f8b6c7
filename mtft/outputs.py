"""Kinds of outputs: how a head's raw numbers are read, and how labels in files become targets.

Plain numpy, so that definitions of tasks need no torch. Every kind of output has a `width` (numbers per
example), `parse` (label text to target), `read` (raw outputs to readable values) and `present` (one readable
value as JSON).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Output(Protocol):
    """The contract of an output kind; `kind` names it in run directories."""

    @property
    def kind(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that apply, the primary one first."""
        ...

    def parse(self, label: str) -> float:
        """Turn a label as written in a file into a target; ValueError says what is allowed."""
        ...

    def read(self, raw: NDArray[Any]) -> Array:
        """Turn raw head outputs [B, width] into readable values: probabilities [B, C] or scores [B]."""
        ...

    def present(self, value: Any) -> dict[str, Any]:
        """Turn one readable value into the mapping that `predict` prints."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what a run directory keeps, so that labels travel with the model."""
        ...


class _Classes:
    """Base of the outputs with named classes."""

    names: tuple[str, ...]
    kind: str

    def parse(self, label: str) -> float:
        """Return the index of a label among the names.

        A label '3.0' means the name '3', and 'True', as JSON has it, the name 'true' of a table.
        """
        if label in self.names:
            return float(self.names.index(label))
        try:
            number = float(label)
        except ValueError:
            number = math.nan
        if number.is_integer() and str(int(number)) in self.names:
            return float(self.names.index(str(int(number))))
        if label.casefold() in ("true", "false"):
            same = [index for index, name in enumerate(self.names) if name.casefold() == label.casefold()]
            if len(same) == 1:
                return float(same[0])
        raise ValueError(f"label {label!r} is not one of {', '.join(self.names)}")

    def present(self, value: Any) -> dict[str, Any]:
        probabilities = {name: float(p) for name, p in zip(self.names, value, strict=True)}
        return {"label": self.names[int(np.argmax(value))], "probabilities": probabilities}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "names": list(self.names)}


@dataclass(frozen=True)
class Categorical(_Classes):
    """One of C exclusive classes: C logits, read by softmax."""

    names: tuple[str, ...]
    kind: str = "categorical"
    metrics: tuple[str, ...] = ("accuracy", "f1")

    @property
    def width(self) -> int:
        return len(self.names)

    def read(self, raw: NDArray[Any]) -> Array:
        """Softmax: raw [B, C] -> probabilities [B, C]."""
        logits = raw.astype(np.float64)
        powers: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
        return probabilities


@dataclass(frozen=True)
class Binary(_Classes):
    """No or yes: one logit, read by the sigmoid as the probability of the second name."""

    names: tuple[str, str] = ("0", "1")
    kind: str = "binary"
    metrics: tuple[str, ...] = ("accuracy", "f1")
    width: int = 1

    def read(self, raw: NDArray[Any]) -> Array:
        """Sigmoid: raw [B, 1] -> probabilities of both names [B, 2]."""
        logit = raw.astype(np.float64).reshape(-1)
        probabilities: Array = np.exp(-np.logaddexp(0.0, np.stack([logit, -logit], axis=-1)))
        return probabilities


def ordinal_starts(classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return offsets [1] and [C-2] of an ordinal output's numbers, with which zeros make all classes equally likely.

    The first offset is the logit of being above the lowest class. The softplus of each other offset is the drop from
    one logit to the next.
    """
    above = np.arange(classes - 1, 0, -1) / classes
    logits = np.log(above) - np.log1p(-above)
    gaps = logits[:-1] - logits[1:]
    return logits[:1], np.log(np.expm1(gaps))


@dataclass(frozen=True)
class Ordinal(_Classes):
    """One of C classes in a rank order, lowest first: C-1 numbers, read as a cumulative link model (McCullagh 1980).

    The logits of being above class 0, 1, ... decrease by construction: the first number is the first logit, and the
    softplus of each other number is the drop to the next logit. So no probability is negative, and the distances
    between classes may differ from example to example.
    """

    names: tuple[str, ...]
    kind: str = "ordinal"
    metrics: tuple[str, ...] = ("kappa", "accuracy")

    @property
    def width(self) -> int:
        return len(self.names) - 1

    def read(self, raw: NDArray[Any]) -> Array:
        """Differences of the cumulative probabilities: raw [B, C-1] -> probabilities [B, C]."""
        first, others = ordinal_starts(len(self.names))
        numbers = raw.astype(np.float64)
        drops = np.logaddexp(0.0, numbers[:, 1:] + others)
        logits = np.concatenate([numbers[:, :1] + first, -drops], axis=1).cumsum(axis=1)
        above = np.exp(-np.logaddexp(0.0, -logits))
        certain, never = np.ones((len(raw), 1)), np.zeros((len(raw), 1))
        cumulative = np.concatenate([certain, above, never], axis=1)
        probabilities: Array = np.maximum(cumulative[:, :-1] - cumulative[:, 1:], 0.0)  # rounding may make it negative
        return probabilities

    def present(self, value: Any) -> dict[str, Any]:
        """Return the most probable class and the expected rank, from 0 for the lowest class to C-1."""
        presented = super().present(value)
        rank = float(np.dot(value, np.arange(len(self.names))))
        return {"label": presented["label"], "rank": rank, "probabilities": presented["probabilities"]}


@dataclass(frozen=True)
class Tempered:
    """A categorical or binary output whose raw numbers are divided by a temperature before they are read.

    Labels never change: if rounding makes the most probable class equal to others, it is raised above them.
    """

    KINDS: ClassVar = (Categorical, Binary)
    output: Categorical | Binary
    temperature: float

    @property
    def kind(self) -> str:
        return self.output.kind

    @property
    def width(self) -> int:
        return self.output.width

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.output.metrics

    def parse(self, label: str) -> float:
        return self.output.parse(label)

    def read(self, raw: NDArray[Any]) -> Array:
        """Read raw [B, width] / temperature -> probabilities [B, C]."""
        labels = self.output.read(raw).argmax(axis=-1)
        probabilities = self.output.read(raw.astype(np.float64) / self.temperature)
        moved = np.flatnonzero(probabilities.argmax(axis=-1) != labels)
        probabilities[moved, labels[moved]] = np.nextafter(probabilities[moved].max(axis=-1), 2.0)
        return probabilities

    def present(self, value: Any) -> dict[str, Any]:
        return self.output.present(value)

    def describe(self) -> dict[str, Any]:
        return self.output.describe()


@dataclass(frozen=True)
class Bounded:
    """A number in [low, high]: one raw output, clamped only when read."""

    low: float
    high: float
    kind: str = "bounded"
    metrics: tuple[str, ...] = ("pearson", "spearman")
    width: int = 1

    def parse(self, label: str) -> float:
        try:
            number = float(label)
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high:
            raise ValueError(f"label {label!r} is not a number from {self.low:g} to {self.high:g}")
        return number

    def read(self, raw: NDArray[Any]) -> Array:
        """Clamp: raw [B, 1] -> scores [B]."""
        return np.clip(raw.astype(np.float64).reshape(-1), self.low, self.high)

    def present(self, value: Any) -> dict[str, Any]:
        return {"score": float(value)}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "low": self.low, "high": self.high}
