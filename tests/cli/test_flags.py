"""The command line says flags where Python says settings."""

from __future__ import annotations

import shlex

import pytest
from commands import cli

import mtft
from mtft.cli.flags import Flags, flag
from mtft.errors import ConfigError, command, setting, with_names, worded


def test_a_name_is_that_of_the_caller() -> None:
    assert (setting("max_length"), setting("device", "cuda"), setting("strict", True)) == (
        "max_length",
        "device='cuda'",
        "strict=True",
    )
    with worded(Flags()):
        assert setting("max_length") == flag("max_length") == "--max-length"
        assert setting("device", "cuda") == "--device cuda"
        assert (setting("strict", True), setting("strict", False)) == ("--strict", "--no-strict")
    assert setting("max_length") == "max_length"


def test_a_call_can_be_made_as_it_is_written() -> None:
    assert command("train", resume="runs/a b") == "mtft.train(resume='runs/a b')"
    with worded(Flags()):
        assert shlex.split(command("train", resume="runs/a b")) == ["mtft", "train", "--resume", "runs/a b"]


def test_settings_in_a_fixed_text_are_renamed_and_commands_are_not() -> None:
    text = "see `max_length` and `mtft data check`"
    assert with_names(text) == "see max_length and `mtft data check`"
    with worded(Flags()):
        assert with_names(text) == "see --max-length and `mtft data check`"


def test_an_error_names_its_setting_when_it_is_shown() -> None:
    error = ConfigError("runs/a exists", setting="out")
    assert (error.setting, str(error)) == ("out", "out: runs/a exists")
    with worded(Flags()):
        assert str(error) == "--out: runs/a exists"
    assert str(ConfigError("nothing to compare")) == "nothing to compare"


def test_the_same_fault_is_named_either_way() -> None:
    with pytest.raises(ConfigError, match=r"^argument out: .*empty") as caught:
        mtft.train(tasks=["sts"], out="")
    assert "--" not in str(caught.value)
    assert "flag --out: the value is empty" in cli("train", "--tasks", "sts", "--out", "").err
