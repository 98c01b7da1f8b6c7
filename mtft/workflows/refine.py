"""``mtft refine``: train one head at a time on a finished run, with the encoder and the other heads frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtft.checkpoint import TrainedModel, load_model
from mtft.config.schema import RefineConfig
from mtft.data.dataset import Dataset
from mtft.errors import ConfigError, unknown
from mtft.evaluation import read_values, scores
from mtft.outputs import Array
from mtft.tasks.task import Task
from mtft.training.loop import Plan, StepDone
from mtft.training.loop import train as loop
from mtft.training.step import Stepper
from mtft.training.tally import Tally
from mtft.workflows.best import Best
from mtft.workflows.leakage import warn_of_leakage
from mtft.workflows.preparation import data_directory, load_source, machine, training_source
from mtft.workflows.probe import check_saved, save_with_probe
from mtft.workflows.run_directory import RunDirectory, free_path, refuse_foreign
from mtft.workflows.services import Progress, Services

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class RefineResult:
    """Where the new run is, and per task its dev scores before and after; `kept` names the heads replaced."""

    path: Path
    before: Scores
    after: Scores
    kept: tuple[str, ...]


def refine(run: Path, config: RefineConfig, services: Services) -> RefineResult:
    """Refine the heads of some tasks; a head is replaced only if its primary dev metric improves."""
    path = free_path(config.out, f"{run}-refined", overwrite=config.overwrite)
    refuse_foreign(path)
    here, there = run.resolve(), path.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError(f"--out: {path} is, holds or is in the run that is refined, {run}; it is never changed")
    place = machine(config)
    trained = load_model(run / "model", services.registry, config.model, *place)
    names = [task.name for task in trained.tasks]
    for name in config.tasks:
        if name not in names:
            raise ConfigError(f"{run}: {unknown('task of this run', name, names)}")
    for name in config.task_lr:  # a preset's rates may be for tasks that this run lacks
        if name not in names:
            services.registry.task(name)
    return Refinement(trained, config, services, path).run(run)


class Refinement:
    """One refinement in progress; its directory is made when all data are there."""

    def __init__(self, trained: TrainedModel, config: RefineConfig, services: Services, path: Path) -> None:
        self.trained, self.config, self.services = trained, config, services
        self.chosen = [task for task in trained.tasks if task.name in config.tasks]
        sources = [(task.source, task.name) for task in self.chosen]
        warn_of_leakage(sources, self.chosen, data_directory(config), services.notify)
        self.data = {task.name: self._load(task, "train") for task in self.chosen}
        self.dev = {task.name: self._load(task, "dev") for task in trained.tasks}
        self.out = RunDirectory.create(path, config, "refine", data_directory(config))

    def run(self, origin: Path) -> RefineResult:
        """Refine task after task and write the new run."""
        before = {task.name: self._evaluate(task)[1] for task in self.trained.tasks}
        kept = tuple(task.name for task in self.chosen if self._refine(task, before[task.name]))
        after: Scores = {}
        for task in self.trained.tasks:
            values, after[task.name] = self._evaluate(task)
            data = self.dev[task.name]
            self.out.write_predictions(task.name, "dev", data.ids, data.targets, values)
        save_with_probe(self.out.model, self.trained, self.services.origins(self.trained.tasks))
        check_saved(self.out.model, self.services.registry, self.trained.base, *self.trained.place)
        self.out.write_summary(self._summary(origin, after, kept))
        return RefineResult(self.out.path, before, after, kept)

    def _refine(self, task: Task, start: dict[str, float]) -> bool:
        """Train one head; leave the best one in place and tell whether it is a new one."""
        stepper, plan = self._stepper(task)
        head, primary = stepper.heads[task.name].theta, {task.name: task.primary_metric}
        best = Best("mean", self.config.patience, epoch=-1)
        best.score = best.rate(primary, {task.name: start})
        kept, tally, tokens = head.clone(), Tally(), 0
        total = plan.steps({task.name: len(stepper.sources[task.source.name])})
        for event in loop(stepper, plan):
            if isinstance(event, StepDone):
                tally.add(event.result)
                tokens += event.result.tokens
                self.services.progress(Progress(event.number, total, event.epoch, tally.losses(), tokens))
                continue
            found = self._evaluate(task)[1]
            better = best.update(event.epoch, best.rate(primary, {task.name: found}))
            if better:
                kept = head.clone()
            record = {"task": task.name, "epoch": event.epoch, "step": event.step, "train": tally.losses()}
            self.out.log("metrics", {**record, "dev": {task.name: found}, "best": better})
            self.out.log_time(task=task.name, epoch=event.epoch)
            value = found[task.primary_metric]
            mark = "better" if better else "not better"
            self.services.notify(f"{task.name} epoch {event.epoch}: dev {task.primary_metric} {value:.4f} ({mark})")
            tally = Tally()
            if best.exhausted:
                break
        head.copy_(kept)
        return best.epoch > 0

    def _stepper(self, task: Task) -> tuple[Stepper, Plan]:
        config = self.config
        source = training_source(task.source, task.name, self.data[task.name], ())
        stepper = Stepper(
            self.trained.model, self.trained.encoder, [source], None,
            weight_decay=config.weight_decay, seed=config.seed,
        )  # fmt: skip
        rate = config.task_lr.get(task.name, config.lr)
        return stepper, Plan(config.epochs, config.batch_size, rate, config.schedule, config.warmup, seed=config.seed)

    def _load(self, task: Task, split: str) -> Dataset:
        return load_source(
            task.source, split, data_dir=data_directory(self.config), tokenizer=self.trained.tokenizer,
            max_length=self.trained.max_length, strict=self.config.strict, skip_bad_rows=self.config.skip_bad_rows,
            notify=self.services.notify,
        )  # fmt: skip

    def _evaluate(self, task: Task) -> tuple[Array, dict[str, float]]:
        data = self.dev[task.name]
        values = read_values(self.trained.model, task, data.table)
        return values, scores(task, values, data.targets)

    def _summary(self, origin: Path, after: Scores, kept: tuple[str, ...]) -> dict[str, object]:
        return {
            "command": "refine",
            "refined_from": origin.name,
            "kept": list(kept),
            "tasks": {task.name: task.primary_metric for task in self.trained.tasks},
            "dev": after,
            "parameters": self.trained.parameters().report(),
        }
