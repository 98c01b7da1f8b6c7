"""`mtft tasks` and `mtft plugins`, and the help of every command; tests/plugin/ has them with real plugins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import clean, cli

from mtft.cli.main import COMMANDS, main
from mtft.errors import DISTRIBUTION

HEAVY = ("torch", "numpy", "pluggy", "tokenizers", "safetensors", "rich", "mtft.plugin", "mtft.tasks", "mtft.commands")


def leaves(name: str) -> list[str]:
    """Return a command, or those below it if it is a group, and the group itself if it does something."""
    command = main.get_command(click.Context(main), name)
    below = [f"{name} {below}" for below in command.commands] if isinstance(command, click.Group) else []
    return below if below and not command.invoke_without_command else [name, *below]


NAMES = [leaf for name in COMMANDS for leaf in leaves(name)]


def test_tasks() -> None:
    found = cli("tasks", "--json", MTFT_DISABLE_PLUGINS="1").json
    assert [task["name"] for task in found["tasks"]] == ["sst", "quora", "sts"]
    keys = ["name", "output", "input", "metrics", "sources", "plugin", "distribution", "version", "description"]
    assert all(list(task) == keys and task["distribution"] == DISTRIBUTION for task in found["tasks"])
    assert [source["name"] for source in found["sources"]] == [
        "sst",
        "cfimdb",
        "quora-consistency",
        "sts-consistency",
        "quora",
        "sts",
    ]
    tasks, sources = cli("tasks", MTFT_DISABLE_PLUGINS="1").out.split("\n\n")
    assert [line.split()[0] for line in tasks.splitlines()] == ["task", "sst", "quora", "sts"]
    assert sources.splitlines()[0].split()[:4] == ["source", "task", "input", "weight"]


def test_plugins() -> None:
    done = cli("plugins", "--json", MTFT_DISABLE_PLUGINS="1")
    builtin = done.json["plugins"][0]
    assert (builtin["name"], builtin["module"], builtin["status"]) == ("builtin", "mtft.plugin.builtin", "ok")
    header, first, *_ = cli("plugins").out.splitlines()
    assert header.split() == ["name", "distribution", "version", "status", "hooks"]
    assert first.split()[:2] == ["builtin", DISTRIBUTION]


@pytest.mark.parametrize("command", ["tasks", "plugins"])
def test_a_strict_user_is_told_and_the_others_are_warned(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "wreck-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wreck\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[mtft]\nwreck = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    done = cli(command)
    assert done.code == 0
    assert "No module named 'no_such_module'" in done.out + done.err
    done = cli(command, MTFT_STRICT_PLUGINS="1")
    assert (done.code, done.out) == (2, "")
    assert "plugin 'wreck' (wreck 0.3) is broken" in done.err
    done = cli("count-params", "--tasks", "wrecked")
    assert "unknown task 'wrecked'" in done.err
    assert "plugin 'wreck' (wreck 0.3) failed to load" in done.err


def test_help_of_every_command_is_light() -> None:
    probe = (
        "import contextlib, io, json, sys\nfrom mtft.cli.main import run\nfound = {}\n"
        f"for name in {NAMES!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        code = run([*name.split(), '--help'])\n"
        f"    found[name] = [code, out.getvalue(), [m for m in {HEAVY!r} if m in sys.modules]]\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", probe], capture_output=True, check=True, env=clean())
    for name, (code, text, heavy) in json.loads(done.stdout).items():
        assert (code, heavy) == (0, []), name
        assert text.startswith(f"Usage: mtft {name} ")
        assert "--json" in text or name in ("predict", "config show", "completion")


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_names_its_neighbour(name: str) -> None:
    words = [*name.split(), "train"] if name == "config show" else name.split()
    wrong, right = {"completion": ("--hlp", "--help"), "predict": ("--quite", "--quiet")}.get(name, ("--jsn", "--json"))
    done = cli(*words, wrong)
    assert (done.code, done.out) == (2, "")
    assert "mtft: error: no such option" in done.err
    assert right in done.err
    assert f"mtft: try 'mtft {' '.join(words)} --help'" in done.err
