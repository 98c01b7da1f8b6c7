"""The tutorials under examples/ run as they stand there, on a tiny model and in few steps."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import MTFT, ROOT, Done, clean, summary

from mtft.data.dataset import sample_dir

LINES = re.compile(r"^\$ (.*)$", re.MULTILINE)


def tutorial(script: str, folder: Path, model: Path, **environment: str) -> Done:
    """Run a script in `folder`, where every `mtft train` is one of few steps on a tiny model."""
    here = " ".join(MTFT)
    few = f"--model {model} --max-steps 2 --batches 1 --max-length 40"
    function = f"""mtft() {{
        if [ "$1" = train ] && [ "$2" != --resume ]; then {here} "$@" {few}; else {here} "$@"; fi
    }}
    export -f mtft; set -euo pipefail
    """
    done = subprocess.run(
        ["bash", "-c", function + script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=clean(**environment),
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_own_data(tiny_model: Path, tmp_path: Path) -> None:
    source = ROOT / "examples" / "own-data"
    folder = shutil.copytree(source, tmp_path / "examples" / "own-data")
    lines = LINES.findall((source / "README.md").read_text(encoding="utf-8"))
    assert len(lines) == 6
    done = tutorial("\n".join(lines), tmp_path, tiny_model)
    assert done.code == 0, done.err
    assert (folder / "run.toml").read_text(encoding="utf-8") == (source / "expected.toml").read_text(encoding="utf-8")
    assert set(summary(folder / "runs/own")["dev"]) == {"reviews-mood", "reviews-again", "questions"}
    assert '"reviews-mood": {"label": ' in done.out


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq here")
def test_nightly(tiny_model: Path, tmp_path: Path) -> None:
    """The first night trains, the second goes on with what is finished; a gate that is too high ends with its code."""
    texts = "printf '%s\\n' 'A film.' '{broken' 'One?\tTwo?'"
    night = f"{texts} | bash {ROOT}/examples/pipelines/nightly.sh {sample_dir()} run"
    first = tutorial(night, tmp_path, tiny_model, GATE="quora.accuracy=0")
    assert first.code == 0, first.err
    assert len(first.lines) == 3
    assert "quora\taccuracy\t0." in first.err
    assert tutorial(night, tmp_path, tiny_model, GATE="quora.accuracy=0").out == first.out
    gate = tutorial(night, tmp_path, tiny_model, GATE="quora.accuracy=1")
    assert (gate.code, gate.out) == (3, "")
