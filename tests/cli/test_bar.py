"""The live bar fits its terminal, and shares it with messages."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mtft.cli.bar import bar
from mtft.cli.console import say
from mtft.cli.progress import ProgressBar
from mtft.plugin.context import Progress

LOSSES = {"sentiment": 0.5123, "paraphrase": 0.25, "similarity": 1.25}


def lines(at: Progress, details: str, left: float | None, width: int) -> list[str]:
    """Return what a terminal of this width shows."""
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(bar(at, details, left, width))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("phase", ["select", "head warm-up", "train", "evaluate", "train sentiment"])
def test_80_columns_hold_phase_epoch_bar_steps_and_time(phase: str) -> None:
    at = Progress(1234, 5678, 12, {}, 10, phase=phase, epochs=0 if phase == "select" else 30)
    details = "  ".join(f"{task} {loss:.4f}" for task, loss in LOSSES.items())
    first, second = lines(at, details, 3790, 80)
    assert first.startswith(phase if phase == "select" else f"{phase}, epoch 12 of 30")
    assert "━" in first
    assert first.endswith("1,234/5,678 steps  about 1:03:10 left")
    assert second == details


@given(
    st.integers(10, 200), st.integers(0, 10**7), st.integers(0, 10**7), st.text("ab ", max_size=300), st.floats(0, 1e7)
)
def test_nothing_is_wider_than_the_terminal(width: int, one: int, other: int, details: str, left: float) -> None:
    at = Progress(min(one, other), max(one, other), 3, {}, 0, phase="head warm-up", epochs=20)
    found = lines(at, details, left, width)
    assert len(found) <= 2
    assert max(map(len, found)) <= width


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_shares_the_terminal_with_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with ProgressBar() as progress:
        progress.update(Progress(1, 4, 1, {"[red]": 0.25}, 100, phase="train", epochs=2))
        say("saved")
        progress.update(Progress(4, 4, 2, {"[red]": 0.125}, 400, phase="train", epochs=2))
    shown = screen.getvalue()
    assert "saved\n" in shown
    assert "train, epoch 2 of 2" in shown
    assert "4/4 steps" in shown
    assert "[red] 0.1250" in shown
