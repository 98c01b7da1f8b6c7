"""What people type for a setting leads to its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli

from mtft.config.schema import SCHEMAS
from mtft.config.synonyms import ELSEWHERE, SYNONYMS, near

KEYS = {key for schema in SCHEMAS for key in schema.settings()}


def test_synonyms_are_of_settings_and_no_settings_themselves() -> None:
    assert set(SYNONYMS) - KEYS <= {"resume", "class_weights"}
    words = [word for others in SYNONYMS.values() for word in others.split()]
    assert len(words) == len(set(words))
    assert not set(words) & KEYS
    assert not {word for others in ELSEWHERE.values() for word in others.split()} & {*words, *KEYS}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("learning_rate", "lr"),
        ("LearningRate", "lr"),
        ("lerning_rate", "lr"),
        ("batch", "batch_size"),
        ("output", "out"),
        ("epohcs", "epochs"),
        ("seed_value", "seed"),
        ("model_path", "model"),
        ("my_seed", "seed"),
        ("dev_file", None),  # not "device"
        ("train_file", None),  # not "train_share"
        ("zzzz", None),
        ("", None),
        ("_", None),
    ],
)
def test_near(typed: str, meant: str | None) -> None:
    assert near(typed, KEYS) == meant


def test_a_synonym_of_a_setting_that_a_command_lacks_is_not_offered() -> None:
    assert near("learning_rate", ["epochs", "seed"]) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("train --learning-rate", "--lr"),
        ("train --batch", "--batch-size"),
        ("train --output", "--out"),
        ("train --epoch", "--epochs"),
        ("train --seed-value", "--seed"),
        ("train --train-file", "--config"),
        ("train --taks", "--tasks"),
        ("train --config-file", "--config"),
        ("init --train-file", "--from"),
        ("init --input", "--from"),
        ("report --output", "--out"),
        ("predict --batch", "--batch-size"),
    ],
)
def test_options_are_found_by_what_people_type(typed: str, meant: str) -> None:
    command, option = typed.split()
    done = cli(command, option, "1")
    assert (done.code, done.out) == (2, "")
    assert f"no such option: {option}; did you mean {meant}?" in done.err
    assert ("mtft init --from FILE writes one" in done.err) == (typed == "train --train-file")


def test_an_option_that_means_nothing_is_only_named() -> None:
    assert "no such option: --zzzz\n" in cli("train", "--zzzz").err


def test_keys_are_found_by_what_people_write(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('tasks = "sst"\nlearning_rate = 1e-4\n', encoding="utf-8")
    done = cli("train", "--config", tmp_path / "run.toml")
    assert done.code == 2
    assert "did you mean 'lr'?" in done.err
