"""Projects that `mtft plugins new` writes: their names, their files, and that they work as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import cli

from mtft.commands.scaffold import TEMPLATES, scaffold
from mtft.plugin.builtin import mtft_tasks
from mtft.tasks.registry import Contribution, assemble

ROOT = Path(__file__).parents[2]
REGISTRY = assemble([Contribution("builtin", tuple(mtft_tasks()))])[0]


def test_the_project_has_all_files_and_no_mark_of_the_template(tmp_path: Path) -> None:
    made = scaffold("mtft-film-reviews", tmp_path / "deep" / "er", REGISTRY)
    assert (made.distribution, made.task) == ("mtft-film-reviews", "film-reviews")
    found = {path.relative_to(made.path).as_posix() for path in made.path.rglob("*") if path.is_file()}
    assert found == set(made.files)
    assert len(found) == len(TEMPLATES)
    assert "mtft_film_reviews/__init__.py" in found
    for path in made.files:
        text = (made.path / path).read_text()
        assert "$" not in text.replace("$ ", "").replace("${{ matrix", "").replace("${{ vars", ""), path
    assert [path.name for path in made.path.parent.iterdir()] == ["er"]


@pytest.mark.parametrize(
    "name", ["", "Reviews", "9lives", "a_b", "a--b", "a-", "../x", "mtft-", "ünder", "x" * 41, "all", "sst", "builtin"]
)
def test_names_that_are_refused(name: str, tmp_path: Path) -> None:
    done = cli("plugins", "new", name, "--out", tmp_path / "new")
    assert done.code == 2
    assert "mtft: error: NAME: " in done.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("plugins", "new", "reviews").out == "mtft-reviews\n"
    Path("file").write_text("mine")
    Path("dangling").symlink_to("nowhere")
    for path in ("mtft-reviews", "file", "dangling"):
        done = cli("plugins", "new", "reviews", "--out", path)
        assert (done.code, done.out) == (2, "")
        assert f"--out: {path} exists; nothing is overwritten" in done.err
    assert Path("file").read_text() == "mine"
    assert cli("plugins", "new", "reviews", "--out", "/proc/none/x").code == 2


@pytest.mark.slow
def test_it_is_installed_and_its_tests_pass(tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("hatchling", reason="builds without isolation, hence needs hatchling (extra: test)")
    made = Path(cli("plugins", "new", "film-reviews", "--out", tmp_path / "project", "--json").json["path"])
    site = tmp_path / "site"

    def call(*command: object, path: Any = ()) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MTFT_")}
        environment = {**kept, "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT))), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *map(str, command)], capture_output=True, text=True, env=environment, cwd=made, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    call(*pip, "--no-build-isolation", "--target", site, made)
    tested = call("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", path=[site])
    assert "10 passed" in tested
    call(
        "-m",
        "mtft",
        "train",
        "--tasks",
        "film-reviews",
        "--max-steps",
        "2",
        "--model",
        tiny_model,
        "--out",
        tmp_path / "run",
        path=[site],
    )
    frozen = call("-m", "mtft", "plugins", "freeze", path=[site])
    assert frozen == f"mtft-film-reviews @ {made.as_uri()}\n"  # not from an index
