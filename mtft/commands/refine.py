"""``mtft refine``: train one head at a time on a finished run, with the encoder and the other heads frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mtft.config.schema import RefineConfig
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half
from mtft.errors import ConfigError, MtftError, command, setting, unknown
from mtft.io.directories import clear_lock
from mtft.io.disk import check_room
from mtft.io.files import read_json
from mtft.model.inference import apply, read_outputs, scores
from mtft.plugin.context import Context, Progress
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.directory import RunDirectory, free_path, is_finished, keep_apart, read_summary, refuse_foreign
from mtft.runs.fingerprints import fingerprints, model_digest, settings_digest
from mtft.runs.probe import check_saved, save_with_probe
from mtft.runs.resume import check_material, check_position, check_settings
from mtft.runs.run_card import run_card
from mtft.runs.state import load_state, save_state, scores_of
from mtft.runs.tracking import start_trackers
from mtft.tasks.task import Task
from mtft.training.autosave import Autosaver
from mtft.training.current_head import CurrentHead
from mtft.training.data_warnings import warn_of_faults
from mtft.training.early_stopping import Best
from mtft.training.feature_cache import FeatureCache
from mtft.training.loading import Loader, data_directory
from mtft.training.loop import EpochDone, Plan, StepDone, StepSkipped
from mtft.training.loop import train as loop
from mtft.training.preparation import chosen_parts, resolve_device, training_source
from mtft.training.step import Stepper
from mtft.training.tally import Tally
from mtft.training.temperatures import calibrate_all, without_temperatures

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class RefineResult:
    """Where the new run is, and per task its dev scores before and after; `kept` names the heads replaced."""

    path: Path
    before: Scores
    after: Scores
    kept: tuple[str, ...]


def refine(run: Path | None, config: RefineConfig, context: Context, resume: Path | None = None) -> RefineResult:
    """Refine the heads of some tasks; a head is replaced only if its primary dev metric improves.

    Goes on with the refinement at `resume` as if it had never stopped.
    """
    if resume:
        changed = check_settings(resume, "refine", config, context)
        origin = read_json(resume / "environment.json").get("refines")
        run = run or Path(str(origin))
        if is_finished(resume):
            if text := changed.get("epochs") or changed.get("patience"):
                raise ConfigError(f"{resume} has finished; {text}: cannot change any more", setting="resume")
            clear_lock(resume)
            context.notify("info", f"{resume} has finished: nothing is left to do")
            summary = read_summary(resume)
            before, after = scores_of(summary["before"]), scores_of(summary["dev"])
            return RefineResult(resume, before, after, tuple(summary["kept"]))
    if run is None:
        raise ConfigError(f"RUN: name the run to refine, or {setting('resume')} a refinement")
    path = resume or free_path(config.out, f"{run}-refined", overwrite=config.overwrite)
    refuse_foreign(path)
    keep_apart(path, run, "the run that is refined")
    check_room(path)
    place = resolve_device(config)
    trained = load_model(run / "model", context.registry, config.model, *place)
    trained.tasks = without_temperatures(run, trained.tasks, context.notify)
    names = [task.name for task in trained.tasks]
    for name in config.tasks:
        if name not in names:
            raise ConfigError(f"{run}: {unknown('task of this run', name, names)}")
    for name in config.task_lr:  # a preset's rates may be for tasks that this run lacks
        if name not in names:
            context.registry.task(name)
    return Refinement(trained, config, context, path, run, going_on=resume is not None).run()


class Refinement:
    """One refinement in progress; its directory is made when all data are there."""

    def __init__(
        self,
        trained: TrainedModel,
        config: RefineConfig,
        context: Context,
        path: Path,
        origin: Path,
        *,
        going_on: bool,
    ) -> None:
        self.trained, self.config, self.context, self.origin = trained, config, context, origin
        self.chosen = [task for task in trained.tasks if task.name in config.tasks]
        sources = [(task.source, task.name) for task in self.chosen]
        self.data_dir = data_directory(config, origin)
        warn_of_faults(sources, self.chosen, self.data_dir, context.notify)
        self.data = {task.name: self._load(task, "train") for task in self.chosen}
        self.dev = {task.name: self._load(task, "dev") for task in trained.tasks}
        self.sources = {
            task.name: training_source(task.source, task.name, self.data[task.name], ()) for task in self.chosen
        }
        heads = 4 * sum(trained.parameters().heads.values())
        model = 4 * len(trained.mask.indices) + heads
        check_room(path, [model, *[4 * heads] * (1 if going_on else 2)])
        weights = {"the weights of the run that is refined": model_digest(trained)}
        made_of = fingerprints(weights, self.sources.values(), self.dev)
        if going_on:
            check_material(path, made_of)
            self.out = RunDirectory.reopen(path, config)
        else:
            needs = context.provenance.requirements(chosen_parts(config))
            facts = {"refines": str(origin.resolve()), "plugins": needs, "material": made_of}
            self.out = RunDirectory.create(path, config, "refine", self.data_dir, facts, overwrite=config.overwrite)
        self.out.followers.append(start_trackers(config.trackers, context, path, "refine", config, resumed=going_on))
        self.autosaver = Autosaver(
            config.checkpoint_every, config.max_time, f"go on with {command('refine', resume=path)}"
        )
        self.features = FeatureCache(trained, config.feature_cache, path / "features", context, self.autosaver)
        self.before: Scores = {}
        self.done: dict[str, bool] = {}
        self.current: CurrentHead | None = None

    def run(self) -> RefineResult:
        """Refine task after task and write the new run."""
        with self.out, self.autosaver.watching():
            self._restore()
            for name, data in self.dev.items():
                self.dev[name] = replace(data, table=self.features.add(f"{name}.dev", data.table))
            self.before = self.before or {task.name: self._evaluate(task)[1] for task in self.trained.tasks}
            for task in self.chosen:
                if task.name not in self.done:
                    self.current = self.current or self._begin(task)
                    self._refine(self.current)
            kept = tuple(name for name, better in self.done.items() if better)
            found = {task.name: self._evaluate(task) for task in self.trained.tasks}
            after = {name: rated for name, (_, rated) in found.items()}
            raw = {name: outputs for name, (outputs, _) in found.items()}
            self.trained.tasks, calibration = calibrate_all(
                self.config, self.trained.tasks, raw, self.dev, self.context.notify
            )
            values = {task.name: read_outputs(task, raw[task.name]) for task in self.trained.tasks}
            self.out.write_predictions("dev", self.dev, values)
            note = f"Heads refined on a run called {self.origin.name}: {', '.join(kept) or 'none got better'}."
            card = run_card(
                "refine",
                self.config,
                self.trained,
                self.dev,
                after,
                self.sources.values(),
                calibration,
                note,
            )
            origins = self.context.provenance.origins(self.trained.tasks, self.trained.model.encoder.family)
            save_with_probe(self.out.model, self.trained, origins, card, self.config.precision)
            check_saved(self.out.model, self.context.registry, self.trained.base, *self.trained.placement)
            self.features.clear()
            self.out.write_summary(self._summary(after, kept, calibration))
            return RefineResult(self.out.path, self.before, after, kept)

    def _begin(self, task: Task) -> CurrentHead:
        stepper, plan = self._stepper(task)
        best = Best("mean", self.config.patience, epoch=-1)
        best.score = best.rate({task.name: task.primary_metric}, {task.name: self.before[task.name]})
        return CurrentHead(task, stepper, plan, best, stepper.heads[task.name].theta.clone())

    def _refine(self, at: CurrentHead) -> None:
        """Train one head and leave the best one in place."""
        total = at.plan.steps({name: len(source) for name, source in at.stepper.sources.items()})
        for event in loop(at.stepper, at.plan, at.epochs, at.steps):
            if isinstance(event, StepDone):
                at.steps = event.number
                at.tally.add(event.result)
                at.tokens += event.result.tokens
                self.context.progress(Progress(event.number, total, event.epoch, at.tally.losses(), at.tokens))
            elif isinstance(event, StepSkipped):
                at.steps, at.bad = event.number, at.bad + 1
                if at.bad > self.config.max_bad_steps:
                    most = self.config.max_bad_steps
                    raise MtftError(
                        f"{event.error}; {setting('max_bad_steps')} allows {most} such steps; {self.autosaver.hint}"
                    )
                self.context.notify("warning", str(event.error))
            else:
                self._after_epoch(at, event)
                if at.best.exhausted:
                    break
            self.autosaver.after_step(at.steps, self._save_state)
        at.head.copy_(at.kept)
        self.done[at.task.name] = at.best.epoch > 0
        self.current = None
        self._save_state()
        self.features.remove(f"{at.task.name}.train")

    def _after_epoch(self, at: CurrentHead, event: EpochDone) -> None:
        task = at.task
        at.epochs = event.epoch
        found = self._evaluate(task)[1]
        better = at.best.update(event.epoch, at.best.rate({task.name: task.primary_metric}, {task.name: found}))
        if better:
            at.kept = at.head.clone()
        record = {"task": task.name, "epoch": event.epoch, "step": event.step, "train": at.tally.losses()}
        self.out.log("metrics", {**record, "dev": {task.name: found}, "best": better})
        self.out.log_time(task=task.name, epoch=event.epoch)
        value, mark = found[task.primary_metric], "better" if better else "not better"
        self.context.notify("info", f"{task.name} epoch {event.epoch}: dev {task.primary_metric} {value:.4f} ({mark})")
        at.tally = Tally()

    def _save_state(self) -> None:
        """Save everything that the refinement needs to go on: heads that are done, and the one in training."""
        tensors = {
            f"done.{name}.{key}": value
            for name in self.done for key, value in self.trained.model.heads[name].state_dict().items()
        }  # fmt: skip
        position: dict[str, Any] = {
            "stage": "refine", "done": self.done, "before": self.before, "logs": self.out.logged(),
            "settings": settings_digest(self.config), "features": self.features.chosen,
        }  # fmt: skip
        if at := self.current:
            tensors |= {"kept": at.kept, **at.stepper.state()}
            best = {"score": at.best.score, "epoch": at.best.epoch, "stale": at.best.stale}
            counts = {"epochs": at.epochs, "steps": at.steps, "tokens": at.tokens, "bad": at.bad}
            position["current"] = {"task": at.task.name, "best": best, "tally": at.tally.state(), **counts}
        save_state(self.out.state, tensors, position)

    def _restore(self) -> None:
        """Take up the state that a stopped refinement left, if it did."""
        if not (found := load_state(self.out.state)):
            self.out.cut_logs({})
            return
        tensors, position = found
        check_position(self.out.path, position, self.config)
        self.out.cut_logs(position["logs"])
        self.before, self.done = scores_of(position["before"]), position["done"]
        self.features.chosen |= position.get("features", {})
        for name in self.done:
            self.features.remove(f"{name}.train")
            head = self.trained.model.heads[name]
            head.load_state_dict({key: tensors[f"done.{name}.{key}"] for key in head.state_dict()})
        if kept := position.get("current"):
            at = self.current = self._begin(next(task for task in self.chosen if task.name == kept["task"]))
            at.stepper.restore(tensors)
            at.kept = tensors["kept"].to(at.kept.device)
            score, at.best.epoch, at.best.stale = kept["best"].values()
            at.best.score = -math.inf if score is None else score
            at.tally.restore(kept["tally"])
            at.epochs, at.steps, at.tokens, at.bad = (kept[name] for name in ("epochs", "steps", "tokens", "bad"))

    def _stepper(self, task: Task) -> tuple[Stepper, Plan]:
        config, plain = self.config, self.sources[task.name]
        source = replace(plain, table=self.features.add(f"{task.name}.train", plain.table))
        stepper = Stepper(
            self.trained.model, self.trained.encoder, [source], None,
            weight_decay=config.weight_decay, seed=config.seed,
        )  # fmt: skip
        rate = config.task_lr.get(task.name, config.lr)
        return stepper, Plan(config.epochs, config.batch_size, rate, config.schedule, config.warmup, seed=config.seed)

    def _load(self, task: Task, split: str) -> Dataset:
        loader = Loader.of(
            self.config, self.data_dir, self.trained.tokenizer, self.trained.max_length, self.context.notify
        )
        return loader.load(task.source, split)

    def _evaluate(self, task: Task) -> tuple[NDArray[Any], dict[str, float]]:
        """Return a task's raw outputs of dev, and its scores on the rows that choose."""
        data = self.dev[task.name]
        raw = apply(self.trained.model, data.table, [task.name])[task.name]
        rows = in_half(data.keys, self.config.choosing, task.name)
        return raw, scores(task, read_outputs(task, raw[rows]), data.targets[rows])

    def _summary(self, after: Scores, kept: tuple[str, ...], calibration: dict[str, Any]) -> dict[str, object]:
        return {
            "command": "refine",
            "refined_from": self.origin.name,
            "kept": list(kept),
            "before": self.before,
            "tasks": {task.name: task.primary_metric for task in self.trained.tasks},
            "dev": after,
            "parameters": self.trained.parameters().report(),
            **({"calibration": calibration} if calibration else {}),
        }
