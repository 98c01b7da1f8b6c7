"""The probe: outputs on fixed texts, tried with a fresh model before it is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from factories import TASKS, toy_trained
from torch import Tensor, nn

from mtft.encoder.bert import Encoder, EncoderOutput
from mtft.errors import PluginError
from mtft.model.flat import FlatParameters
from mtft.model.multitask import build_model
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.probe import TEXTS, probe, probe_table, rehearse
from mtft.testing.tiny import TINY


class Restless(nn.Module):
    """A head with an output of its own each time."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.linear = nn.Linear(16, 1)

    def forward(self, output: EncoderOutput) -> Tensor:
        self.calls += 1
        answer: Tensor = self.linear(output.pooled)
        return answer * self.calls


@pytest.fixture
def trained(tiny_model: Path) -> TrainedModel:
    return toy_trained(tiny_model)


def rehearsed(trained: TrainedModel) -> None:
    rehearse(trained.model, trained.tokenizer, trained.tasks, trained.max_length)


def test_a_fresh_model_passes_and_keeps_its_state(trained: TrainedModel) -> None:
    trained.model.train()
    before, random = probe(trained), torch.get_rng_state()
    rehearsed(trained)
    assert all(torch.equal(before[name], found) for name, found in probe(trained).items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_head_that_cannot_be_saved_is_named_before_training(trained: TrainedModel) -> None:
    trained.model.heads["sts"] = Restless()
    with pytest.raises(PluginError, match=r"task 'sts': .*other outputs for the same texts each time"):
        rehearsed(trained)
    trained.model.heads["sts"] = nn.Sequential(trained.model.heads["sst"])
    trained.model.heads["sts"].register_parameter("scale", nn.Parameter(torch.zeros(2, dtype=torch.float16)))
    trained.model.widths["sts"] = trained.model.widths["sst"]
    with pytest.raises(PluginError, match=r"task 'sts': scale of its head is torch\.float16, not float32"):
        rehearsed(trained)


def test_a_model_of_one_segment_has_a_probe(trained: TrainedModel) -> None:
    encoder = Encoder(replace(TINY, segments=1))
    model = build_model(encoder, TASKS)
    FlatParameters(encoder)
    table = probe_table(model, trained.tokenizer, 40)
    assert len(table) == len(TEXTS)
    assert int(table.segments.max()) == 0
    assert int(probe_table(trained.model, trained.tokenizer, 40).segments.max()) == 1
    rehearse(model, trained.tokenizer, TASKS, 40)
