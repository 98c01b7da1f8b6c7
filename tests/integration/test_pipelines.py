"""The pipelines in the guide run as they stand there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import MTFT, ROOT, clean

from mtft.data.dataset import sample_dir

GUIDE = (ROOT / "examples/guide/shell.md").read_text(encoding="utf-8")
PIPELINES = re.findall(r"^\$ (.*\| jq .*)$", GUIDE, re.MULTILINE)


def test_there_are_some() -> None:
    assert len(PIPELINES) >= 5


@pytest.fixture
def folder(tmp_path: Path, trained_run: Path) -> Path:
    """A directory with the files that the guide names."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/unified").symlink_to(trained_run)
    (tmp_path / "data").symlink_to(sample_dir())
    (tmp_path / "run.toml").write_text('tasks = ["sst"]\nepochs = 2\n', encoding="utf-8")
    reviews = [{"id": n, "body": f"A film, number {n}."} for n in range(3)]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reviews), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_pipeline_of_the_guide(pipeline: str, folder: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("no jq here")
    script = f'set -o pipefail; mtft() {{ {" ".join(MTFT)} "$@"; }}; {pipeline}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, cwd=folder, env=clean())
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() not in ("", "[]", "{}", "null")
    assert "null" not in done.stdout
