"""States are saved when they are due; a signal or the clock stops a run after the step, a second signal at once."""

from __future__ import annotations

import signal
import time

import pytest

from mtft.training.autosave import Autosaver, StoppedError


@pytest.mark.parametrize(("every", "expected"), [("1", [1, 2, 3, 4]), ("2", [2, 4]), ("3", [3]), ("1h", [])])
def test_every_so_many_steps(every: str, expected: list[int]) -> None:
    autosaver, saved = Autosaver(every, None, ""), list[int]()
    for number in range(1, 5):
        autosaver.after_step(number, lambda n=number: saved.append(n))  # type: ignore[misc]
    assert saved == expected


def test_every_so_many_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 4.0, 11.0, 20.0, 21.0])
    monkeypatch.setattr("mtft.training.autosave.time.monotonic", lambda: next(clock))
    autosaver, saved = Autosaver("10s", None, ""), list[int]()
    for number in range(1, 5):
        autosaver.after_step(number, lambda n=number: saved.append(n))  # type: ignore[misc]
    assert saved == [2, 4]


def test_the_clock_stops_it_and_what_was_just_saved_is_not_saved_again() -> None:
    autosaver, saved = Autosaver("1h", "0.001s", "try again"), list[int]()
    time.sleep(0.002)
    with pytest.raises(StoppedError, match="stopped by max_time after step 7; try again"):
        autosaver.after_step(7, lambda: saved.append(7))
    with pytest.raises(StoppedError):
        autosaver.after_step(8, lambda: saved.append(8), saved=True)
    assert saved == [7]


def test_a_signal_waits_for_the_step_and_the_second_does_not() -> None:
    saved: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    autosaver = Autosaver("1h", None, "")
    with autosaver.watching():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            autosaver.after_step(1, lambda: saved.append(1))
    assert saved == [1]
    autosaver = Autosaver("1h", None, "")
    with autosaver.watching():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
