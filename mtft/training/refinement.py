"""Train single heads of a finished run, one after the other, on its frozen encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from mtft.config.schema import RefineConfig
from mtft.data.shares import in_half
from mtft.model.inference import apply, read_outputs, scores
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.probe import check_saved, save_with_probe
from mtft.runs.run_card import run_card
from mtft.runs.state import scores_of
from mtft.tasks.task import Task
from mtft.training.early_stopping import Best
from mtft.training.feature_cache import FeatureCache
from mtft.training.joint_training import Scores
from mtft.training.loop import EpochDone, Plan
from mtft.training.session import Session
from mtft.training.step import Stepper
from mtft.training.temperatures import calibrate_all
from mtft.training.trainer import Hooks, Trainer

STAGE = "refine"


class Refinement:
    """One refinement in progress: the finished heads, whether each improved, and the head in training."""

    def __init__(self, session: Session[RefineConfig], trained: TrainedModel, origin: str) -> None:
        self.session, self.trained, self.origin = session, trained, origin
        self.config, self.context, self.out = session.config, session.context, session.run
        self.chosen = session.prepared.tasks
        self.sources = {source.task: source for source in session.prepared.sources}
        self.dev = dict(session.prepared.dev)
        self.features = FeatureCache(
            trained, self.config.feature_cache, self.out.path / "features", self.context, session.autosaver
        )
        self.before: Scores = {}
        self.done: dict[str, bool] = {}
        self.current: HeadTraining | None = None

    def run(self) -> dict[str, Any]:
        """Refine task after task and write the new run; return its summary."""
        self._restore()
        for name, data in self.dev.items():
            self.dev[name] = replace(data, table=self.features.add(f"{name}.dev", data.table))
        self.before = self.before or {task.name: self.evaluate(task)[1] for task in self.trained.tasks}
        for task in self.chosen:
            if task.name not in self.done:
                self._refine(self.current or self._begin(task))
        return self._finish()

    def _begin(self, task: Task) -> HeadTraining:
        """Prepare the training of a task's head."""
        plain = self.sources[task.name]
        source = replace(plain, table=self.features.add(f"{task.name}.train", plain.table))
        config = self.config
        stepper = Stepper(
            self.trained.model,
            self.trained.encoder,
            [source],
            None,
            weight_decay=config.weight_decay,
            eps=config.eps,
            seed=config.seed,
        )
        rate = config.task_lr.get(task.name, config.lr)
        plan = Plan(config.epochs, config.batch_size, rate, config.schedule, config.warmup, seed=config.seed)
        self.current = HeadTraining(self, task, stepper, plan)
        return self.current

    def _refine(self, current: HeadTraining) -> None:
        """Train one head and put the best one into the model."""
        name = current.task.name
        current.trainer.run()
        current.head.copy_(current.kept)
        self.done[name] = current.best.epoch > 0
        self.current = None
        self.save()
        self.features.remove(f"{name}.train")

    def save(self) -> None:
        """Save everything that a resume needs: the finished heads and the one in training."""
        heads = {name: self.trained.model.heads[name].state_dict() for name in self.done}
        tensors = {f"done.{name}.{key}": value for name, head in heads.items() for key, value in head.items()}
        position: dict[str, Any] = {
            "done": self.done,
            "before": self.before,
            "logs": self.out.logged(),
            "features": self.features.chosen,
        }
        if self.current:
            tensors |= self.current.tensors()
            position["current"] = self.current.position()
        self.session.save_state(STAGE, tensors, position)

    def _restore(self) -> None:
        """Restore the state of a stopped refinement, if there is one."""
        if not (found := self.session.load_state(STAGE)):
            self.out.cut_logs({})
            return
        tensors, position = found
        self.out.cut_logs(position["logs"])
        self.before, self.done = scores_of(position["before"]), position["done"]
        self.features.chosen |= position.get("features", {})
        for name in self.done:
            self.features.remove(f"{name}.train")
            head = self.trained.model.heads[name]
            head.load_state_dict({key: tensors[f"done.{name}.{key}"] for key in head.state_dict()})
        if kept := position.get("current"):
            self._begin(next(task for task in self.chosen if task.name == kept["task"])).restore(tensors, kept)

    def evaluate(self, task: Task) -> tuple[NDArray[Any], dict[str, float]]:
        """Return a task's raw dev outputs, and its scores on the rows that choose the epoch."""
        data = self.dev[task.name]
        raw = apply(self.trained.model, data.table, [task.name])[task.name]
        rows = in_half(data.keys, self.config.choosing, task.name)
        return raw, scores(task, read_outputs(task, raw[rows]), data.targets[rows])

    def _finish(self) -> dict[str, Any]:
        """Write predictions, model and summary; return the summary."""
        trained, config, context, out = self.trained, self.config, self.context, self.out
        kept = [name for name, better in self.done.items() if better]
        found = {task.name: self.evaluate(task) for task in trained.tasks}
        raw, after = {name: each[0] for name, each in found.items()}, {name: each[1] for name, each in found.items()}
        trained.tasks, calibration = calibrate_all(config, trained.tasks, raw, self.dev, context.notify)
        values = {task.name: read_outputs(task, raw[task.name]) for task in trained.tasks}
        out.write_predictions("dev", self.dev, values)
        note = f"Heads refined on a run called {self.origin}: {', '.join(kept) or 'none got better'}."
        sources = self.sources.values()
        card = run_card("refine", config, trained, self.dev, after, sources, calibration, note)
        origins = context.provenance.origins(trained.tasks, trained.model.encoder.family)
        save_with_probe(out.model, trained, origins, card, config.precision)
        device, matmul_dtype = trained.placement
        check_saved(out.model, context.registry, trained.base, device, matmul_dtype)
        self.features.clear()
        summary = {
            "command": "refine",
            "refined_from": self.origin,
            "kept": kept,
            "before": self.before,
            "tasks": {task.name: task.primary_metric for task in trained.tasks},
            "dev": after,
            "parameters": trained.parameters().report(),
            **({"calibration": calibration} if calibration else {}),
        }
        out.write_summary(summary)
        return summary


