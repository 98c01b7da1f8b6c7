"""Semantic textual similarity: SemEval STS Benchmark (Cer et al. 2017), 0 to 5."""

from __future__ import annotations

from mtft.data.readers import TableReader
from mtft.outputs import Bounded
from mtft.tasks.task import Source, Task

SIMILARITY = Bounded(0.0, 5.0)

STS = Task(
    name="sts",
    output=SIMILARITY,
    source=Source(
        name="sts",
        reader=TableReader("sts-{split}.csv", ("sentence1", "sentence2"), "similarity", SIMILARITY),
        input="pair",
        loss="mtft.losses:squared_error",
        description="SemEval STS Benchmark",
    ),
    description="how similar two sentences are, from 0 (unrelated) to 5 (same meaning)",
)
