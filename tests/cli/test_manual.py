"""The help of every command is a manual page: summary, description, examples, exit codes, environment."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from commands import ROOT, cli

from mtft.cli.main import COMMANDS, main
from mtft.cli.manual import EXITS, VARIABLES

GUIDE = (ROOT / "examples/guide/shell.md").read_text(encoding="utf-8")


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Return each command that runs, with its words."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, below in found if below for leaf in leaves(below, (*path, name))]


LEAVES = dict(leaves(main))


def test_only_what_a_command_heeds_is_told() -> None:
    assert "--resume continues" in cli("train", "--help").out
    assert "--resume continues" not in cli("plan", "--help").out
    assert "MTFT_DATA_DIR" in cli("eval", "--help").out
    assert "MTFT_DATA_DIR" not in cli("report", "--help").out
    assert "HF_ENDPOINT" in cli("models", "fetch", "--help").out
    assert "HF_ENDPOINT" not in cli("plugins", "test", "--help").out


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_has_every_section_and_fits_80_columns(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*path, "--help"], terminal_width=80).stdout
    assert re.search(r"^Usage: .*\n\n  [A-Z]", text)
    assert "Exit codes:" in text
    assert "Environment:" in text
    assert path[:2] == ("config", "show") or re.search(r"Examples?\b.*:\n    .*mtft ", text), text
    long = [line for line in text.splitlines() if len(line) > 80]
    assert long == []


def test_codes_and_variables_are_those_of_the_command() -> None:
    endings = {path: str(command.epilog) for path, command in LEAVES.items()}
    assert {path for path, text in endings.items() if "--fail-under" in text} == {("eval",)}
    assert {path[-1] for path, text in endings.items() if "--max-time" in text} >= {"train", "select", "refine"}
    assert "MTFT_DATA_DIR" in endings[("eval",)]
    assert "MTFT_DATA_DIR" not in endings[("completion",)]


@pytest.mark.parametrize("code", EXITS)
def test_the_guide_names_every_exit_code(code: int) -> None:
    assert re.search(rf"\b{code}\b", GUIDE[GUIDE.index("Exit codes:") :][:300])


def test_variables_are_real() -> None:
    """Each is read somewhere in mtft, or by a library that it depends on."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mtft").rglob("*.py"))
    foreign = {"HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "NO_COLOR"}
    assert all(sources.count(name) > 1 for name in VARIABLES if name not in foreign)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_commands_with_settings_can_be_quiet_or_verbose(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    names = {option for parameter in command.params for option in parameter.opts}
    if hasattr(command.callback, "schema"):
        assert {"--quiet", "-q", "--verbose", "-v"} <= names


def test_verbose_says_where_settings_come_from_and_errors_arise(trained_run: Path) -> None:
    done = cli("eval", trained_run, "--sample", "--set", "resamples=0", "--verbose")
    assert done.code == 0
    assert "sample = true  (flag --sample)\nresamples = 0  (--set)\n" in done.err
    done = cli("eval", "nowhere", "--verbose")
    assert done.code == 2
    assert "Traceback (most recent call last)" in done.err
    assert done.err.endswith("mtft: error: nowhere/model: holds no trained model (no model.json)\n")
    assert "Traceback" not in cli("eval", "nowhere").err


def test_quiet_and_verbose_exclude_each_other() -> None:
    for flags in (["-q", "-v"], ["-v", "-q"]):
        done = cli("eval", "x", *flags)
        assert (done.code, done.err.splitlines()[0]) == (2, "mtft: error: --quiet and --verbose exclude each other")


def test_top_help_fits_80_columns() -> None:
    text = CliRunner().invoke(main, ["--help"], terminal_width=80).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    assert set(COMMANDS) <= set(re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE))
