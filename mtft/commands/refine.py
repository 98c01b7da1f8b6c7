"""``mtft refine``: train one head at a time on a finished run, with the encoder and the other heads frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import RefineConfig
from mtft.errors import ConfigError, setting, unknown
from mtft.io.disk import check_room
from mtft.io.files import read_json
from mtft.plugin.context import Context
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.fingerprints import model_digest
from mtft.runs.opening import Finished, Resumed, Target, open_run
from mtft.runs.paths import free_path, keep_apart, refuse_foreign
from mtft.runs.state import scores_of
from mtft.training.choices import data_directory, resolve_device
from mtft.training.data_warnings import warn_of_faults
from mtft.training.joint_training import Scores
from mtft.training.loading import Loader
from mtft.training.preparation import Prepared, classes_to_balance, training_source
from mtft.training.refinement import Refinement
from mtft.training.session import start_session
from mtft.training.shared_splits import SplitReader
from mtft.training.temperatures import without_temperatures

REFINED = "the weights of the run that is refined"


@dataclass(frozen=True)
class RefineResult:
    """The path of the new run, and the dev scores of each task before and after; `kept` names the replaced heads."""

    path: Path
    before: Scores
    after: Scores
    kept: tuple[str, ...]


def refine(run: Path | None, config: RefineConfig, context: Context, resume: Path | None = None) -> RefineResult:
    """Refine the heads of some tasks; a head is replaced only if its primary dev metric improves.

    With `resume`, continue that refinement; the result is the same as without a stop.
    """
    opened = open_run(Target("refine", config, lambda: _new_path(run, config), resume, may_go_on=False), context)
    if isinstance(opened, Finished):
        return _result(opened.path, opened.summary)
    origin = run or Path(str(read_json(opened.directory / "environment.json").get("refines")))
    refuse_foreign(opened.path)
    keep_apart(opened.path, origin, "the run that is refined")
    trained = _load(origin, config, context)
    prepared = _prepare(trained, config, context, data_directory(config, origin))
    heads = 4 * sum(trained.parameters().heads.values())
    states = [4 * heads] * (1 if isinstance(opened, Resumed) else 2)
    check_room(opened.path, [4 * len(trained.mask.indices) + heads, *states])
    with start_session(opened, opened.config, prepared, context, str(origin.resolve())) as session:
        return _result(opened.path, Refinement(session, trained, origin.name).run())


def _new_path(run: Path | None, config: RefineConfig) -> Path:
    """Return the path of a new refinement."""
    if run is None:
        raise ConfigError(f"RUN: name the run to refine, or {setting('resume')} a refinement")
    return free_path(config.out, f"{run}-refined", overwrite=config.overwrite)


def _load(origin: Path, config: RefineConfig, context: Context) -> TrainedModel:
    """Load the model to refine; ConfigError if it lacks a task."""
    device, matmul_dtype = resolve_device(config)
    trained = load_model(origin / "model", context.registry, config.model, device, matmul_dtype)
    trained.tasks = without_temperatures(origin, trained.tasks, context.notify)
    names = [task.name for task in trained.tasks]
    for name in config.tasks:
        if name not in names:
            raise ConfigError(f"{origin}: {unknown('task of this run', name, names)}")
    for name in config.task_lr:  # a preset may have rates for tasks that this run lacks
        if name not in names:
            context.registry.task(name)
    return trained


def _prepare(trained: TrainedModel, config: RefineConfig, context: Context, data_dir: Path) -> Prepared:
    """Tokenize the training data of the tasks whose heads train, and the dev data of all."""
    chosen = tuple(task for task in trained.tasks if task.name in config.tasks)
    reader = SplitReader(data_dir)
    warn_of_faults([(task.source, task.name) for task in chosen], chosen, reader, context.notify)
    loader = Loader.of(config, data_dir, trained.tokenizer, trained.max_length, context.notify, reader)
    sources = [
        training_source(
            task.source,
            task.name,
            loader.load(task.source, "train"),
            balanced=classes_to_balance(chosen, task.source) if config.class_weights == "balanced" else 0,
        )
        for task in chosen
    ]
    return Prepared(
        trained.model,
        trained.encoder,
        model_digest(trained),
        trained.tokenizer,
        trained.max_length,
        chosen,
        data_dir,
        sources,
        loader.load_tasks(trained.tasks, "dev"),
        REFINED,
    )


def _result(path: Path, summary: Mapping[str, Any]) -> RefineResult:
    """Return the result of a refinement from its summary."""
    return RefineResult(path, scores_of(summary["before"]), scores_of(summary["dev"]), tuple(summary["kept"]))
