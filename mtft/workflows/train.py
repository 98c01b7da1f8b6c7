"""``mtft train``: select, then train all tasks together, keeping the best epoch on dev."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtft.checkpoint import TrainedModel
from mtft.config.schema import TrainConfig
from mtft.data.dataset import Dataset
from mtft.errors import CheckpointError
from mtft.evaluation import read_values, scores
from mtft.machine import release
from mtft.parameters import ParameterCount
from mtft.selection.mask import Mask, load_mask
from mtft.training.loop import EpochDone, StepDone
from mtft.training.loop import train as loop
from mtft.training.state import save_state
from mtft.training.step import Stepper
from mtft.training.tally import Tally, pair_cosines
from mtft.workflows.best import Best
from mtft.workflows.preparation import Prepared, data_directory, load_source, prepare
from mtft.workflows.probe import check_saved, save_with_probe
from mtft.workflows.resources import check_machine, count, disk, fit, make_plan
from mtft.workflows.run_directory import RunDirectory, free_path, refuse_foreign
from mtft.workflows.select import choose
from mtft.workflows.services import Progress, Services

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


def train(config: TrainConfig, services: Services) -> TrainResult:
    """Train as configured and write the run directory."""
    path = free_path(config.out, f"runs/{'-'.join(config.tasks)}", overwrite=config.overwrite)
    refuse_foreign(path)
    best = Best(config.best, config.patience)
    best.check(tuple(services.registry.task(name) for name in config.tasks))
    prepared = prepare(config, services)
    dev = dev_sets(config, prepared, services)
    mask = given_mask(config.mask, prepared, services) if config.mask else None
    counts = count(config, prepared, mask)  # an impossible share is told before anything is replaced
    config, memory = fit(config, prepared, dev, counts)
    check_machine(path, disk(counts), memory, services.notify)
    run = RunDirectory.create(path, config, "train", data_directory(config))
    mask = mask or choose(prepared, config, services)
    release()
    trained = TrainedModel(
        prepared.model, prepared.encoder, mask, prepared.tasks, prepared.tokenizer, prepared.max_length, config.model
    )
    return Training(config, services, run, trained, prepared, dev, best).run_to_end()


def dev_sets(config: TrainConfig, prepared: Prepared, services: Services) -> dict[str, Dataset]:
    """Tokenize the dev split of every task."""
    return {
        task.name: load_source(
            task.source, "dev", data_dir=data_directory(config), tokenizer=prepared.tokenizer,
            max_length=prepared.max_length, strict=config.strict, skip_bad_rows=config.skip_bad_rows,
            notify=services.notify,
        )
        for task in prepared.tasks
    }  # fmt: skip


def given_mask(path: Path, prepared: Prepared, services: Services) -> Mask:
    """Read a mask file; it must have been made for these base weights."""
    mask = load_mask(path, total=len(prepared.encoder))
    if mask.base_digest != prepared.digest:
        raise CheckpointError(
            f"--mask: {path} was made for base weights with digest {mask.base_digest[:12]}..., "
            f"not for these with {prepared.digest[:12]}..."
        )
    services.notify(
        f"mask: {len(mask.indices):,} of {mask.total:,} encoder weights, selected by {mask.method.get('score')} "
        f"with keep {mask.method.get('keep')}; this run's own selection settings are not used"
    )
    return mask


class Training:
    """One training in progress: iterates the loop, evaluates each epoch, keeps the best, writes the logs."""

    def __init__(
        self,
        config: TrainConfig,
        services: Services,
        run: RunDirectory,
        trained: TrainedModel,
        prepared: Prepared,
        dev: dict[str, Dataset],
        best: Best,
    ) -> None:
        self.config, self.services, self.run, self.trained = config, services, run, trained
        self.tasks, self.dev, self.best = trained.tasks, dev, best
        self.best_scores: Scores = {}
        self.epoch, self.overall = Tally(), Tally()
        self.plan = make_plan(config)
        self.total = self.plan.steps({source.name: len(source) for source in prepared.sources})
        self.stepper = Stepper(
            trained.model, trained.encoder, prepared.sources, trained.selection,
            surgery=config.surgery, weight_decay=config.weight_decay, rule=config.optimizer_rule,
            micro_batch_tokens=config.micro_batch_tokens, seed=config.seed,
        )  # fmt: skip

    def run_to_end(self) -> TrainResult:
        """Train until the plan or patience ends, then write the summary."""
        last = 0
        for event in loop(self.stepper, self.plan):
            if isinstance(event, StepDone):
                self._after_step(event)
            else:
                last = event.epoch
                self._after_epoch(event)
                if self.best.exhausted:
                    self.services.notify(f"no better epoch for {self.best.stale}: stopping (--patience)")
                    break
        check_saved(self.run.model, self.services.registry, self.trained.base, *self.trained.place)
        return self._finish(last)

    def _after_step(self, event: StepDone) -> None:
        result = event.result
        self.epoch.add(result)
        self.overall.add(result)
        record = {"step": event.number, "epoch": event.epoch, "lr": event.rate, "tokens": result.tokens}
        cosines = pair_cosines(result)
        self.run.log("steps", {**record, "losses": result.losses, "cosines": cosines, "changed": result.changed})
        losses, tokens = self.epoch.losses(), self.overall.tokens
        self.services.progress(Progress(event.number, self.total, event.epoch, losses, tokens))

    def _after_epoch(self, event: EpochDone) -> None:
        """Evaluate on dev, log, and keep the model if it is the best so far."""
        release()
        dev: Scores = {}
        values = {}
        for task in self.tasks:
            data = self.dev[task.name]
            values[task.name] = read_values(self.trained.model, task, data.table)
            dev[task.name] = scores(task, values[task.name], data.targets)
        score = self.best.rate({task.name: task.primary_metric for task in self.tasks}, dev)
        better = self.best.update(event.epoch, score)
        record = {"epoch": event.epoch, "step": event.step, "train": self.epoch.losses(), "dev": dev}
        self.run.log("metrics", {**record, "score": score, "best": better})
        self.run.log("conflicts", {"epoch": event.epoch, **self.epoch.conflicts()})
        self.run.log_time(epoch=event.epoch, step=event.step, tokens=self.overall.tokens)
        line = "  ".join(f"{task.name} {task.primary_metric} {dev[task.name][task.primary_metric]:.3f}"
                         for task in self.tasks)  # fmt: skip
        self.services.notify(f"epoch {event.epoch}: dev {line}{'  (best so far)' if better else ''}")
        release()
        if better:
            self.best_scores = dev
            self._save(values)
        position = {**asdict(event), "best": asdict(self.best), "overall": self.overall.state()}
        save_state(self.run.path / "state", self.stepper.state(), position)
        self.epoch = Tally()

    def _save(self, values: dict[str, Any]) -> None:
        save_with_probe(self.run.model, self.trained, self.services.origins(self.tasks))
        for task in self.tasks:
            data = self.dev[task.name]
            self.run.write_predictions(task.name, "dev", data.ids, data.targets, values[task.name])

    def _finish(self, epochs: int) -> TrainResult:
        counts, conflicts = self.trained.parameters(), self.overall.conflicts()
        result = TrainResult(self.run.path, epochs, self.best.epoch, self.best_scores, counts, conflicts)
        summary = {
            "command": "train",
            "tasks": {task.name: task.primary_metric for task in self.tasks},
            "epochs": epochs,
            "best_epoch": result.best_epoch,
            "dev": result.dev,
            "parameters": counts.report(),
            "conflicts": conflicts,
        }
        self.run.write_summary(summary)
        return result
