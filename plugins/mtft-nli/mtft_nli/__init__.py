"""Natural language inference for mtft: does a premise entail, leave open or contradict a hypothesis?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mtft import Categorical, Example, Source, TableReader, Task, hookimpl

MTFT_API_VERSION = 1

DATA = Path(__file__).parent / "data"
LABELS = Categorical(("entailment", "neutral", "contradiction"))


@dataclass(frozen=True)
class ShippedReader:
    """Reads tables that lie in this package, whatever data directory the user has."""

    table: TableReader

    def files(self, split: str, data_dir: Path) -> list[Path]:
        return self.table.files(split, DATA)

    def __call__(self, split: str, data_dir: Path) -> Iterable[Example]:
        return self.table(split, DATA)


NLI = Task(
    name="nli",
    output=LABELS,
    source=Source(
        name="nli",
        reader=ShippedReader(TableReader("{split}.jsonl", ("premise", "hypothesis"), "label", LABELS)),
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
