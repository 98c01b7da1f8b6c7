"""Turn a plan into the runs that it stands for, in an order in which each comes after those that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from mtft.config.experiment_plan import ExperimentPlan, entry_keys, unknown_key
from mtft.config.load import load
from mtft.config.schema import RefineConfig, TrainConfig
from mtft.errors import ConfigError, setting, unknown
from mtft.experiments.references import PREFIX, references, replaced, with_file
from mtft.experiments.variants import Merged, Variant, merged, variants

T = TypeVar("T")

COMMON = ("out", "overwrite", "threads")
"""Settings that the experiment gives to its runs."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: its settings, in which other runs are `run:NAME`, the run that it refines, and the runs that it needs.

    `origin` is the run that is refined, "" for a training: `run:NAME`, or the path of a run outside the plan.
    """

    name: str
    entry: str
    config: TrainConfig | RefineConfig
    origin: str
    needs: tuple[str, ...]
    keep_weights: bool

    @property
    def command(self) -> str:
        """Return the command that makes the run."""
        return "refine" if self.origin else "train"


def expand(plan: ExperimentPlan, file: Path, data_dir: Path | None = None) -> list[PlannedRun]:
    """Return all runs of a plan, those of one seed before those of the next; ConfigError has a line for each fault."""
    problems: list[str] = []
    entries = _collect(problems, {name: partial(merged, plan, name) for name in plan.runs})
    found = _collect(problems, {name: partial(variants, entry) for name, entry in entries.items()})
    problems += _same_names(found)
    runs: dict[str, PlannedRun] = {}
    if not problems:
        expander = _Expander(file, entries, found, data_dir)
        pairs = [(entry, variant) for name, entry in entries.items() for variant in found[name]]
        runs = _collect(problems, {variant.name: partial(expander.run, entry, variant) for entry, variant in pairs})
    if problems:
        lines = dict.fromkeys(line for problem in problems for line in problem.splitlines())
        raise ConfigError("\n".join(line if line.startswith(f"{file}: ") else f"{file}: {line}" for line in lines))
    seeds = list(dict.fromkeys(variant.seed for each in found.values() for variant in each))
    rank = {variant.name: seeds.index(variant.seed) for each in found.values() for variant in each}
    return ordered(sorted(runs.values(), key=lambda run: rank[run.name]), str(file))


def _collect(problems: list[str], made: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Return what each function returns, by name; a ConfigError becomes a problem."""
    found = {}
    for name, make in made.items():
        try:
            found[name] = make()
        except ConfigError as error:
            problems.append(str(error))
    return found


def _same_names(found: Mapping[str, Sequence[Variant]]) -> Iterator[str]:
    """Say which runs would have the same directory, also where file systems ignore case."""
    taken: dict[str, str] = {}
    for entry, each in found.items():
        for variant in each:
            name = variant.name.casefold()
            if name in taken:
                yield f"runs.{entry}: its run {variant.name} has the name of a run of {taken[name]}; rename one of them"
            taken.setdefault(name, entry)