class HeadTraining(Hooks):
    """The training of one head; `kept` is the best one so far, initially the run's own."""

    def __init__(self, refinement: Refinement, task: Task, stepper: Stepper, plan: Plan) -> None:
        self.refinement, self.task = refinement, task
        self.trainer = Trainer(stepper, plan, refinement.session, self, f"train {task.name}")
        self.head = stepper.heads[task.name].theta
        self.kept = self.head.clone()
        self.best = Best("mean", refinement.config.patience, epoch=-1)
        self.best.score = self._rate(refinement.before[task.name])

    def _rate(self, found: dict[str, float]) -> float:
        return self.best.rate({self.task.name: self.task.primary_metric}, {self.task.name: found})

    def after_epoch(self, event: EpochDone) -> None:
        """Evaluate the head, and keep it if it is the best so far."""
        task, run = self.task, self.refinement.out
        found = self.refinement.evaluate(task)[1]
        better = self.best.update(event.epoch, self._rate(found))
        if better:
            self.kept = self.head.clone()
        record = {"task": task.name, "epoch": event.epoch, "step": event.step, "train": self.trainer.tally.losses()}
        run.log("metrics", {**record, "dev": {task.name: found}, "best": better})
        run.log_time(task=task.name, epoch=event.epoch)
        value, mark = found[task.primary_metric], "better" if better else "not better"
        text = f"{task.name} epoch {event.epoch}: dev {task.primary_metric} {value:.4f} ({mark})"
        self.refinement.context.notify("info", text)

    def stops(self) -> bool:
        return self.best.exhausted

    def save(self) -> None:
        self.refinement.save()

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that a resume needs."""
        return {"kept": self.kept, **self.trainer.stepper.state()}

    def position(self) -> dict[str, Any]:
        """Return the position: steps, epochs and scores so far."""
        trainer = self.trainer
        sums = {"tally": trainer.tally.state(), "tokens": trainer.overall.tokens}
        return {"task": self.task.name, "best": self.best.state(), **sums, **trainer.counts()}

    def restore(self, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `position` returned."""
        self.trainer.stepper.restore(tensors)
        self.kept = tensors["kept"].to(self.kept.device)
        self.best.restore(position["best"])
        self.trainer.restore(position)
        self.trainer.tally.restore(position["tally"])
        self.trainer.overall.tokens = position["tokens"]
