"""`mtft plugins test` and `freeze` on distributions made on the spot; test_scaffold.py has a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import cli
from plugin_sources import GOOD, PARTS

from mtft.errors import PluginError
from mtft.testing.suite import checks

RUDE = PARTS.replace(', Part("rude", "plugin_parts:Rude")', "")
BAD = RUDE.replace("plugin_parts", "plugin_bad")
BREACHES = {
    "reader": (
        GOOD.replace("name=name))", "name=name, loss=lambda outputs, targets: outputs.square().mean(-1)))"),
        "task good: can be sent to another process",
        "PicklingError|AttributeError",
    ),
    "head": (
        GOOD.replace("replace(SST, name=name,", "replace(SST, name=name, head='mtft.heads:nothing',"),
        "task good: head",
        "building its head failed",
    ),
    "torch": (f"import torch\n{GOOD}", "imports little", "loading it imports torch"),
    "network": (
        GOOD.replace(
            "@hookimpl",
            "import socket\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Reader:\n    def __call__(self, split, data_dir):\n"
            "        socket.create_connection(('127.0.0.1', 9))\n@hookimpl",
        ).replace("name=name))", "name=name, reader=Reader()))"),
        "source good: reads train, offline, twice the same",
        "it connects to the network",
    ),
    "surgery": (
        BAD.replace("return torch.eye(len(K))[0] * len(K)", "return torch.rand(len(K))"),
        "surgery first",
        "it draws from torch's default generator; the same draws give other weights",
    ),
    "score": (
        BAD.replace("return total *", "scoring.encoder.theta.zero_(); return total +"),
        "score near",
        "it changes the encoder's weights",
    ),
    "tracker": (
        BAD.replace("def close", "def shut").replace('self.path.open("a")', "__import__('io').StringIO()"),
        "tracker notes",
        "has no method 'close'",
    ),
}


@pytest.mark.parametrize(("name", "code"), [("good", GOOD), ("parts", RUDE)])
def test_a_plugin_that_keeps_its_contract(install: Callable[..., Path], name: str, code: str) -> None:
    info = install(name, code, version="1.5")
    done = cli("plugins", "test", name, "--json").json
    assert done["ok"]
    assert [check["check"] for check in done["checks"]][:2] == ["loads", "imports little"]
    assert all(check == {**check, "ok": True, "problems": []} for check in done["checks"])
    assert [str(check) for check in checks(f"plugin_{name}")] == [check["check"] for check in done["checks"]]
    assert cli("plugins", "freeze").out == f"dist-{name}==1.5\n"
    assert cli("plugins", "freeze", "--json").json == {"requirements": {f"dist-{name}": "1.5"}}
    for recorded, origin in (
        ({"url": "file:///a/folder", "dir_info": {"editable": True}}, "file:///a/folder"),
        ({"url": "https://x.org/y", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, "git+https://x.org/y@abc"),
    ):
        (info / "direct_url.json").write_text(json.dumps(recorded), encoding="utf-8")
        assert cli("plugins", "freeze").out == f"dist-{name} @ {origin}\n"


@pytest.mark.parametrize("case", BREACHES)
def test_what_is_wrong_is_said_check_by_check(install: Callable[..., Path], case: Any) -> None:
    code, check, problem = BREACHES[case]
    install("bad", code)
    done = cli("plugins", "test", "bad")
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith(check)]
    assert any(part in line for part in problem.split("|")), line
    failed, *others = [each for each in checks("bad") if each.problems()]
    assert f"plugin 'bad' fails {1 + len(others)} of" in done.err
    assert all(each.name.startswith(check.split()[0]) for each in others)
    with pytest.raises(AssertionError, match=check):
        failed.run()


def test_one_that_does_not_load(install: Callable[..., Path]) -> None:
    install("bad", "MTFT_API_VERSION = 9\n" + GOOD)
    done = cli("plugins", "test", "bad")
    assert done.code == 1
    assert "written for plugin API version 9; this mtft has 1" in done.out


def test_files_of_the_user_are_checked_where_he_says_they_are(install: Callable[..., Path], tmp_path: Path) -> None:
    install("good", GOOD)
    done = cli("plugins", "test", "good", "--data-dir", tmp_path)
    assert done.code == 1
    assert "ids-sst-train.csv: no such file" in done.out


def test_no_such_plugin(install: Callable[..., Path]) -> None:
    install("good", GOOD)
    with pytest.raises(PluginError, match="unknown plugin 'goood'; did you mean 'good'"):
        checks("goood")
    assert cli("plugins", "test", "goood").code == 2
