"""Parameters are counted from configurations, and the report's numbers come out."""

from __future__ import annotations

import json

import pytest
import torch
from factories import TASKS
from torch.nn import Module

from mtft.encoder.bert import Encoder
from mtft.encoder.directory import known_config
from mtft.model.multitask import build_head
from mtft.model.parameters import ParameterCount
from mtft.selection.budget import budget


def numbers(module: Module) -> int:
    """Return how many numbers the parameters of a module hold."""
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def report() -> ParameterCount:
    """The report's model: BERT-base, three tasks, three tenths of the encoder; shapes without weights."""
    config = known_config("bert-base-uncased")
    assert config is not None
    with torch.device("meta"):
        encoder = numbers(Encoder(config))
        heads = {task.name: numbers(build_head(task, config)) for task in TASKS}
    return ParameterCount(encoder, budget("0.3", encoder), heads)


def test_the_numbers_of_the_report(report: ParameterCount) -> None:
    assert report.encoder == 109_482_240
    assert report.selected == 32_844_672
    assert report.heads == {"sst": 9_456_389, "quora": 9_450_241, "sts": 9_450_241}
    assert report.stored == 137_839_111
    assert report.tunable == 61_201_543


def test_the_ratios_of_the_report(report: ParameterCount) -> None:
    """Three individual models have 356.8 million with the same heads and 328.4 million without any."""
    assert report.ratios() == pytest.approx(
        {
            "stored_to_individuals_with_same_heads": 137_839_111 / 356_803_591,
            "stored_to_bare_encoders": 137_839_111 / 328_446_720,
            "tunable_to_individuals_with_same_heads": 61_201_543 / 356_803_591,
            "tunable_to_bare_encoders": 61_201_543 / 328_446_720,
        }
    )
    rounded = {name: round(100 * ratio, 1) for name, ratio in report.ratios().items()}
    assert list(rounded.values()) == [38.6, 42.0, 17.2, 18.6]


def test_one_full_encoder_with_equal_heads_is_never_below_a_third() -> None:
    for head in (1, 10**6, 10**9):
        assert (
            ParameterCount(10**8, 10**8, dict.fromkeys("abc", head)).ratios()["stored_to_individuals_with_same_heads"]
            > 1 / 3
        )


def test_of_one_task_with_everything_trained_nothing_is_saved() -> None:
    ratios = ParameterCount(100, 100, {"a": 7}).ratios()
    assert ratios["stored_to_individuals_with_same_heads"] == ratios["tunable_to_individuals_with_same_heads"] == 1


def test_the_report_is_one_plain_mapping(report: ParameterCount) -> None:
    found = report.report()
    assert json.loads(json.dumps(found)) == found
    assert found["encoder"] == {"stored": report.encoder, "tunable": report.selected}
    assert (found["stored"], found["tunable"]) == (report.stored, report.tunable)
    assert found["heads"] == report.heads
    assert found["ratios"] == report.ratios()
