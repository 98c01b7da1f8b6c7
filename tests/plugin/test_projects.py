"""The projects under plugins/, really built, installed and used from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mtft.errors import DISTRIBUTION

ROOT = Path(__file__).parents[2]
PROJECTS = sorted((ROOT / "plugins").iterdir())

pytest.importorskip("hatchling", reason="builds without isolation, hence needs hatchling (extra: test)")

RUN = "import sys; from mtft.cli.main import run; code = run(); sys.exit(9 if 'torch' in sys.modules else code)"
"""Runs the command line; exit code 9 if that imported torch."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the projects into a folder of their own."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, *offline, "--target", str(site), *map(str, PROJECTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return site


def call(*command: str, path: Sequence[Path] = (), cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MTFT_")}
    environment = {**clean, "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT))), **environment}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, cwd=cwd)


def mtft(*args: str, path: Sequence[Path], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return call("-W", "error", "-c", RUN, *args, path=path, cwd=cwd, **environment)


def test_plugins_lists_them(site: Path, tmp_path: Path) -> None:
    done = mtft("plugins", "--json", path=[site], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = {record["name"]: record for record in json.loads(done.stdout)["plugins"]}
    assert records["nli"] == {
        "name": "nli",
        "module": "mtft_nli",
        "distribution": "mtft-nli",
        "version": "0.1.0",
        "status": "ok",
        "error": None,
        "hooks": ["mtft_tasks"],
    }
    assert (records["minimal"]["distribution"], records["minimal"]["status"]) == ("mtft-minimal", "ok")
    assert {path.name for path in PROJECTS} == {each["distribution"] for each in records.values()} - {DISTRIBUTION}
    assert {each["status"] for each in records.values()} == {"ok"}


def test_tasks_lists_both(site: Path, tmp_path: Path) -> None:
    done = mtft("tasks", "--json", path=[site], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tasks = {task["name"]: task for task in json.loads(done.stdout)["tasks"]}
    assert {"sst", "quora", "sts", "minimal", "nli"} <= set(tasks)
    assert tasks["nli"]["output"] == {"kind": "categorical", "names": ["entailment", "neutral", "contradiction"]}
    assert (tasks["nli"]["input"], tasks["nli"]["distribution"], tasks["nli"]["plugin"]) == ("pair", "mtft-nli", "nli")
    assert tasks["sst"]["sources"] == ["cfimdb", "quora-consistency", "sts-consistency"]
    sources = {source["name"]: source for source in json.loads(done.stdout)["sources"]}
    assert (sources["cfimdb"]["task"], sources["nli"]["task"]) == ("sst", "nli")


def test_tables_for_people(site: Path, tmp_path: Path) -> None:
    for command, lines in (
        ("plugins", ["nli ", "mtft-nli ", " ok "]),
        ("tasks", ["minimal ", "mtft-minimal", "binary"]),
    ):
        done = mtft(command, path=[site], cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(text in done.stdout for text in lines)


def test_the_data_is_in_the_package(site: Path) -> None:
    assert sorted(path.name for path in (site / "mtft_nli" / "data").iterdir()) == ["dev.jsonl", "train.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_their_own_tests_pass(project: Path, site: Path, tmp_path: Path) -> None:
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", str(tmp_path)]
    tests = (*options, "-c", os.devnull, str(project / "tests"))
    done = call("-m", "pytest", *tests, path=[site], cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_surgery_of_torchjd_trains_as_that_of_mtft(site: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--tasks", "sst,sts", "--sample", "--max-steps", "3", "--keep", "1", "--model", str(tiny_model))
    for name in ("upgrad", "torchjd-upgrad"):
        command = ("train", *options, "--surgery", name, "--out", name, "--quiet")
        done = call("-m", "mtft", *command, path=[site], cwd=tmp_path, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr
    own, theirs = (
        [json.loads(line) for line in (tmp_path / name / "steps.jsonl").read_text().splitlines()]
        for name in ("upgrad", "torchjd-upgrad")
    )
    for first, second in zip(own, theirs, strict=True):
        assert first["losses"] == pytest.approx(second["losses"], rel=1e-3)
        assert first["changed"] == pytest.approx(second["changed"], rel=1e-2, abs=1e-3)
    needs = json.loads((tmp_path / "torchjd-upgrad" / "environment.json").read_text())["plugins"]
    assert needs == {"mtft-torchjd": {"version": "0.1.0", "gives": ["surgery torchjd-upgrad"]}}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Make a distribution whose plugin cannot be imported."""
    info = tmp_path / "wreck" / "wreck-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wreck\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[mtft]\nwreck = wreck\n")
    (info.parent / "wreck.py").write_text("print('noise')\nimport no_such_module\n")
    return info.parent


def test_a_broken_plugin_is_listed_and_stops_no_command(site: Path, broken: Path, tmp_path: Path) -> None:
    done = mtft("plugins", "--json", path=[broken, site], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = {record["name"]: record for record in json.loads(done.stdout)["plugins"]}
    assert (records["wreck"]["status"], records["wreck"]["version"]) == ("broken", "0.3")
    assert records["wreck"]["error"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert records["nli"]["status"] == "ok"
    done = mtft("tasks", path=[broken, site], cwd=tmp_path)
    assert done.returncode == 0
    assert "warning: plugin 'wreck' (wreck 0.3) failed to load" in done.stderr


def test_strict_fails_and_names_it(broken: Path, tmp_path: Path) -> None:
    done = mtft("tasks", path=[broken], cwd=tmp_path, MTFT_STRICT_PLUGINS="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: plugin 'wreck' (wreck 0.3) is broken: ModuleNotFoundError" in done.stderr


def test_help_imports_no_plugin(broken: Path, tmp_path: Path) -> None:
    done = mtft("--help", path=[broken], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "noise" not in done.stdout


def test_disabled_plugins_are_listed_as_such(site: Path, tmp_path: Path) -> None:
    done = mtft("plugins", "--json", path=[site], cwd=tmp_path, MTFT_DISABLE_PLUGINS="mtft-nli")
    status = {record["name"]: record["status"] for record in json.loads(done.stdout)["plugins"]}
    assert (status["nli"], status["minimal"], status["builtin"]) == ("disabled", "ok", "ok")
