"""Progress in plain lines: phase, epoch, steps, losses, speed and time left."""

from __future__ import annotations

import pytest

from mtft.cli.progress import ProgressBar
from mtft.cli.progress_text import time_left, where
from mtft.plugin.context import Evaluation, Progress, new_context


def training(step: int, total: int = 40, epochs: int = 2) -> Progress:
    """Return a position in a training of two tasks with 1,000 tokens in each step."""
    epoch = 1 + (step - 1) * epochs // total
    return Progress(step, total, epoch, {"sst": 1.5, "sts": 1 / step}, 1000 * step, phase="train", epochs=epochs)


def evaluation(done: int, epoch: int) -> Progress:
    return Progress(done, 100, epoch, {}, 10 * done, "example", "evaluate", 2)


def test_plain_lines_name_phase_epoch_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 1000, 1))
    with ProgressBar(clock=lambda: next(now)) as progress:
        for step in range(1, 41):
            progress.update(training(step))
    out, lines = capsys.readouterr()
    assert out == ""
    found = lines.splitlines()
    assert found[0] == "train, epoch 1 of 2: step 1/40  sst 1.5000  sts 1.0000"
    assert found[1] == "train, epoch 1 of 2: step 4/40  sst 1.5000  sts 0.2500  500 tokens/s  about 1:12 left"
    assert found[-1] == "train, epoch 2 of 2: step 40/40  sst 1.5000  sts 0.0250  500 tokens/s"
    assert len(found) == 11


def test_no_bar_and_no_control_character_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as progress:
        progress.update(training(1))
        progress.update(training(40))
    lines = capsys.readouterr().err
    assert lines.replace("\n", "").isprintable()
    assert lines.count("\n") == 2


def test_lines_come_now_and_then_when_steps_are_slow(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 10000, 10))
    with ProgressBar(every=30, clock=lambda: next(now)) as progress:
        for step in range(1, 9):
            progress.update(training(step, 1000))
    assert capsys.readouterr().err.count("\n") == 4


def test_evaluations_between_epochs_do_not_disturb_the_count_of_steps(capsys: pytest.CaptureFixture[str]) -> None:
    time = [0.0]
    with ProgressBar(every=1000, clock=lambda: time[0]) as progress:
        for step in range(1, 41):
            time[0] += 2
            progress.update(training(step))
            if step % 20 == 0:
                for done in (50, 100):
                    progress.update(evaluation(done, step // 20))
    found = capsys.readouterr().err.splitlines()
    assert not [line for line in found if "evaluate" in line]  # a short evaluation takes no line
    assert found[6].endswith("500 tokens/s  about 0:32 left")  # step 24 of 40: (46 s / 23 steps) * 16 steps
    assert len(found) == 11


def test_a_short_evaluation_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as progress:
        for done in (10, 60, 100):
            progress.update(evaluation(done, 0))
    assert capsys.readouterr() == ("", "")


def test_a_long_evaluation_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 1000, 40))
    with ProgressBar(every=30, clock=lambda: next(now)) as progress:
        progress.update(evaluation(10, 1))
        progress.update(evaluation(60, 1))
    assert capsys.readouterr().err.splitlines()[1].startswith("evaluate, epoch 1 of 2: example 60/100  ")


def test_quiet_progress_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar(quiet=True) as progress:
        progress.update(training(1))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0:00"), (5.4, "0:05"), (190, "3:10"), (610, "10:10"), (3600, "1:00:00"), (36061, "10:01:01")],
)
def test_the_time_left_has_a_label(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == (f"about {text} left" if text else "")


def test_where() -> None:
    assert where(training(1)) == "train, epoch 1 of 2"
    assert where(Progress(1, 2, 0, {}, 0, phase="select")) == "select"
    assert where(Progress(1, 2, 0, {}, 0)) == ""


def test_an_evaluation_counts_the_examples_of_all_its_tables() -> None:
    shown: list[Progress] = []
    watch = Evaluation(new_context(progress=shown.append), 10, 2, 3)
    for examples in (4, 4, 2):
        watch(examples, 7)
    assert [(at.step, at.total, at.tokens) for at in shown] == [(4, 10, 7), (8, 10, 14), (10, 10, 21)]
    assert (shown[0].phase, shown[0].epoch, shown[0].epochs) == ("evaluate", 2, 3)
