"""The model card: metadata that YAML reads, every task with score and count, and no word that breaks a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import FEW, TASKS, cli, summary
from factories import toy_trained

from mtft.outputs import Categorical
from mtft.runs.card import BASES, CardFacts, model_card

STORY = CardFacts(
    "train",
    {"sst": {"accuracy": 0.5, "f1": 0.25}, "quora": {"accuracy": 0.75}, "sts": {"pearson": float("nan")}},
    {"sst": 1101, "quora": 20, "sts": 863},
    {"sst": (8544, "ab" * 32)},
)


def metadata(card: str) -> dict[str, object]:
    yaml = pytest.importorskip("yaml")
    opening, text, _ = card.split("---\n", 2)
    assert opening == ""
    found: dict[str, object] = yaml.safe_load(text)
    return found


def test_metadata_are_yaml_with_every_score(tiny_model: Path) -> None:
    found = metadata(model_card(toy_trained(tiny_model), STORY))
    assert "base_model" not in found
    model_index: Any = found["model-index"]
    (model,) = model_index
    assert model["name"] == "sst-quora-sts"
    scores = {each["task"]["name"]: {m["type"]: m["value"] for m in each["metrics"]} for each in model["results"]}
    assert scores["sst"] == {"accuracy": 0.5, "f1": 0.25}
    assert scores["sts"]["pearson"] != scores["sts"]["pearson"]
    assert [each["task"]["type"] for each in model["results"]] == [
        "text-classification",
        "text-classification",
        "sentence-similarity",
    ]


def test_it_says_what_is_stored_trained_on_and_uncertain(tiny_model: Path) -> None:
    trained = toy_trained(tiny_model)
    card = model_card(trained, STORY)
    counts = trained.parameters()
    assert f"| encoder | {counts.encoder:,} | {counts.selected:,} |" in card
    assert f"| sst | 8,544 | `{'ab' * 32}` |" in card
    assert "| sst | one text | categorical | 0, 1, 2, 3, 4 | accuracy 0.5000; f1 0.2500 | 1,101 |" in card
    assert "Scores of quora rest on fewer than 300 examples." in card
    assert "mtft does not know them" in card


def test_only_an_encoder_of_mtft_is_said_to_be_one_that_can_be_merged(tiny_model: Path) -> None:
    trained = toy_trained(tiny_model)
    card = model_card(trained, STORY)
    assert "A BERT encoder shared by all tasks" in card
    assert "mtft merge" in card
    trained.model.encoder.family = "modernbert"
    card = model_card(trained, STORY)
    assert "An encoder of the family modernbert shared by all tasks" in card
    assert "mtft merge" not in card


def test_a_known_base_model_brings_its_licence_and_warning(tiny_model: Path) -> None:
    (digest,) = BASES
    trained = toy_trained(tiny_model)
    card = model_card(replace(trained, mask=replace(trained.mask, base_digest=digest)), STORY)
    assert metadata(card)["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "licence apache-2.0" in card
    assert "Quora duplicate questions" in card


def test_the_known_base_model_is_that_of_the_wheel(minilm: Path) -> None:
    from mtft.encoder.pretrained import load_encoder, weights_digest
    from mtft.model.flat import FlatParameters

    assert weights_digest(FlatParameters(load_encoder(minilm)).theta) in BASES


def test_labels_from_files_break_nothing(tiny_model: Path) -> None:
    trained = toy_trained(tiny_model)
    names = ("a|b", "c\nd", "<script>", "e\x1b[31m", "---")
    task = replace(trained.tasks[0], output=Categorical(names))
    card = model_card(replace(trained, tasks=(task, *trained.tasks[1:])), STORY)
    (row,) = (line for line in card.splitlines() if line.startswith("| sst | one text"))
    assert row.count(" | ") == 5
    assert "a\\|b, c d, &lt;script>" in row
    assert "\x1b" not in card


def test_runs_write_it_among_their_digests(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    card = (trained_run / "model" / "README.md").read_text()
    for task in TASKS:
        metric = summary(trained_run)["tasks"][task]
        assert f"{metric} {summary(trained_run)['dev'][task][metric]:.4f}".replace("nan", ".nan") in card
    assert '"README.md"' in (trained_run / "model" / "digests.json").read_text()
    options = ("--tasks", "sst", "--sample", "--epochs", "1")
    assert cli("refine", trained_run, *options, "--out", tmp_path / "refined").code == 0
    assert "Heads refined on a run called trained: " in (tmp_path / "refined" / "model" / "README.md").read_text()
    again = ("train", "--tasks", ",".join(TASKS), *FEW, "--model", tiny_model, "--out", tmp_path / "again")
    assert cli(*again).code == 0
    assert (tmp_path / "again" / "model" / "README.md").read_text() == card
