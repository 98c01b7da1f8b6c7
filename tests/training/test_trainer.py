"""The trainer: what it tells its hooks and when, how it counts bad steps, stops, and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from factories import toy_model, toy_sources

from mtft.config.schema import TrainConfig
from mtft.errors import MtftError
from mtft.plugin.context import Progress, new_context
from mtft.runs.null_directory import NullRunDirectory
from mtft.training.autosave import Autosaver, StoppedError
from mtft.training.loop import EpochDone, Plan, StepDone, StepSkipped
from mtft.training.session import Session
from mtft.training.step import NotFiniteError, Rows, Stepper, StepResult
from mtft.training.trainer import Hooks, Trainer

SIZES = {"sst": 9, "sts": 7}
PLAN = Plan(epochs=3, batch_size=6, lr=1e-2)
STEPS = 3
"""Steps of an epoch."""


class Log(Hooks):
    """Writes down what happens; ends after the epoch `last`, and saves the trainer's counts."""

    def __init__(self, *, saves_epochs: bool = False, last: int = 99) -> None:
        self.saves_epochs, self.last = saves_epochs, last
        self.seen: list[Any] = []
        self.saved: list[dict[str, int]] = []
        self.ended = 0

    def after_step(self, event: StepDone) -> None:
        self.seen.append(event.number)

    def after_bad_step(self, event: StepSkipped) -> None:
        self.seen.append(f"bad {event.number}")

    def after_epoch(self, event: EpochDone) -> None:
        self.ended = event.epoch
        self.seen.append(f"epoch {event.epoch}: {self.trainer.epochs} done, {self.trainer.tally.steps} steps")

    def stops(self) -> bool:
        return self.ended >= self.last

    def save(self) -> None:
        self.saved.append(self.trainer.counts())

    def _say(self, level: str, text: str) -> None:
        self.said.append(text if level == "info" else f"{level}: {text}")

    def train(self, stepper: Stepper, every: str = "1h", most: str | None = None, bad: int = 3) -> list[Any]:
        self.said: list[str] = []
        self.shown: list[Progress] = []
        config = TrainConfig(tasks=("sst", "sts"), max_bad_steps=bad)
        served = new_context(self._say, self.shown.append)
        session = Session(config, served, None, NullRunDirectory(Path("run")), Autosaver(every, most, "go on"))  # type: ignore[arg-type]
        self.trainer = Trainer(stepper, PLAN, session, self)
        return self.seen


def stepper() -> Stepper:
    model, flat = toy_model()
    return Stepper(model, flat, toy_sources(SIZES), slice(None))


def breaking(*numbers: int) -> Stepper:
    """A stepper whose steps of these numbers, from 1, are not finite."""
    found = stepper()
    step = found.step

    def broken(rows: Rows, rate: float, number: int) -> StepResult:
        if number + 1 in numbers:
            raise NotFiniteError(f"step {number + 1}: broken")
        return step(rows, rate, number)

    found.step = broken  # type: ignore[method-assign]
    return found


def test_hooks_hear_of_every_step_and_epoch_in_order() -> None:
    log = Log()
    seen = log.train(stepper())
    log.trainer.run()
    ends = [f"epoch {epoch}: {epoch - 1} done, {STEPS} steps" for epoch in (1, 2, 3)]
    assert seen == [1, 2, 3, ends[0], 4, 5, 6, ends[1], 7, 8, 9, ends[2]]
    assert log.trainer.counts() == {"epochs": 3, "steps": 9, "bad": 0}
    assert (log.trainer.overall.steps, log.trainer.tally.steps) == (9, 0)
    assert [at.step for at in log.shown] == list(range(1, 10))
    assert {at.total for at in log.shown} == {log.trainer.total} == {9}
    assert log.shown[-1].tokens == log.trainer.overall.tokens


def test_states_are_saved_when_due_and_after_epochs_if_wanted_but_not_twice() -> None:
    for saves_epochs, expected in ((False, [2, 4, 6, 6, 8]), (True, [2, 3, 4, 6, 6, 8, 9])):
        log = Log(saves_epochs=saves_epochs)
        log.train(stepper(), every="2")
        log.trainer.run()
        assert [counts["steps"] for counts in log.saved] == expected
    assert log.saved[1] == {"epochs": 1, "steps": 3, "bad": 0}  # the epoch counts when its state is saved


def test_training_ends_when_the_hooks_say_so() -> None:
    log = Log(last=2)
    log.train(stepper())
    log.trainer.run()
    assert log.trainer.counts() == {"epochs": 2, "steps": 6, "bad": 0}


def test_bad_steps_are_counted_reported_and_at_last_an_error() -> None:
    log = Log()
    seen = log.train(breaking(2, 5), bad=2)
    log.trainer.run()
    assert [each for each in seen if str(each).startswith("bad")] == ["bad 2", "bad 5"]
    assert log.trainer.counts() == {"epochs": 3, "steps": 9, "bad": 2}
    assert log.said == ["warning: step 2: broken", "warning: step 5: broken"]
    seen = log.train(breaking(2, 5), bad=1)
    with pytest.raises(MtftError, match="step 5: broken; max_bad_steps allows 1 such steps; go on"):
        log.trainer.run()
    assert seen[-1] == "bad 5"


def test_a_trainer_that_goes_on_takes_the_steps_that_are_left() -> None:
    whole = Log()
    whole.train(stepper())
    whole.trainer.run()
    for stop in range(1, 9):
        first = Log()
        first.train(stepper(), every=str(stop))
        first.save = lambda log=first: _stop(log)  # type: ignore[method-assign, misc]
        with pytest.raises(StoppedError):
            first.trainer.run()
        again = Log()
        again.train(stepper())
        again.trainer.stepper.restore(first.state)  # type: ignore[attr-defined]
        again.trainer.restore(first.trainer.counts())
        again.trainer.run()
        expected = whole.trainer.stepper.state()
        assert all(torch.equal(value, expected[name]) for name, value in again.trainer.stepper.state().items())
        assert again.trainer.counts() == whole.trainer.counts()


def _stop(log: Any) -> None:
    log.state = {name: tensor.clone() for name, tensor in log.trainer.stepper.state().items()}
    raise StoppedError("enough")
