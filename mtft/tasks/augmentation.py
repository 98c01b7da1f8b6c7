"""Sources for training sentiment only: CFIMDB folded to two classes, and consistency on near-identical pairs.

The report weights sst by 1/2 and each of the three sources by 1/6. Here the weights are 3 and 1, renormalised over the
sources in a batch.
"""

from __future__ import annotations

from mtft.data.readers import TableReader
from mtft.outputs import Binary
from mtft.tasks.quora import DUPLICATE
from mtft.tasks.sts import SIMILARITY
from mtft.tasks.task import Source

CFIMDB = Source(
    name="cfimdb",
    task="sst",
    reader=TableReader("ids-cfimdb-{split}.csv", ("sentence",), "sentiment", Binary(("0", "1"))),
    input="single",
    loss="mtft.losses:folded_cross_entropy",
    description="long movie reviews, 5 logits folded to 2 classes",
)

QUORA_CONSISTENCY = Source(
    name="quora-consistency",
    task="sst",
    reader=TableReader("quora-{split}.csv", ("sentence1", "sentence2"), "is_duplicate", DUPLICATE, above=0.0),
    input="apart",
    loss="mtft.losses:consistency",
    description="duplicate Quora questions must have the same sentiment",
)

STS_CONSISTENCY = Source(
    name="sts-consistency",
    task="sst",
    reader=TableReader("sts-{split}.csv", ("sentence1", "sentence2"), "similarity", SIMILARITY, above=4.5),
    input="apart",
    loss="mtft.losses:consistency",
    description="STS pairs scored above 4.5 must have the same sentiment",
)
