"""The smallest plugin for mtft: one task, yes or no about one sentence."""

from mtft import Binary, Source, TableReader, Task, hookimpl

ANSWER = Binary(("no", "yes"))
READER = TableReader("ids-minimal-{split}.csv", texts=("sentence",), label="answer", output=ANSWER)
SOURCE = Source("minimal", READER, input="single", loss="mtft.losses:binary_cross_entropy")


@hookimpl
def mtft_tasks():
    return [Task("minimal", ANSWER, SOURCE, description="yes or no about a sentence")]
