"""Train all tasks together; evaluate each epoch on dev and keep the best one."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from mtft.config.schema import TrainConfig
from mtft.config.values import averaging
from mtft.data.shares import in_half
from mtft.errors import setting
from mtft.io.text import worst_few
from mtft.model.inference import apply, read_outputs, scores
from mtft.plugin.context import Evaluation
from mtft.report.baseline import constant_labels, judge_run
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.probe import check_saved, save_with_probe
from mtft.runs.run_card import run_card
from mtft.runs.state import scores_of
from mtft.runtime.memory import release
from mtft.selection.mask import Mask
from mtft.training.averaging import Averages
from mtft.training.early_stopping import Best
from mtft.training.loop import EpochDone, StepDone, StepSkipped
from mtft.training.preparation import build_stepper
from mtft.training.resources import make_plan
from mtft.training.session import Session
from mtft.training.tally import step_cosines
from mtft.training.temperatures import calibrate_all
from mtft.training.trainer import Hooks, Trainer

Scores = dict[str, dict[str, float]]
STAGE = "train"


class JointTraining(Hooks):
    """One training of all tasks: logs steps, evaluates epochs, keeps the best model, and resumes from a state."""

    saves_epochs = True

    def __init__(self, session: Session[TrainConfig], mask: Mask) -> None:
        config, prepared = session.config, session.prepared
        self.session, self.config, self.context, self.run_directory = session, config, session.context, session.run
        self.trained = TrainedModel(
            prepared.model,
            prepared.encoder,
            mask,
            prepared.tasks,
            prepared.tokenizer,
            prepared.max_length,
            config.model,
        )
        self.tasks, self.dev = prepared.tasks, prepared.dev
        self.judged = {name: in_half(data.keys, config.choosing, name) for name, data in self.dev.items()}
        self.best = Best(config.best, config.patience)
        self.best_scores: Scores = {}
        self.calibration: dict[str, Any] = {}
        self.saved = False
        plan = make_plan(config)
        steps = plan.steps(prepared.sizes)
        stepper = build_stepper(prepared, config, session.context, self.trained.selection, steps)
        self.trainer = Trainer(stepper, plan, session, self)
        self.averages: Averages | None = None
        if found := averaging(config.average):
            kind, amount = found
            self.averages = Averages(stepper, kind, amount, steps)

    def run(self) -> dict[str, Any]:
        """Train until the plan ends or patience runs out; write the summary and return it."""
        for task in self.tasks:
            if reason := constant_labels(task, self.dev[task.name].targets[self.judged[task.name]].astype(np.float64)):
                self.context.notify("warning", reason)
        self._restore()
        if not self.best.exhausted:
            self.trainer.run()
        self.session.group.on_first(self._check_model)
        return self._finish()

    def after_step(self, event: StepDone) -> None:
        result = event.result
        if self.averages:
            self.averages.update(event.number)
        record = {"step": event.number, "epoch": event.epoch, "lr": event.rate, "tokens": result.tokens}
        cosines = step_cosines(result)
        self.run_directory.log("steps", {**record, "losses": result.losses, **cosines, "changed": result.changed})

    def after_bad_step(self, event: StepSkipped) -> None:
        self.run_directory.log("steps", {"step": event.number, "epoch": event.epoch, "skipped": str(event.error)})

    def after_epoch(self, event: EpochDone) -> None:
        """Evaluate the trained values, or their average."""
        release()
        with self._averaged(True):
            self._judge(event)

    def stops(self) -> bool:
        if self.best.exhausted:
            self.context.notify("info", f"no better epoch for {self.best.stale}: stopping ({setting('patience')})")
        return self.best.exhausted

    def save(self) -> None:
        trainer = self.trainer
        position = {
            **trainer.counts(),
            "best": self.best.state(),
            "best_scores": self.best_scores,
            "epoch": trainer.tally.state(),
            "overall": trainer.overall.state(),
            "calibration": self.calibration,
            "logs": self.run_directory.logged(),
        }
        with self._averaged(False):
            averages = self.averages.state() if self.averages else {}
            self.session.save_state(STAGE, {**trainer.stepper.state(), **averages}, position)
        self.run_directory.log_time(saved=trainer.steps)

    def _averaged(self, applied: bool) -> AbstractContextManager[None]:
        """Put the averages, if there are any, or with False the last values, in place inside the block."""
        return self.averages.applied(applied) if self.averages else nullcontext()

    def _judge(self, event: EpochDone) -> None:
        """Evaluate on the dev rows that choose the epoch, log, and keep the model if it is the best so far."""
        raw, dev = self._evaluate(event.epoch)
        score = self.best.rate({task.name: task.primary_metric for task in self.tasks}, dev)
        better = self.best.update(event.epoch, score, event.cut_at)
        trainer, run = self.trainer, self.run_directory
        cut = {"cut_at": event.cut_at} if event.cut_at else {}
        record = {"epoch": event.epoch, "step": event.step, "train": trainer.tally.losses(), "dev": dev}
        run.log("metrics", {**record, "score": score, "best": better, **cut})
        run.log("conflicts", {"epoch": event.epoch, **trainer.tally.conflicts(), **cut})
        run.log_time(epoch=event.epoch, step=event.step, tokens=trainer.overall.tokens)
        primary = {task.name: dev[task.name][task.primary_metric] for task in self.tasks}
        texts = {task.name: f"{task.name} {task.primary_metric} {primary[task.name]:.3f}" for task in self.tasks}
        line = worst_few(texts, {name: -value for name, value in primary.items()}, "scores")
        known = "best so far" if math.isfinite(score) else "kept: no score tells epochs apart"
        self.context.notify("info", f"epoch {event.name}: dev {line}{f'  ({known})' if better else ''}")
        release()
        if better:
            self.best_scores = dev
            self.session.group.on_first(lambda: self._keep(raw))

    def _evaluate(self, epoch: int) -> tuple[dict[str, Any], Scores]:
        """Return raw outputs of dev by task, and scores on the rows that choose the epoch."""
        raw: dict[str, Any] = {}
        total = sum(len(data.table) for data in self.dev.values())
        watch = Evaluation(self.context, total, epoch, self.config.epochs)
        dev: Scores = {}
        for task in self.tasks:
            # the epoch then ends after a resume
            self.session.autosaver.stop_if_asked(f"after step {self.trainer.steps}", self.save)
            data, rows = self.dev[task.name], self.judged[task.name]
            raw |= apply(self.trained.model, data.table, [task.name], group=self.session.group, watch=watch)
            dev[task.name] = scores(task, read_outputs(task, raw[task.name][rows]), data.targets[rows])
        return raw, dev

    def _keep(self, raw: dict[str, Any]) -> None:
        """Save the model, calibrated if asked for, and its dev predictions."""
        config, run = self.config, self.run_directory
        self.trained.tasks, self.calibration = calibrate_all(config, self.tasks, raw, self.dev, self.context.notify)
        taught = ", ".join(Path(name).name for name in config.teachers)
        notes = [f"Learned from runs called {taught}, less and less as training went on."] if taught else []
        sources = self.session.prepared.sources
        card = run_card("train", config, self.trained, self.dev, self.best_scores, sources, self.calibration, *notes)
        origins = self.context.provenance.origins(self.tasks, self.trained.model.encoder.family)
        save_with_probe(run.model, self.trained, origins, card, config.precision)
        self.saved = True
        values = {task.name: read_outputs(task, raw[task.name]) for task in self.trained.tasks}
        run.write_predictions("dev", self.dev, values)

    def _restore(self) -> None:
        """Restore the run's state if this stage saved one."""
        found = self.session.load_state(STAGE)
        if not found:
            self.run_directory.cut_logs({})
            return
        tensors, position = found
        trainer = self.trainer
        trainer.stepper.restore(tensors)
        if self.averages:
            self.averages.restore(tensors)
        self.run_directory.cut_logs(position["logs"])
        trainer.restore(position)
        trainer.tally.restore(position["epoch"])
        trainer.overall.restore(position["overall"])
        self.best.restore(position["best"])
        self.best_scores, self.calibration = scores_of(position["best_scores"]), position.get("calibration", {})
        self.context.notify("info", f"going on after step {trainer.steps} of {trainer.total}")

    def _check_model(self) -> None:
        """Load the saved model and compare its outputs; CheckpointError if they differ."""
        device, matmul_dtype = self.trained.placement
        registry, base = self.context.registry, self.trained.base
        check_saved(self.run_directory.model, registry, base, device, matmul_dtype, here=self.saved)

    def _finish(self) -> dict[str, Any]:
        half, run = self.config.choosing, self.run_directory.path
        judged: dict[str, Any] = self.session.group.on_first(lambda: judge_run(run, self.tasks, half))
        for reason in judged["doubts"]:
            self.context.notify("warning", reason)
        summary = {
            "command": "train",
            "tasks": {task.name: task.primary_metric for task in self.tasks},
            "epochs": self.trainer.epochs,
            "best_epoch": self.best.epoch,
            **({"best_cut_at": self.best.cut_at} if self.best.cut_at else {}),
            "dev": self.best_scores,
            "baselines": judged["baselines"],
            "parameters": self.trained.parameters().report(),
            "conflicts": self.trainer.overall.conflicts(),
            **({"calibration": self.calibration} if self.calibration else {}),
        }
        self.run_directory.write_summary(summary)
        return summary
