"""The loop over epochs and batches, as a generator of events; its caller evaluates, saves and reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtft.data.sampling import Rows, Sampling, drawn, epoch_batches, power
from mtft.io.text import epoch_name
from mtft.optimization.schedule import Schedule, learning_rate
from mtft.training.step import NotFiniteError, Stepper, StepResult


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; `warmup` is a share of all steps, `max_steps` cuts the last epoch short."""

    epochs: int
    batch_size: int
    lr: float
    schedule: Schedule = "linear"
    warmup: float = 0.1
    max_steps: int | None = None
    seed: int = 0
    sampling: Sampling = "proportional"

    def batches(self, sizes: Mapping[str, int], tasks: Mapping[str, str], epoch: int) -> Sequence[Rows]:
        """Return the batches of one epoch over datasets of these sizes; `tasks` names the task of each dataset."""
        counts = drawn(sizes, tasks, power(self.sampling, epoch, self.epochs))
        return epoch_batches(sizes, self.batch_size, self.seed, epoch, counts)

    def steps(self, sizes: dict[str, int]) -> int:
        """Count the optimizer steps for datasets of the given sizes."""
        full = self.epochs * -(-sum(sizes.values()) // self.batch_size)
        return full if self.max_steps is None else min(full, self.max_steps)

    def rate(self, step: int, total: int) -> float:
        """Return the learning rate of a step."""
        return learning_rate(
            step, peak=self.lr, total_steps=total, warmup_steps=round(self.warmup * total), schedule=self.schedule
        )


@dataclass(frozen=True)
class StepDone:
    """One step was taken; `number` counts from 1."""

    epoch: int
    number: int
    rate: float
    result: StepResult


@dataclass(frozen=True)
class StepSkipped:
    """A step was skipped because its loss or gradient is not finite; it is still counted."""

    epoch: int
    number: int
    error: NotFiniteError


@dataclass(frozen=True)
class EpochDone:
    """An epoch, or the part of it that `max_steps` allows, has ended; `epoch` counts from 1.

    `cut_at` is the step at which `max_steps` cut the epoch short, 0 if the epoch is whole.
    """

    epoch: int
    step: int
    cut_at: int = 0

    @property
    def name(self) -> str:
        """The epoch's number; one that was cut short, and may come again after a resume, is named by its last step."""
        return epoch_name(self.epoch, self.cut_at)


Event = StepDone | StepSkipped | EpochDone


def train(stepper: Stepper, plan: Plan, epochs_done: int = 0, steps_done: int = 0) -> Iterator[Event]:
    """Train epoch after epoch over the stepper's sources, by default their shuffled union.

    Starts after `epochs_done` epochs and `steps_done` steps in all. If a smaller `max_steps` cut an epoch short, the
    rest of that epoch comes first. The order is a pure function of the plan, so a resumed loop takes exactly the steps
    that an uninterrupted one would still take.
    """
    sizes = {name: len(source) for name, source in stepper.sources.items()}
    tasks = {name: source.task for name, source in stepper.sources.items()}
    per_epoch = -(-sum(sizes.values()) // plan.batch_size)
    total, step = plan.steps(sizes), steps_done
    first = epochs_done if step >= total else min(epochs_done, step // per_epoch)
    for epoch in range(first + 1, plan.epochs + 1):
        if step >= total and step <= per_epoch * (epoch - 1):
            return
        for rows in plan.batches(sizes, tasks, epoch)[step - per_epoch * (epoch - 1) :]:
            if step >= total:
                break
            rate = plan.rate(step, total)
            step += 1
            try:
                result = stepper.step(rows, rate, step - 1)
            except NotFiniteError as error:
                yield StepSkipped(epoch, step, error)
            else:
                yield StepDone(epoch, step, rate, result)
        yield EpochDone(epoch, step, 0 if step == per_epoch * epoch else step)
