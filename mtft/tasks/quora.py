"""Paraphrase detection: Quora Question Pairs."""

from __future__ import annotations

from mtft.data.readers import TableReader
from mtft.outputs import Binary
from mtft.tasks.task import Source, Task

DUPLICATE = Binary(("0", "1"))

QUORA = Task(
    name="quora",
    output=DUPLICATE,
    source=Source(
        name="quora",
        reader=TableReader("quora-{split}.csv", ("sentence1", "sentence2"), "is_duplicate", DUPLICATE),
        input="pair",
        loss="mtft.losses:binary_cross_entropy",
        description="Quora Question Pairs",
    ),
    description="whether two questions ask the same",
)
