"""``mtft experiment``: make the runs of a plan, several at once, and keep a record of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtft.commands.compare import Comparison, compare
from mtft.config.experiment_plan import read_plan
from mtft.config.schema import ExperimentConfig
from mtft.data.shares import Half
from mtft.errors import ConfigError
from mtft.experiments.baselines import advice, baseline_runs
from mtft.experiments.estimates import Estimate, Estimates
from mtft.experiments.expansion import PlannedRun, chosen, expand
from mtft.experiments.scheduler import Scheduler, Stop, slots
from mtft.experiments.store import Store, check_unchanged, plan_digests, used
from mtft.io.directories import DirectoryLock
from mtft.io.disk import check_room
from mtft.metrics import metric
from mtft.plugin.context import Context
from mtft.runs.integrity import run_config
from mtft.runtime.children import usable_cores

SMALL_FILES = 1 << 16
"""Bytes for settings, logs and locks, beside the runs, which check what they need themselves."""


@dataclass(frozen=True)
class RunStatus:
    """A run, the runs that it needs, how far it is, its record if there is one, and its estimate after a dry run.

    `state` is "recorded", "failed", "stopped" or "skipped"; of a run that was not begun "new" or, without a record,
    "finished".
    """

    name: str
    needs: tuple[str, ...]
    state: str
    record: Path | None
    estimate: Estimate | None = None


@dataclass(frozen=True)
class ExperimentResult:
    """The directory of the experiment, its runs in order, and with baselines the comparison and a sentence per task."""

    path: Path
    runs: tuple[RunStatus, ...]
    comparison: Comparison | None = None
    advice: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the runs that failed, or were skipped since one that they need failed."""
        return tuple(run.name for run in self.runs if run.state in ("failed", "skipped"))

    @property
    def stopped(self) -> tuple[str, ...]:
        """Names of the runs that `max_time` stopped."""
        return tuple(run.name for run in self.runs if run.state == "stopped")


def experiment(
    plan: Path | None, config: ExperimentConfig, context: Context, *, dry_run: bool = False
) -> ExperimentResult:
    """Make the runs of a plan that are not recorded yet, or list and estimate them; a failed run does not stop others.

    ConfigError for a plan that cannot be carried out; nothing is started then.
    """
    unions = [Path(name) for name in config.baselines]
    runs, file, default = _planned(plan, unions, config, context)
    store = Store(config.out or default)
    digests, selected = plan_digests(runs), chosen(runs, config.only)
    check_unchanged(runs, digests, store, file)
    waiting = due(runs, selected, store)
    if dry_run:
        return ExperimentResult(store.root, _estimated(runs, waiting, config, store))
    outcomes = _make(runs, waiting, digests, config, store, context) if waiting else {}
    shown = {run.name for run in selected} | outcomes.keys()
    result = tuple(_status(run, outcomes.get(run.name), store) for run in runs if run.name in shown)
    if not unions or not all(store.recorded(run.name) for run in runs):
        return ExperimentResult(store.root, result)
    comparison, sentences = _compare(unions, runs, store, context)
    return ExperimentResult(store.root, result, comparison, sentences)


def _planned(
    plan: Path | None, unions: Sequence[Path], config: ExperimentConfig, context: Context
) -> tuple[list[PlannedRun], Path, Path]:
    """Return the runs of a plan, or the baselines of unified runs, where they come from, and the default directory."""
    if plan is not None and not unions:
        return expand(read_plan(plan), plan, config.data_dir), plan, Path("runs") / plan.stem
    if plan is not None or not unions:
        both = "" if plan is None else ", not both"
        raise ConfigError(f"give either a plan or finished runs{both}", setting="baselines")
    first = unions[0]
    runs = baseline_runs(unions, context.registry, config.data_dir)
    return runs, first, first.with_name(f"{first.name}-baselines")


