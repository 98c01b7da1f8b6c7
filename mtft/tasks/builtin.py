"""The built-in tasks and sources, as a plugin like any other."""

from __future__ import annotations

from collections.abc import Iterable

from mtft.plugin.hookspecs import hookimpl
from mtft.tasks.augmentation import CFIMDB, QUORA_CONSISTENCY, STS_CONSISTENCY
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