@dataclass(frozen=True)
class _Expander:
    """Makes runs from entries, and looks up the runs that they refer to."""

    file: Path
    entries: Mapping[str, Merged]
    found: Mapping[str, Sequence[Variant]]
    data_dir: Path | None

    def run(self, entry: Merged, me: Variant) -> PlannedRun:
        """Return one run with checked settings."""
        section = f"runs.{entry.name}"
        origin = self._origin(entry, me, f"{section}.refine") if entry.refine else ""
        schema = RefineConfig if origin else TrainConfig
        table = {**entry.settings, **me.values, **({} if me.seed is None else {"seed": me.seed})}
        problems = list(_foreign_keys({*entry.own, *entry.vary}, schema.settings(), section))
        needs = [self._find(name.removeprefix(PREFIX), me, f"{section}.needs") for name in entry.needs]
        for key, value in table.items():
            location = f"{section}.{key}"
            table[key] = replaced(with_file(key, value), lambda name: PREFIX + self._find(name, me, location))  # noqa: B023
            needs += references(table[key])
        needs += references(origin)
        if problems:
            raise ConfigError("\n".join(problems))
        config = self._load(schema, section, table)
        return PlannedRun(me.name, entry.name, config, origin, tuple(dict.fromkeys(needs)), entry.keep_weights)

    def _load(
        self, schema: type[TrainConfig] | type[RefineConfig], section: str, table: Mapping[str, Any]
    ) -> TrainConfig | RefineConfig:
        """Return checked settings; each line of an error names file and run."""
        try:
            return load(schema, file=self.file, table=(section, table), given={"data_dir": self.data_dir}).config
        except ConfigError as error:
            lines = str(error).splitlines()
            prefixed = (line if line.startswith(f"{self.file}: ") else f"{section}: {line}" for line in lines)
            raise ConfigError("\n".join(prefixed)) from None

    def _origin(self, entry: Merged, me: Variant, location: str) -> str:
        """Return the run that is refined: `run:NAME`, or a path."""
        origin = str(entry.refine)
        if origin.startswith(PREFIX):
            return str(replaced(origin, lambda name: PREFIX + self._find(name, me, location)))
        if not Path(origin).is_dir():
            hint = f"; write {PREFIX}{origin} for the run of this plan" if origin in self.entries else ""
            raise ConfigError(f"{location}: {origin}: no such run directory{hint}")
        return origin

    def _find(self, name: str, me: Variant, location: str) -> str:
        """Return the run of a name or, if an entry has that name, its run with the same seed and values."""
        every = {variant.name: variant for each in self.found.values() for variant in each}
        if name in every:
            return name
        if name not in self.entries:
            raise ConfigError(f"{location}: {unknown('run', name, {*self.entries, *every})}")
        same = [variant.name for variant in self.found[name] if me.agrees(variant)]
        if len(same) == 1:
            return same[0]
        if same:
            raise ConfigError(f"{location}: {name!r} may be {', '.join(same)}; name one of them")
        others = ", ".join(variant.name for variant in self.found[name])
        raise ConfigError(f"{location}: no run of {name!r} has the seed and values of {me.name} (there are {others})")


def _foreign_keys(own: Iterable[str], known: Mapping[str, Any], section: str) -> Iterator[str]:
    """Say which of an entry's own keys its command does not have."""
    allowed = [key for key in known if key not in COMMON]
    for key in sorted(own):
        if key in COMMON:
            yield f"{section}.{key}: is the experiment's, not a run's; leave it out" + _instead(key)
        elif key not in known and key != "preset":
            yield f"{section}: {unknown_key(key, [*allowed, 'preset', *entry_keys()])}"


def _instead(key: str) -> str:
    return f" and give {setting(key)}" if key in ("out", "threads") else ""


def ordered(runs: Sequence[PlannedRun], file: str) -> list[PlannedRun]:
    """Return runs with those that others need first, else in the order given; ConfigError for a cycle."""
    try:
        TopologicalSorter({run.name: run.needs for run in runs}).prepare()
    except CycleError as error:
        names = error.args[1][::-1]  # graphlib gives what is needed first
        entry = next(run.entry for run in runs if run.name == names[0])
        raise ConfigError(
            f"{file}: runs.{entry}: cycle: each of these runs needs the next: {' -> '.join(names)}"
        ) from None
    done: dict[str, PlannedRun] = {}
    waiting = list(runs)
    while waiting:
        ready = next(run for run in waiting if all(name in done for name in run.needs))
        waiting.remove(ready)
        done[ready.name] = ready
    return list(done.values())


def chosen(runs: Sequence[PlannedRun], names: Sequence[str]) -> list[PlannedRun]:
    """Return the runs of these names or entries (none: all); ConfigError for an unknown name."""
    for name in names:
        if not any(name in (run.name, run.entry) for run in runs):
            known = dict.fromkeys(each for run in runs for each in (run.entry, run.name))
            raise ConfigError(unknown("run", name, known), setting="only")
    return [run for run in runs if not names or run.name in names or run.entry in names]


def without_seed(run: PlannedRun) -> PlannedRun:
    """Return a run with the seed 0; runs that differ in their seed alone then have equal settings."""
    return replace(run, config=run.config.model_copy(update={"seed": 0}))
