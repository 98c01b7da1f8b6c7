"""What sdist and wheel hold: everything that is needed, nothing that is only of use here."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mtft.errors import DISTRIBUTION

ROOT = Path(__file__).parents[1]
NAME = DISTRIBUTION.replace("-", "_")

pytest.importorskip("build", reason="needs the dependency group build")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it, without network."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def sources(folder: str) -> set[str]:
    """Return the files below a folder of the checkout that git knows."""
    listed = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a checkout of git")
    return set(listed.stdout.splitlines())


def test_the_wheel_holds_the_package_and_nothing_else(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    assert wheel.name.startswith(f"{NAME}-")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        text = archive.read(points).decode()
    assert names == sources("mtft")
    assert {"mtft/py.typed", "mtft/sample/sts-dev.csv", "mtft/plugin/template/ci.yml.tmpl"} <= names
    assert "mtft = mtft.cli.main:start" in text


def test_the_sdist_can_be_tested_and_has_no_records_of_runs(packages: Path) -> None:
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert sources("mtft") | sources("tests") | sources("plugins") <= names
    assert {"README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"} <= names
    assert not {name for name in names if name.startswith(("examples/report/runs", ".", "dist/", "runs/"))} - {
        ".gitignore"
    }
    assert sdist.stat().st_size < 2_000_000
