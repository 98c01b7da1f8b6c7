"""The demo learns something: the sample data is worth shipping."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from commands import cli, summary

from mtft.data.dataset import sample_dir
from mtft.tasks.quora import QUORA
from mtft.tasks.sst import SST
from mtft.tasks.task import Task


def majority(task: Task) -> float:
    """Return the accuracy of always naming the most frequent class on dev."""
    labels = Counter(example.target for example in task.source.reader("dev", sample_dir()))
    return max(labels.values()) / sum(labels.values())


@pytest.mark.slow
def test_the_demo_beats_the_majority_class(minilm: Path, tmp_path: Path) -> None:
    cli("train", "--tasks", "sst,quora,sts", "--sample", "--model", minilm, "--out", tmp_path / "demo", "--quiet")
    dev = summary(tmp_path / "demo")["dev"]
    assert dev["sst"]["accuracy"] >= majority(SST) + 0.1
    assert dev["quora"]["accuracy"] >= majority(QUORA) + 0.1
    assert dev["sts"]["pearson"] >= 0.5
