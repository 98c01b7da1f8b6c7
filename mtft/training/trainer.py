"""The one trainer: takes the steps of a plan, counts them, skips bad ones, shows progress, saves and stops.

It serves joint training, head epochs and refinement. What differs between these is in their `Hooks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from mtft.config.schema import RefineConfig, TrainConfig
from mtft.errors import MtftError, setting
from mtft.plugin.context import Progress
from mtft.training.loop import EpochDone, Plan, StepDone, StepSkipped
from mtft.training.loop import train as loop
from mtft.training.session import Session
from mtft.training.step import Stepper
from mtft.training.tally import Tally


class Hooks(ABC):
    """The methods that a trainer calls. A training must define `save`; by default the others do nothing."""

    saves_epochs = False
    """Whether to save the state after every epoch, or only when it is due."""

    @abstractmethod
    def save(self) -> None:
        """Save the state that a resume starts from."""

    def after_step(self, event: StepDone) -> None:  # noqa: B027
        """Do nothing by default; called after each step that was taken."""

    def after_bad_step(self, event: StepSkipped) -> None:  # noqa: B027
        """Do nothing by default; called after a step that was skipped because its loss or gradient is not finite."""

    def after_epoch(self, event: EpochDone) -> None:  # noqa: B027
        """Do nothing by default; called at the end of an epoch, before the trainer counts it."""

    def stops(self) -> bool:
        """Return whether the training ends with this epoch; by default it goes on."""
        return False


class Trainer:
    """A training in progress: `epochs` and `steps` done, steps skipped as `bad`, and sums over both.

    `tally` sums over the epoch in progress, `overall` over all steps. `phase` names the training in its progress.
    """

    def __init__(
        self,
        stepper: Stepper,
        plan: Plan,
        session: Session[TrainConfig] | Session[RefineConfig],
        hooks: Hooks,
        phase: str = "train",
    ) -> None:
        self.stepper, self.plan, self.hooks, self.phase = stepper, plan, hooks, phase
        self.context, self.autosaver, self.max_bad = session.context, session.autosaver, session.config.max_bad_steps
        self.total = plan.steps({name: len(source) for name, source in stepper.sources.items()})
        self.epochs = self.steps = self.bad = 0
        self.tally, self.overall = Tally(stepper.tasks), Tally(stepper.tasks)

    def counts(self) -> dict[str, int]:
        """Return the counts of epochs and steps, for the state."""
        return {"epochs": self.epochs, "steps": self.steps, "bad": self.bad}

    def restore(self, counts: Mapping[str, Any]) -> None:
        """Restore what `counts` returned."""
        self.epochs, self.steps, self.bad = counts["epochs"], counts["steps"], counts["bad"]

    def run(self) -> None:
        """Take all remaining steps, unless the hooks end the training earlier."""
        for event in loop(self.stepper, self.plan, self.epochs, self.steps):
            saved = False
            if isinstance(event, StepDone):
                self._count(event)
            elif isinstance(event, StepSkipped):
                self._skip(event)
            else:
                saved = self._end_epoch(event)
                if self.hooks.stops():
                    return
            self.autosaver.after_step(self.steps, self.hooks.save, saved=saved)

    def _count(self, event: StepDone) -> None:
        self.steps = event.number
        self.tally.add(event.result)
        self.overall.add(event.result)
        self.hooks.after_step(event)
        losses, tokens, epochs = self.tally.losses(), self.overall.tokens, self.plan.epochs
        at = Progress(event.number, self.total, event.epoch, losses, tokens, phase=self.phase, epochs=epochs)
        self.context.progress(at)

    def _skip(self, event: StepSkipped) -> None:
        """Count a skipped step; too many of them are an error, and the last saved state remains."""
        self.steps, self.bad = event.number, self.bad + 1
        self.hooks.after_bad_step(event)
        if self.bad > self.max_bad:
            limit = f"{setting('max_bad_steps')} allows {self.max_bad} such steps"
            raise MtftError(f"{event.error}; {limit}; {self.autosaver.hint}")
        self.context.notify("warning", str(event.error))

    def _end_epoch(self, event: EpochDone) -> bool:
        """Count an epoch; return whether the state was saved."""
        self.hooks.after_epoch(event)
        self.epochs, self.tally = event.epoch, Tally(self.stepper.tasks)
        if self.hooks.saves_epochs:
            self.hooks.save()
        return self.hooks.saves_epochs
