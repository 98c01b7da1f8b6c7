"""The experiments as `experiments.toml` describes them: runs with their settings, and the tables made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mtft.cli.options import take_layers
from mtft.cli.train import command
from mtft.config.load import load
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError, unknown
from mtft.io import toml_parser
from mtft.runs.artifact import MASK

FILE = Path(__file__).with_name("experiments.toml")


@dataclass(frozen=True)
class Row:
    """A row of a table: its name, the runs that cover the tasks together, and the line of the plot that it is on."""

    name: str
    runs: tuple[str, ...]
    series: str = ""


@dataclass(frozen=True)
class Table:
    """A table under its name in files; differences are from its first row."""

    name: str
    title: str
    rows: tuple[Row, ...]

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run for row in self.rows for run in row.runs))


@dataclass(frozen=True)
class Plans:
    """Settings of each run, without `like`; the tables made of runs; the seeds.

    `refines` has the run that a run refines, `masks` the one whose mask it takes, `peers` the script that runs it. The
    runs that it needs, its `teachers` too, have the same seed.
    """

    settings: Mapping[str, Mapping[str, Any]]
    refines: Mapping[str, str]
    masks: Mapping[str, str]
    peers: Mapping[str, str]
    tables: Mapping[str, Table]
    seeds: tuple[int, ...]

    def chosen(self, names: Iterable[str]) -> list[tuple[str, int]]:
        """Return the (run, seed) of names such as unified, unified.s1, table1 or all, what others need first.

        All runs of one seed come before those of the next.
        """
        found: dict[tuple[int, int], tuple[str, int]] = {}
        order = {run: place for place, run in enumerate(self.settings)}
        for name in names:
            stem, _, seed = name.partition(".s")
            if seed and not seed.isdecimal():
                raise ConfigError(f"{name!r} is not NAME or NAME.sSEED, as in unified.s0")
            for run in self._runs(stem):
                for number in [int(seed)] if seed else self.seeds:
                    for each in (*self.needed(run), run):
                        found[number, order[each]] = (each, number)
        return [found[key] for key in sorted(found)]

    def needed(self, run: str) -> tuple[str, ...]:
        """Return the runs whose weights or mask a run begins with or learns from."""
        origins = [names[run] for names in (self.refines, self.masks) if run in names]
        return (*origins, *self.settings[run].get("teachers", ()))

    def _runs(self, name: str) -> Sequence[str]:
        if name == "all":
            return tuple(self.settings)
        if name in self.tables:
            return self.tables[name].runs
        if name not in self.settings:
            raise ConfigError(unknown("run or table", name, [*self.settings, *self.tables, "all"]))
        return (name,)

    def command(self, run: str, seed: int, out: Path, options: Sequence[str] = ()) -> list[str]:
        """Return the arguments of ``mtft`` that make a run at `out`, with more `options`."""
        origin = self.refines.get(run)
        begin = ["refine", str(out.with_name(label(origin, seed)))] if origin else ["train"]
        given = dict(self.settings[run])
        if "teachers" in given:
            given["teachers"] = [out.with_name(label(teacher, seed)) for teacher in given["teachers"]]
        if run in self.masks:
            given["mask"] = out.with_name(label(self.masks[run], seed)) / MASK
        flags = [part for key, value in given.items() for part in _flag(key, value)]
        return [*begin, *flags, "--seed", str(seed), *options, "--out", str(out)]


def label(run: str, seed: int) -> str:
    """Name a run with its seed."""
    return f"{run}.s{seed}"


def _flag(key: str, value: object) -> list[str]:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]


def read_plans(file: Path = FILE) -> Plans:
    """Read the experiments; ConfigError names a run that does not exist."""
    document = toml_parser.loads(file.read_text(encoding="utf-8"), parse_float=str)  # numbers stay as they are written
    runs: dict[str, dict[str, Any]] = document["run"]
    settings: dict[str, dict[str, Any]] = {}
    others: dict[str, dict[str, str]] = {"refines": {}, "mask": {}, "peer": {}}
    for name in runs:
        merged = _merged(name, runs)
        for key, found in others.items():
            if key in merged:
                found[name] = merged.pop(key)
        for other in (*merged.get("teachers", ()), *(others[key].get(name, name) for key in ("refines", "mask"))):
            _known(other, runs)
        settings[name] = {**document["common"], **merged}
    tables = {
        name: Table(
            name,
            table["title"],
            tuple(
                Row(row["name"], tuple(_known(run, runs) for run in row["runs"]), row.get("series", ""))
                for row in table["rows"]
            ),
        )
        for name, table in document["table"].items()
    }
    return Plans(settings, others["refines"], others["mask"], others["peer"], tables, tuple(document["seeds"]))


def _merged(name: str, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put a run's settings over those of the run that it is like."""
    own = dict(runs[name])
    other = own.pop("like", None)
    return {**(_merged(_known(other, runs), runs) if other else {}), **own}


def _known(name: str, runs: Mapping[str, Any]) -> str:
    if name not in runs:
        raise ConfigError(f"{FILE.name}: {unknown('run', name, runs)}")
    return name


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part a command's arguments at ``--``."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def settings(options: Sequence[str]) -> TrainConfig:
    """Read settings as `mtft train` reads its options; ConfigError names what is wrong."""
    try:
        with command.make_context("train", list(options)) as context:
            flags, layers = take_layers(TrainConfig, context.params)
            return load(TrainConfig, given=flags, **layers).config
    except click.UsageError as error:
        raise ConfigError(error.format_message()) from error
