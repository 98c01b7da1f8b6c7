"""What people type for a setting leads to its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli

from mtft.config.schema import SCHEMAS
from mtft.config.synonyms import SYNONYMS, near

KEYS = {key for schema in SCHEMAS for key in schema.settings()}


def test_synonyms_are_of_settings_and_no_settings_themselves() -> None:
    assert set(SYNONYMS) - KEYS <= {"resume", "class_weights"}
    words = [word for others in SYNONYMS.values() for word in others.split()]
    assert len(words) == len(set(words))
    assert not set(words) & KEYS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("learning_rate", "lr"), ("batch", "batch_size"), ("output", "out"), ("epohcs", "epochs"), ("zzzz", None)],
)
def test_near(typed: str, meant: str | None) -> None:
    assert near(typed, KEYS) == meant


def test_a_synonym_of_a_setting_that_a_command_lacks_is_not_offered() -> None:
    assert near("learning_rate", ["epochs", "seed"]) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("--learning-rate", "--lr"), ("--batch", "--batch-size"), ("--output", "--out"), ("--taks", "--tasks")],
)
def test_options_are_found_by_what_people_type(typed: str, meant: str) -> None:
    done = cli("train", typed, "1")
    assert (done.code, done.out) == (2, "")
    assert f"no such option: {typed}; did you mean {meant}?" in done.err


def test_an_option_that_means_nothing_is_only_named() -> None:
    assert "no such option: --zzzz\n" in cli("train", "--zzzz").err


def test_keys_are_found_by_what_people_write(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('tasks = "sst"\nlearning_rate = 1e-4\n', encoding="utf-8")
    done = cli("train", "--config", tmp_path / "run.toml")
    assert done.code == 2
    assert "did you mean 'lr'?" in done.err
