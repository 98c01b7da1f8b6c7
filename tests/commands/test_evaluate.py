"""`mtft.commands.evaluate`, called directly: what comes back, and which gates fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mtft.commands.evaluate import evaluate, sharing
from mtft.config.schema import EvalConfig
from mtft.errors import ConfigError
from mtft.plugin.context import new_context
from mtft.tasks.quora import QUORA
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS


def test_scores_are_those_of_the_run_and_its_confusion_counts_each_example(trained_run: Path) -> None:
    found = evaluate(trained_run, EvalConfig(sample=True, resamples=0), new_context())
    kept = json.loads((trained_run / "summary.json").read_text(encoding="utf-8"))["dev"]
    assert (found.split, list(found.tasks), found.failures) == ("dev", ["sst", "quora", "sts"], ())
    for name, task in found.tasks.items():
        assert {key: score.value for key, score in task.metrics.items()} == pytest.approx(kept[name], abs=1e-6)
        assert all(math.isnan(score.low) and math.isnan(score.high) for score in task.metrics.values())
    sst = found.tasks["sst"]
    assert sst.confusion is not None
    confusion = np.array(sst.confusion)
    assert confusion.shape == (5, 5)
    assert confusion.sum() == sst.n == 60
    assert confusion.trace() / sst.n == pytest.approx(sst.metrics["accuracy"].value)
    assert found.tasks["sts"].confusion is None


def test_halves_share_the_examples_out(trained_run: Path) -> None:
    given = {"tasks": ("sst",), "sample": True, "resamples": 0}
    parts = [
        evaluate(trained_run, EvalConfig(**given, half=half), new_context()).tasks["sst"].n
        for half in ("choose", "report")
    ]
    assert min(parts) > 0
    assert sum(parts) == 60


def test_a_gate_fails_below_its_limit_alone(trained_run: Path) -> None:
    said: list[str] = []
    context = new_context(lambda _level, text: said.append(text))
    limits = {"sst.accuracy": 1.01, "quora.accuracy": 0.0}
    found = evaluate(trained_run, EvalConfig(sample=True, resamples=0, fail_under=limits), context)
    accuracy = found.tasks["sst"].metrics["accuracy"].value
    assert found.failures == (f"sst.accuracy is {accuracy:.4f}, below 1.01",)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"fail_under": {"sst.bleu": 0.5}}, "unknown metric 'sst.bleu'"),
        ({"half": "report", "split": "train"}, "'report' is a half of dev, not of train"),
        ({"tasks": ("nli",)}, "nli"),
    ],
)
def test_wrong_settings_are_refused_before_data_are_read(
    settings: dict[str, object], text: str, trained_run: Path
) -> None:
    with pytest.raises(ConfigError, match=text):
        evaluate(trained_run, EvalConfig.model_validate({"sample": True, **settings}), new_context())


def test_only_tasks_of_one_file_and_the_same_texts_are_read_together() -> None:
    assert sharing([SST, QUORA, STS], "dev") == [[SST], [QUORA], [STS]]
