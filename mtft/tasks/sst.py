"""Sentiment: the Stanford Sentiment Treebank, five classes (Socher et al. 2013)."""

from __future__ import annotations

from mtft.data.readers import TableReader
from mtft.outputs import Categorical
from mtft.tasks.task import Source, Task

CLASSES = Categorical(("0", "1", "2", "3", "4"))

SST = Task(
    name="sst",
    output=CLASSES,
    source=Source(
        name="sst",
        reader=TableReader("ids-sst-{split}.csv", ("sentence",), "sentiment", CLASSES),
        input="single",
        loss="mtft.losses:cross_entropy",
        weight=3.0,
        description="Stanford Sentiment Treebank, 5 classes",
    ),
    description="sentiment of a sentence, from 0 (very negative) to 4 (very positive)",
)
