"""mtft from Python: a function for each command that works on data or models; settings are keywords.

Each function takes the settings of its command, with types in `mtft.settings`, and returns its result. `config` is a
settings file, `preset` the name of a preset; keywords override both. ``notify(level, text)`` receives the notices of
the command, with the level "info" or "warning". A ConfigError names all wrong settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from typing_extensions import Unpack

from mtft.call import PathName, open_call
from mtft.commands import compare as compare_command
from mtft.commands import data_check as data_check_command
from mtft.commands import evaluate as evaluate_command
from mtft.commands import experiment as experiment_command
from mtft.commands import export as export_command
from mtft.commands import init as init_command
from mtft.commands import merge as merge_command
from mtft.commands import plan as plan_command
from mtft.commands import refine as refine_command
from mtft.commands import report as report_command
from mtft.commands import select as select_command
from mtft.commands import train as train_command
from mtft.commands import verify as verify_command
from mtft.commands.train import TrainResult
from mtft.config.documentation import documented
from mtft.config.schema import (
    CompareConfig,
    CountConfig,
    DataCheckConfig,
    EvalConfig,
    ExperimentConfig,
    ExportConfig,
    InitConfig,
    MergeConfig,
    RefineConfig,
    ReportConfig,
    SelectConfig,
    TrainConfig,
    VerifyConfig,
)
from mtft.data.guess.doubts import decisions_of
from mtft.model.parameters import ParameterCount
from mtft.runtime.notices import Notify, silent
from mtft.settings import (
    CompareSettings,
    CountSettings,
    DataCheckSettings,
    EvalSettings,
    ExperimentSettings,
    ExportSettings,
    InitSettings,
    MergeSettings,
    RefineSettings,
    ReportSettings,
    SelectSettings,
    TrainSettings,
    VerifySettings,
)
from mtft.training.count import count_plan, count_run

# ---- training -----------------------------------------------------------------------------------------------------


@documented(TrainConfig)
def train(
    *,
    config: PathName | None = None,
    preset: str | None = None,
    resume: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[TrainSettings],
) -> TrainResult:
    """Train one encoder on several tasks; return the dev scores and the run's path.

    With `resume`, continue a stopped run with its own settings; the result is the same as without a stop.
    """
    with open_call(TrainConfig, settings, notify, config=config, preset=preset, resume=resume) as (
        options,
        context,
    ):
        return train_command.train(options, context, _path(resume))


@documented(TrainConfig)
def plan(
    *,
    config: PathName | None = None,
    preset: str | None = None,
    notify: Notify = silent,
    **settings: Unpack[TrainSettings],
) -> plan_command.PlanResult:
    """Estimate what `train` needs with the same settings: memory, disk and time; nothing is written."""
    with open_call(TrainConfig, settings, notify, config=config, preset=preset) as (options, context):
        return plan_command.plan(options, context)


@documented(SelectConfig)
def select(
    *,
    config: PathName | None = None,
    preset: str | None = None,
    resume: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[SelectSettings],
) -> select_command.SelectResult:
    """Rank the encoder's weights and write those to train as a mask file; return the mask's path and shares.

    With `resume`, continue a stopped selection.
    """
    with open_call(SelectConfig, settings, notify, config=config, preset=preset, resume=resume) as (
        options,
        context,
    ):
        return select_command.select(options, context, _path(resume))


@documented(RefineConfig)
def refine(
    run: PathName | None = None,
    *,
    config: PathName | None = None,
    preset: str | None = None,
    resume: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[RefineSettings],
) -> refine_command.RefineResult:
    """Train single heads of a finished `run` further; return the dev scores before and after, and the new run's path.

    With `resume`, continue a stopped refinement; `run` is then not needed.
    """
    with open_call(RefineConfig, settings, notify, config=config, preset=preset, resume=resume) as (
        options,
        context,
    ):
        return refine_command.refine(_path(run), options, context, _path(resume))


@documented(ExperimentConfig)
def experiment(
    plan: PathName | None = None,
    *,
    config: PathName | None = None,
    dry_run: bool = False,
    notify: Notify = silent,
    **settings: Unpack[ExperimentSettings],
) -> experiment_command.ExperimentResult:
    """Make the runs of a `plan`, a TOML file, that are not recorded yet; return the state and the record of each.

    With `dry_run` only list the runs that are due, with estimates. With `baselines` instead of a plan, train each task
    of these runs alone, and say whether training together helped it. A run that fails is named by the result.
    """
    with open_call(ExperimentConfig, settings, notify, config=config) as (options, context):
        return experiment_command.experiment(_path(plan), options, context, dry_run=dry_run)


# ---- finished runs ------------------------------------------------------------------------------------------------


@documented(EvalConfig)
def evaluate(
    run: PathName, *, config: PathName | None = None, notify: Notify = silent, **settings: Unpack[EvalSettings]
) -> evaluate_command.EvalResult:
    """Score a run on a split; return the metrics of each task with their intervals."""
    with open_call(EvalConfig, settings, notify, config=config) as (options, context):
        return evaluate_command.evaluate(Path(run), options, context)


@documented(CompareConfig)
def compare(
    groups: Mapping[str, PathName | Sequence[PathName]],
    *,
    config: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[CompareSettings],
) -> compare_command.Comparison:
    """Compare groups of runs by name, each one run or several that cover the tasks; return scores and differences.

    Differences are against the first group, as in ``compare({"alone": ["runs/sst", "runs/sts"], "both": "runs/a"})``.
    """
    runs = {name: _paths(group) for name, group in groups.items()}
    with open_call(CompareConfig, settings, notify, config=config) as (options, context):
        return compare_command.compare(
            runs, context, resamples=options.resamples, half=options.half, seeds=options.seeds
        )


@documented(ReportConfig)
def write_report(
    runs: PathName | Sequence[PathName],
    *,
    config: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[ReportSettings],
) -> report_command.ReportResult:
    """Write the results of one run or several as an HTML page; return its path."""
    with open_call(ReportConfig, settings, notify, config=config) as (options, context):
        return report_command.report(_paths(runs), options, context)


@documented(ExportConfig)
def export(
    run: PathName, *, config: PathName | None = None, notify: Notify = silent, **settings: Unpack[ExportSettings]
) -> export_command.ExportResult:
    """Write a run as one file, a bundle for mtft or a graph for other runtimes; return its path."""
    with open_call(ExportConfig, settings, notify, config=config) as (options, context):
        return export_command.export(Path(run), options, context)


@documented(MergeConfig)
def merge(
    run: PathName, *, config: PathName | None = None, notify: Notify = silent, **settings: Unpack[MergeSettings]
) -> merge_command.MergeResult:
    """Write a run's encoder as a model directory in Hugging Face form; return its path."""
    with open_call(MergeConfig, settings, notify, config=config) as (options, context):
        return merge_command.merge(Path(run), options, context)


