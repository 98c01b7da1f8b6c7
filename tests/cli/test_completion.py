"""Completion in real shells, and what it loads."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import MTFT, clean, cli

from mtft.cli.main import COMMANDS

HEAVY = ("torch", "pluggy", "mtft.plugin", "mtft.commands", "tokenizers")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_mtft(shell: str) -> None:
    done = cli("completion", shell)
    assert done.code == 0
    assert f"_MTFT_COMPLETE={shell}_complete" in done.out
    assert cli("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("co", {"compare", "completion", "config", "count-params"}),
        ("train --surg", {"--surgery"}),
        ("train --preset report-", {"report-vanilla", "report-sam"}),
        ("eval --split ", {"dev", "test", "train"}),
        ("config show re", {"refine", "report"}),
        ("config show train --prese", {"--preset"}),
        ("completion ", {"bash", "zsh", "fish"}),
        ("data ch", {"check"}),
    ],
)
def test_what_is_offered_needs_neither_plugins_nor_torch(words: str, expected: set[str]) -> None:
    probe = f"import sys; from mtft.cli.main import run; run(); print([m for m in {HEAVY!r} if m in sys.modules])"
    typed = f"mtft {words}"
    position = len(typed.split()) - (not typed.endswith(" "))
    found = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env=clean(_MTFT_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=str(position)),
    ).stdout
    *offered, loaded = found.splitlines()
    assert {line.partition(",")[2] for line in offered} == expected
    assert loaded == "[]"


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `mtft` is a program, and the home is empty."""
    program = tmp_path / "mtft"
    program.write_text(f'#!/bin/sh\nexec {" ".join(MTFT)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return clean(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", HOME=str(tmp_path), TERM="xterm")


def typed(command: list[str], lines: list[str], wait_for: str, environment: dict[str, str]) -> str:
    """Type into a shell on a terminal of its own until the text is there, and return all that it showed."""
    child, terminal = pty.fork()
    if not child:
        os.execvpe(command[0], command, environment)
    shown = ""
    try:
        for line in lines:
            os.write(terminal, line.encode())
            last = line is lines[-1]
            end = time.monotonic() + 60
            while time.monotonic() < end and (wait_for if last else "ready") not in plain(shown):
                if select.select([terminal], [], [], 0.2)[0]:
                    shown += os.read(terminal, 65536).decode(errors="replace")
            if not last:
                shown = shown.replace("ready", "")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)
    return plain(shown)


def plain(text: str) -> str:
    """Take what steers a terminal out."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>()][0-9A-B]?)", "", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "start"),
    [
        (["bash", "--norc", "-i"], "source <(mtft completion bash); echo rea''dy\n"),
        (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(mtft completion zsh); echo rea''dy\n"),
    ],
    ids=["bash", "zsh"],
)
def test_a_tab_completes_on_a_terminal(shell: list[str], start: str, on_path: dict[str, str]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    shown = typed(shell, [start, "mtft train --preset report-v\t"], "report-vanilla", on_path)
    assert "report-vanilla" in shown


@pytest.mark.slow
def test_fish_completes(on_path: dict[str, str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("no fish here")
    script = "mtft completion fish | source; complete -C 'mtft co'"
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True, env=on_path)
    found = {line.split("\t")[0] for line in done.stdout.splitlines()}
    assert found == {name for name in COMMANDS if name.startswith("co")}
