"""One training in progress: what happens after each step and epoch, and what a resume takes up again."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import TrainConfig
from mtft.config.values import averaging
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half
from mtft.errors import MtftError, setting
from mtft.model.inference import apply, read_outputs, scores
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context, Progress
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.directory import RunDirectory
from mtft.runs.fingerprints import settings_digest
from mtft.runs.probe import check_saved, save_with_probe
from mtft.runs.resume import check_position
from mtft.runs.run_card import run_card
from mtft.runs.state import load_state, save_state, scores_of
from mtft.runtime.memory import release
from mtft.training.autosave import Autosaver
from mtft.training.averaging import Averages
from mtft.training.early_stopping import Best
from mtft.training.loop import EpochDone, StepDone, StepSkipped
from mtft.training.loop import train as loop
from mtft.training.preparation import Prepared, build_stepper
from mtft.training.resources import make_plan
from mtft.training.tally import Tally, pair_cosines
from mtft.training.temperatures import calibrate_all

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """A finished run: where it is, its best epoch and that epoch's dev scores, and what was counted."""

    path: Path
    epochs: int
    best_epoch: int
    dev: Scores
    parameters: ParameterCount
    conflicts: dict[str, Any]


class Training:
    """One training in progress: iterates the loop, evaluates each epoch, keeps the best, writes logs and state."""

    def __init__(
        self,
        config: TrainConfig,
        context: Context,
        run: RunDirectory,
        trained: TrainedModel,
        prepared: Prepared,
        dev: dict[str, Dataset],
        best: Best,
        autosaver: Autosaver,
    ) -> None:
        self.config, self.context, self.run, self.trained = config, context, run, trained
        self.tasks, self.dev, self.best, self.autosaver = trained.tasks, dev, best, autosaver
        self.judged = {name: in_half(data.keys, config.choosing, name) for name, data in dev.items()}
        self.best_scores: Scores = {}
        self.calibration: dict[str, Any] = {}
        self.epoch, self.overall = Tally(), Tally()
        self.epochs, self.steps, self.bad, self.saved = 0, 0, 0, False
        self.sources = prepared.sources
        self.plan = make_plan(config)
        self.total = self.plan.steps({source.name: len(source) for source in prepared.sources})
        self.stepper = build_stepper(prepared, config, context, trained.selection, self.total)
        kind = averaging(config.average)
        self.averages = Averages(self.stepper, *kind, self.total) if kind else None
        self._restore()

    def run_to_end(self) -> TrainResult:
        """Train until the plan or patience ends, then write the summary."""
        events = loop(self.stepper, self.plan, self.epochs, self.steps) if not self.best.exhausted else iter(())
        for event in events:
            if isinstance(event, StepDone):
                self._after_step(event)
            elif isinstance(event, StepSkipped):
                self._after_bad_step(event)
            else:
                self._after_epoch(event)
                if self.best.exhausted:
                    self.context.notify(
                        "info", f"no better epoch for {self.best.stale}: stopping ({setting('patience')})"
                    )
                    break
            self.autosaver.after_step(self.steps, self._save_state, saved=isinstance(event, EpochDone))
        if self.run.writes:
            check_saved(
                self.run.model, self.context.registry, self.trained.base, *self.trained.placement, here=self.saved
            )
        return self._finish()

    def _after_step(self, event: StepDone) -> None:
        result, self.steps = event.result, event.number
        if self.averages:
            self.averages.update(event.number)
        self.epoch.add(result)
        self.overall.add(result)
        record = {"step": event.number, "epoch": event.epoch, "lr": event.rate, "tokens": result.tokens}
        cosines = pair_cosines(result)
        self.run.log("steps", {**record, "losses": result.losses, "cosines": cosines, "changed": result.changed})
        losses, tokens = self.epoch.losses(), self.overall.tokens
        self.context.progress(Progress(event.number, self.total, event.epoch, losses, tokens))

    def _after_bad_step(self, event: StepSkipped) -> None:
        """Log a step that was not taken; after too many the run stops, with its last state as it is."""
        self.steps, self.bad = event.number, self.bad + 1
        self.run.log("steps", {"step": event.number, "epoch": event.epoch, "skipped": str(event.error)})
        if self.bad > self.config.max_bad_steps:
            most = self.config.max_bad_steps
            raise MtftError(
                f"{event.error}; {setting('max_bad_steps')} allows {most} such steps; {self.autosaver.hint}"
            )
        self.context.notify("warning", str(event.error))

    def _after_epoch(self, event: EpochDone) -> None:
        """Judge what was trained, or its average, and save the state."""
        release()
        with self.averages.applied() if self.averages else nullcontext():
            self._judge(event)
        self.epoch = Tally()
        self._save_state()

    def _judge(self, event: EpochDone) -> None:
        """Evaluate on the part of dev that chooses, log, and keep the model if it is the best so far."""
        dev: Scores = {}
        raw: dict[str, Any] = {}
        for task in self.tasks:
            # the epoch then ends after a resume
            self.autosaver.stop_if_asked(f"after step {self.steps}", self._save_state)
            data, rows = self.dev[task.name], self.judged[task.name]
            raw |= apply(self.trained.model, data.table, [task.name], group=self.context.group)
            dev[task.name] = scores(task, read_outputs(task, raw[task.name][rows]), data.targets[rows])
        self.epochs = event.epoch
        score = self.best.rate({task.name: task.primary_metric for task in self.tasks}, dev)
        better = self.best.update(event.epoch, score)
        record = {"epoch": event.epoch, "step": event.step, "train": self.epoch.losses(), "dev": dev}
        self.run.log("metrics", {**record, "score": score, "best": better})
        self.run.log("conflicts", {"epoch": event.epoch, **self.epoch.conflicts()})
        self.run.log_time(epoch=event.epoch, step=event.step, tokens=self.overall.tokens)
        line = "  ".join(f"{task.name} {task.primary_metric} {dev[task.name][task.primary_metric]:.3f}"
                         for task in self.tasks)  # fmt: skip
        self.context.notify("info", f"epoch {event.epoch}: dev {line}{'  (best so far)' if better else ''}")
        release()
        if better:
            self.best_scores = dev
            self._save(raw)

    def _save_state(self) -> None:
        """Save everything that the run needs to go on after what was done last."""
        if not self.run.writes:
            return
        position = {
            "stage": "train", "epochs": self.epochs, "steps": self.steps, "bad": self.bad,
            "best": {"score": self.best.score, "epoch": self.best.epoch, "stale": self.best.stale},
            "best_scores": self.best_scores, "epoch": self.epoch.state(), "overall": self.overall.state(),
            "calibration": self.calibration,
            "logs": self.run.logged(), "settings": settings_digest(self.config),
        }  # fmt: skip
        with self.averages.applied(False) if self.averages else nullcontext():
            averages = self.averages.state() if self.averages else {}
            save_state(self.run.state, {**self.stepper.state(), **averages}, position)
        self.run.log_time(saved=self.steps)

    def _restore(self) -> None:
        """Take up the run's state, if it has one that training saved."""
        found = load_state(self.run.state) if self.run.writes else None
        if not self.context.group.any(found is not None and found[1].get("stage") == "train"):
            self.run.cut_logs({})
            return
        tensors, position = self.context.group.of_first(*(found or ({}, None)))
        check_position(self.run.path, position, self.config)
        self.stepper.restore(tensors)
        if self.averages:
            self.averages.restore(tensors)
        self.run.cut_logs(position["logs"])
        self.epochs, self.steps, self.bad = position["epochs"], position["steps"], position["bad"]
        score, self.best.epoch, self.best.stale = position["best"].values()
        self.best.score = -math.inf if score is None else score
        self.best_scores, self.calibration = scores_of(position["best_scores"]), position.get("calibration", {})
        self.epoch.restore(position["epoch"])
        self.overall.restore(position["overall"])
        self.context.notify("info", f"going on after step {self.steps} of {self.total}")

    def _save(self, raw: dict[str, Any]) -> None:
        """Save the model, calibrated if asked, and what it says of dev."""
        if not self.run.writes:
            return
        self.trained.tasks, self.calibration = calibrate_all(
            self.config, self.tasks, raw, self.dev, self.context.notify
        )
        taught = ", ".join(Path(name).name for name in self.config.teachers)
        notes = [f"Learned from runs called {taught}, less and less as training went on."] if taught else []
        card = run_card(
            "train", self.config, self.trained, self.dev, self.best_scores, self.sources, self.calibration, *notes
        )
        origins = self.context.provenance.origins(self.tasks, self.trained.model.encoder.family)
        save_with_probe(self.run.model, self.trained, origins, card, self.config.precision)
        self.saved = True
        values = {task.name: read_outputs(task, raw[task.name]) for task in self.trained.tasks}
        self.run.write_predictions("dev", self.dev, values)

    def _finish(self) -> TrainResult:
        counts, conflicts = self.trained.parameters(), self.overall.conflicts()
        result = TrainResult(self.run.path, self.epochs, self.best.epoch, self.best_scores, counts, conflicts)
        summary = {
            "command": "train",
            "tasks": {task.name: task.primary_metric for task in self.tasks},
            "epochs": self.epochs,
            "best_epoch": result.best_epoch,
            "dev": result.dev,
            "parameters": counts.report(),
            "conflicts": conflicts,
            **({"calibration": self.calibration} if self.calibration else {}),
        }
        self.run.write_summary(summary)
        return result