def due(runs: Sequence[PlannedRun], selected: Sequence[PlannedRun], store: Store) -> list[PlannedRun]:
    """Return the runs to make, in order: those selected without a record, and those that they need.

    A run that has a record is made again if another one needs its weights and they were removed.
    """
    found: list[PlannedRun] = []
    waited = {run.name for run in selected}
    weights: set[str] = set()
    for run in reversed(runs):
        wanted = run.name in waited and not store.recorded(run.name)
        if wanted or (run.name in weights and store.state(run.name) != "finished"):
            found.append(run)
            waited |= set(run.needs)
            weights |= used(run)
    return found[::-1]


def _make(
    runs: Sequence[PlannedRun],
    waiting: Sequence[PlannedRun],
    digests: dict[str, str],
    config: ExperimentConfig,
    store: Store,
    context: Context,
) -> dict[str, str]:
    """Make the runs that are waiting, and return how each ended."""
    jobs, threads = sharing(config, len(waiting))
    check_room(store.root, [SMALL_FILES])
    store.root.mkdir(parents=True, exist_ok=True)
    lock, stop = DirectoryLock(store.root), Stop()
    try:
        with stop.watching():
            estimates = Estimates(runs, threads, lambda: stop.asked)
            free = slots(jobs, threads, usable_cores())
            scheduler = Scheduler(
                due=waiting,
                store=store,
                slots=free,
                digests=digests,
                estimates=estimates,
                stop=stop,
                notify=context.notify,
                finished=lambda: remove_weights(runs, store, scheduler.pending),
            )
            remove_weights(runs, store, scheduler.pending)
            return dict(scheduler.run())
    finally:
        lock.release()


def sharing(config: ExperimentConfig, runs: int) -> tuple[int, int]:
    """Return how many processes may run at once, and the threads of each.

    With auto there is one process for each core or, with `threads`, for each so many cores; no more than there are
    runs. Without `threads`, the processes share the cores.
    """
    cores = len(usable_cores())
    most = max(1, min(runs, cores // (config.threads or 1)))
    jobs = most if config.jobs == "auto" else int(config.jobs)
    return jobs, config.threads or max(1, cores // min(jobs, max(1, runs)))


def remove_weights(runs: Sequence[PlannedRun], store: Store, pending: Sequence[str]) -> None:
    """Remove the weights of recorded runs that no run without a record, and none that is pending, starts from."""
    open_runs = [run for run in runs if run.name in pending or not store.recorded(run.name)]
    needed = {name for run in open_runs for name in used(run)}
    for run in runs:
        settled = run.name not in pending and store.recorded(run.name)
        if settled and not run.keep_weights and run.name not in needed and store.state(run.name) == "finished":
            store.remove_weights(run.name)


def _status(run: PlannedRun, outcome: str | None, store: Store, estimate: Estimate | None = None) -> RunStatus:
    recorded = store.recorded(run.name)
    state = outcome or ("recorded" if recorded else store.state(run.name))
    return RunStatus(run.name, run.needs, state, store.record(run.name) if recorded else None, estimate)


def _estimated(
    runs: Sequence[PlannedRun], waiting: Sequence[PlannedRun], config: ExperimentConfig, store: Store
) -> tuple[RunStatus, ...]:
    """Return the runs that are due, in order, with their estimates."""
    estimates = Estimates(runs, sharing(config, len(waiting))[1])
    return tuple(_status(run, None, store, estimates.of(run)) for run in waiting)


def _compare(
    unions: Sequence[Path], runs: Sequence[PlannedRun], store: Store, context: Context
) -> tuple[Comparison, tuple[str, ...]]:
    """Compare unified runs with individual models, and say for each task whether the union helped."""
    union_config = run_config(unions[0])
    half: Half = "all" if getattr(union_config, "dev_split", "all") == "all" else "report"
    groups = {"apart": [store.record(run.name) for run in runs], "together": list(unions)}
    comparison = compare(groups, context, half=half, seeds=True)
    together = comparison.columns[1]
    sentences = tuple(
        advice(task, together.differences[task].side, metric(name).higher_is_better)
        for task, name in comparison.metrics.items()
    )
    return comparison, sentences
