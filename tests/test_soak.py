"""What is counted arrives in the log and on the page, failures included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soak
from commands import ROOT, clean


def test_counts_add_up_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, page = tmp_path / "soak.jsonl", tmp_path / "page.md"
    monkeypatch.setenv("MTFT_SOAK_LOG", str(log))
    for _ in range(2):
        with soak.counted("a promise", "cases") as tried:
            for _ in range(700):
                tried.one()
    with pytest.raises(AssertionError), soak.counted("broken", "kills") as tried:  # noqa: PT012
        tried.one()
        raise AssertionError
    soak.record(f"{soak.PART}, some", 600, "cases")
    assert len(log.read_text().splitlines()) == 4
    subprocess.run([sys.executable, ROOT / "tests/soak.py", log, page], check=True)
    text = page.read_text()
    assert "| a promise | 1,400 cases | 0 |" in text
    assert text.index("| broken | 1 kills | 1 |") < text.index("| a promise |")
    assert text.endswith("\nTogether: 1 kills, 1,400 cases, 0 faults, 0 lines, 1 failures.\n")


def test_nothing_is_written_without_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTFT_SOAK_LOG", raising=False)
    soak.record("a promise", 1, "faults")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'wishes', allowed: kills, cases, faults, lines"):
        soak.record("a promise", 1, "wishes")


@pytest.mark.parametrize(("flag", "sizes"), [("", "20 200"), ("1", "200 10000")])
def test_a_soak_is_larger(flag: str, sizes: str) -> None:
    script = "import soak; print(soak.kills(), soak.cases())"
    environment = clean(PYTHONPATH=f"{ROOT / 'tests'}:{ROOT}", MTFT_SOAK=flag)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sizes
