"""The texts that errors are made of, and the name under which pip knows mtft."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.errors import (
    DISTRIBUTION,
    FORMER_DISTRIBUTION,
    CheckpointError,
    PluginError,
    install_hint,
    missing_distribution,
    plugin_guard,
    unknown,
)
from mtft.io import toml_parser

ROOT = Path(__file__).parents[1]


def test_the_name_for_pip_is_that_of_the_project_file() -> None:
    project = toml_parser.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    assert list(project["scripts"]) == ["mtft"]


def test_plugins_ask_for_mtft_by_that_name() -> None:
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        needs = toml_parser.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"]
        assert any(each.startswith(f"{DISTRIBUTION}>=") for each in needs), path


def test_hint_installs_an_extra_that_exists() -> None:
    extras = toml_parser.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert {"hub", "onnx", "parquet"} <= set(extras)
    assert install_hint("onnx") == "pip install 'multitask-finetuning[onnx]'"


@pytest.mark.parametrize(
    ("distribution", "hinted"),
    [("some-parts", True), (DISTRIBUTION, False), (FORMER_DISTRIBUTION, False), (None, False)],
)
def test_only_plugins_are_to_be_installed(distribution: str | None, hinted: bool) -> None:
    text = missing_distribution(distribution, "2.1")
    assert text.startswith(f"{distribution} 2.1, which is not installed or does not load")
    assert ("; install it from where it came from" in text) == hinted


def test_unknown_names_the_near_match_and_what_is_allowed() -> None:
    assert unknown("task", "ssst", ["sts", "sst"]) == "unknown task 'ssst'; did you mean 'sst'? (allowed: sst, sts)"
    assert unknown("task", "sst", []) == "unknown task 'sst' (allowed: none)"


@pytest.mark.parametrize("error", [ValueError("two\nlines"), SystemExit("two\nlines")])
def test_guard_names_what_failed_whatever_is_raised(error: BaseException) -> None:
    text = f"^the head failed: {type(error).__name__}: two lines$"
    with pytest.raises(PluginError, match=text) as caught, plugin_guard("the head", "head x"):
        raise error
    assert caught.value.part == "head x"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [CheckpointError("damaged"), MemoryError(), KeyboardInterrupt()])
def test_guard_lets_our_errors_and_the_end_of_the_process_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, plugin_guard("the head", "head x"):
        raise error
    assert caught.value is error
