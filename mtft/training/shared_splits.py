"""Splits of sources that one command needs more than once: each file is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtft.data.audit.split_reader import Request, Split, read_together
from mtft.tasks.task import Source


@dataclass(frozen=True)
class SplitReader:
    """Reads splits from `data_dir` and keeps them until they are taken."""

    data_dir: Path
    _kept: dict[tuple[str, str], Split] = field(default_factory=dict, repr=False)

    def read(self, wanted: Sequence[tuple[Source, str]]) -> list[Split]:
        """Return these splits; those that are not kept yet are read, and files that they share only once."""
        new = [(source, split) for source, split in wanted if (source.name, split) not in self._kept]
        requests = [Request(source.name, split, source.reader, source.texts) for source, split in new]
        for found in read_together(requests, self.data_dir):
            self._kept[found.source, found.split] = found
        return [self._kept[source.name, split] for source, split in wanted]

    def take(self, source: Source, split: str) -> Split:
        """Return a split and keep it no longer, so that its memory can be freed."""
        (found,) = self.read([(source, split)])
        del self._kept[source.name, split]
        return found
