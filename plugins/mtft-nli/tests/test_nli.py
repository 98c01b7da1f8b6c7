"""What any plugin can check with `mtft.testing`, and what is this plugin's own."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from mtft_nli import NLI
from mtft_nli.model import SMOOTHING, smoothed_cross_entropy

from mtft.testing.conformance import assert_task_conforms


def test_conforms() -> None:
    assert_task_conforms(NLI)


@pytest.mark.parametrize(("split", "count"), [("train", 90), ("dev", 30)])
def test_data_is_balanced_and_has_no_repeats(split: str, count: int) -> None:
    examples = list(NLI.source.reader(split, Path("/nowhere")))
    assert Counter(example.target for example in examples) == dict.fromkeys([0.0, 1.0, 2.0], count // 3)
    assert len({example.texts for example in examples}) == count
    assert len({example.texts[1] for example in examples}) == count


def test_no_premise_is_in_both_splits() -> None:
    train, dev = ({example.texts[0] for example in NLI.source.reader(split, Path())} for split in ("train", "dev"))
    assert not train & dev


def test_loss_is_cross_entropy_towards_smoothed_targets() -> None:
    outputs, targets = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]]), torch.tensor([0.0, 2.0])
    smoothed = torch.full((2, 3), SMOOTHING / 3)
    smoothed[torch.arange(2), targets.long()] += 1 - SMOOTHING
    expected = -(smoothed * outputs.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(smoothed_cross_entropy(outputs, targets), expected)
    assert smoothed_cross_entropy(outputs, targets)[1].item() == pytest.approx(math.log(3))
