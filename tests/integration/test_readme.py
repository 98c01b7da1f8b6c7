"""The README shows what its commands print, and the sample data is worth shipping: the demo learns something."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from commands import summary
from generate_readme import BLOCK, README, block, commands

from mtft.data.dataset import sample_dir
from mtft.tasks.quora import QUORA
from mtft.tasks.sst import SST
from mtft.tasks.task import Task

TEXT = README.read_text(encoding="utf-8")
SCORE = re.compile(r"-?\b\d\.\d+\b")
MACHINE = re.compile(r"[\d.]+ [KMG]iB|  \(best so far\)|best epoch \d")
"""Memory, disk, and the epoch that is best, which depend on the machine."""


def same_on_all_machines(text: str) -> str:
    """Return an output without scores and what else depends on the machine."""
    return MACHINE.sub("", SCORE.sub("X", text))


@pytest.fixture(scope="module")
def recorded(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the commands of the README print, and the directory in which they ran."""
    folder = tmp_path_factory.mktemp("readme")
    return block(commands(TEXT), folder), folder


def test_the_first_block_holds_the_commands() -> None:
    lines = commands(TEXT)
    assert len(lines) == 3
    assert lines[0].startswith("mtft train --tasks sst,quora,sts --sample")


@pytest.mark.slow
def test_the_readme_shows_what_its_commands_print(recorded: tuple[str, Path]) -> None:
    """Word for word but for scores, which differ a little between processors, and for memory and disk."""
    shown, printed = BLOCK.findall(TEXT)[0], recorded[0]
    assert same_on_all_machines(shown) == same_on_all_machines(printed), "make readme"
    scores = [[float(score) for score in SCORE.findall(text)] for text in (shown, printed)]
    assert scores[0] == pytest.approx(scores[1], rel=0.25, abs=0.25)


def majority(task: Task) -> float:
    """Return the accuracy of always naming the most frequent class on dev."""
    labels = Counter(example.target for example in task.source.reader("dev", sample_dir()))
    return max(labels.values()) / sum(labels.values())


@pytest.mark.slow
def test_the_demo_beats_the_majority_class(recorded: tuple[str, Path]) -> None:
    dev = summary(recorded[1] / "runs/first")["dev"]
    assert dev["sst"]["accuracy"] >= majority(SST) + 0.1
    assert dev["quora"]["accuracy"] >= majority(QUORA) + 0.1
    assert dev["sts"]["pearson"] >= 0.5
