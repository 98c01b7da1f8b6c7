"""The built-in tasks, sources and parts, as an ordinary plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mtft.encoder.architectures import ARCHITECTURES
from mtft.plugin.hookspecs import hookimpl
from mtft.tasks.augmentation import CFIMDB, QUORA_CONSISTENCY, STS_CONSISTENCY
from mtft.tasks.declared import HEADS
from mtft.tasks.part import Part
from mtft.tasks.quora import QUORA
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.tasks.task import Source, Task


@hookimpl
def mtft_tasks() -> Iterable[Task]:
    """Sentiment, paraphrase and similarity."""
    return [SST, QUORA, STS]


@hookimpl
def mtft_sources() -> Iterable[Source]:
    """Augmentation for sentiment."""
    return [CFIMDB, QUORA_CONSISTENCY, STS_CONSISTENCY]


@hookimpl
def mtft_heads() -> Iterable[Part]:
    """The report's head, and the smallest head."""
    return HEADS.values()


@hookimpl
def mtft_surgery() -> Iterable[Part]:
    """Return surgery methods that need no solver."""
    return [
        Part("pcgrad", "mtft.optimization.surgery:drawn_pcgrad", "conflicts projected away, in random order"),
        Part("sum", "mtft.optimization.surgery:sum_weights", "gradients added as they are"),
        Part("expected-pcgrad", "mtft.optimization.surgery:expected_pcgrad", "the mean of pcgrad over all orders"),
        Part("upgrad", "mtft.optimization.surgery:upgrad", "projected onto the cone that conflicts with no task"),
    ]


@hookimpl
def mtft_encoders() -> Iterable[Part]:
    """BERT and its relatives."""
    return [
        Part(name, "mtft.encoder.family:PACKED", f"{architecture.title} over packed batches")
        for name, architecture in ARCHITECTURES.items()
    ]


@hookimpl
def mtft_scores() -> Iterable[Part]:
    """The report's score, and baselines."""
    return [
        Part("sum", "mtft.selection.gradient_score:sum_score", "squared gradient of the whole loss"),
        Part("abs", "mtft.selection.gradient_score:abs_score", "absolute gradients of batches, added and squared"),
        Part("fisher", "mtft.selection.gradient_score:fisher_score", "squared gradients of batches, added"),
        Part("random", "mtft.selection.gradient_score:random_score", "drawn at random"),
        Part("magnitude", "mtft.selection.gradient_score:magnitude_score", "absolute value of the weight"),
        Part("bitfit", "mtft.selection.gradient_score:bias_score", "biases alone"),
    ]
