"""Natural language inference for mtft: does a premise entail, leave open or contradict a hypothesis?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtft import Categorical, Source, TableReader, Task, hookimpl

MTFT_API_VERSION = 1

DATA = Path(__file__).parent / "data"
LABELS = Categorical(("entailment", "neutral", "contradiction"))


NLI = Task(
    name="nli",
    output=LABELS,
    source=Source(
        name="nli",
        reader=TableReader("{split}.jsonl", ("premise", "hypothesis"), "label", LABELS, directory=DATA),
        input="pair",
        loss="mtft_nli.model:smoothed_cross_entropy",
        description="120 pairs written for this plugin",
    ),
    head="mtft_nli.model:MatchHead",
    description="whether a premise entails a hypothesis",
)


@hookimpl
def mtft_tasks() -> Iterable[Task]:
    """One task, with its own data, head and loss."""
    return [NLI]
