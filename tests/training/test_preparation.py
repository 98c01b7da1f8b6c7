"""What a command reads it tokenizes once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from commands import FEW, cli

from mtft.data.tokenization import Tokenizer, TokenTable, Truncation
from mtft.runs.probe import TEXTS

Rows = tuple[tuple[str, ...], ...]


@pytest.mark.parametrize(
    ("command", "splits"),
    [
        (
            ("train", "--tasks", "sst,quora,sts", *FEW, "--epochs", "2", "--batch-size", "400"),
            6 + 3,
        ),  # CFIMDB, two pairs
        (("select", "--tasks", "sst,quora,sts", "--sample", "--batches", "1"), 6),
        (("refine", "RUN", "--tasks", "sst,sts", "--sample", "--epochs", "2"), 2 + 3),
        (("eval", "RUN", "--sample"), 3),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_nothing_is_tokenized_twice(
    command: tuple[str, ...],
    splits: int,
    tiny_model: Path,
    trained_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Rows, bool]] = []
    table = Tokenizer.table

    def watched(
        self: Tokenizer, rows: Iterable[tuple[str, ...]], *, apart: bool, max_length: int
    ) -> tuple[TokenTable, Truncation]:
        rows = list(rows)
        if rows != TEXTS:  # of which each save makes its proof
            seen.append((tuple(rows), apart))
        return table(self, rows, apart=apart, max_length=max_length)

    monkeypatch.setattr(Tokenizer, "table", watched)
    own = () if "RUN" in command else ("--model", tiny_model)
    out = () if command[0] == "eval" else ("--out", tmp_path / "out")
    done = cli(*(trained_run if part == "RUN" else part for part in command), *own, *out)
    assert done.code == 0, done.err
    assert len(seen) == len(set(seen)) == splits
