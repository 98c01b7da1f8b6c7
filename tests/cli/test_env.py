"""`mtft env`: enough for a report of a bug, and nothing private."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from commands import cli

from mtft.commands.env import NAMES
from mtft.errors import DISTRIBUTION


def test_sections_say_what_is_there() -> None:
    found = cli("env", "--json").json
    assert list(found) == ["versions", "python", "machine", "torch", "plugins", "variables"]
    assert found["versions"]["torch"] == torch.__version__
    assert found["torch"]["threads"] == torch.get_num_threads()
    assert found["plugins"]["builtin"].startswith(f"{DISTRIBUTION} ")
    assert cli("env").out.splitlines()[0].split() == ["section", "what", "found"]


def test_secrets_and_paths_are_not_told(tmp_path: Path) -> None:
    secret = f"{tmp_path}/s3cret"
    done = cli("env", **dict.fromkeys(NAMES, secret), MTFT_DISABLE_PLUGINS="some", AWS_SECRET_ACCESS_KEY=secret)
    assert secret not in done.out
    found = cli("env", "--json", HF_TOKEN=secret, MTFT_DISABLE_PLUGINS="some", OMP_NUM_THREADS="3").json["variables"]
    assert (found["HF_TOKEN"], found["MTFT_DISABLE_PLUGINS"], found["OMP_NUM_THREADS"]) == ("(set)", "some", "3")


def test_a_broken_plugin_is_shown_without_the_name_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "wreck-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wreck\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[mtft]\nwreck = wreck_of_a_plugin\n")
    (tmp_path / "wreck_of_a_plugin.py").write_text(f"raise OSError('no file in {tmp_path}')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = cli("env", "--json", HOME=str(tmp_path)).json["plugins"]
    assert found["wreck"].startswith("wreck 0.3: broken: ")
    assert "no file in ~" in found["wreck"]
    assert str(tmp_path) not in found["wreck"]