@documented(VerifyConfig)
def verify(
    path: PathName, *, config: PathName | None = None, notify: Notify = silent, **settings: Unpack[VerifySettings]
) -> verify_command.VerifyResult:
    """Check that the files of a run, a bundle or a mask are unchanged; return the damaged ones."""
    with open_call(VerifyConfig, settings, notify, config=config) as (options, context):
        return verify_command.verify(Path(path), options, context)


@documented(CountConfig)
def count_params(
    run: PathName | None = None,
    *,
    config: PathName | None = None,
    notify: Notify = silent,
    **settings: Unpack[CountSettings],
) -> ParameterCount:
    """Count the parameters that a run, or without one a plan, stores and trains."""
    with open_call(CountConfig, settings, notify, config=config) as (options, context):
        return count_run(Path(run), options.tasks) if run else count_plan(options, context)


# ---- data ---------------------------------------------------------------------------------------------------------


@documented(DataCheckConfig)
def check_data(
    *, config: PathName | None = None, notify: Notify = silent, **settings: Unpack[DataCheckSettings]
) -> data_check_command.DataCheckResult:
    """Check the data files of tasks; return all findings, the most serious ones first."""
    with open_call(DataCheckConfig, settings, notify, config=config) as (options, context):
        return data_check_command.check_data(options, context)


@documented(InitConfig)
def init(
    files: PathName | Sequence[PathName],
    out: PathName | None = None,
    *,
    read: Sequence[str] = (),
    split: Sequence[str] = (),
    missing: Sequence[str] = (),
    yes: bool = False,
    notify: Notify = silent,
    **settings: Unpack[InitSettings],
) -> init_command.InitResult:
    """Guess the tasks of data files and write settings that train on them to `out`; without `out` only return them.

    If two readings are close, a DataError names the arguments that choose: `read` takes "COLUMN=READING", `split`
    "FILE=SPLIT", `missing` labels that mean no label. With `yes` the likelier reading is used.
    """
    decisions = decisions_of(read, split, missing, yes=yes)
    with open_call(InitConfig, settings, notify) as (options, context):
        return init_command.init([str(path) for path in _paths(files)], _path(out), context, decisions, options)


def _path(name: PathName | None) -> Path | None:
    return None if name is None else Path(name)


def _paths(names: PathName | Sequence[PathName]) -> list[Path]:
    return [Path(names)] if isinstance(names, str | PathLike) else [Path(name) for name in names]
