"""The experiments as `experiments.toml` plans them, and the tables that `tables.toml` makes of their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from mtft.cli.options import take_layers
from mtft.cli.train import command
from mtft.config.experiment_plan import read_plan
from mtft.config.load import dump, load
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.experiments.expansion import PlannedRun, expand
from mtft.experiments.references import references
from mtft.experiments.store import used
from mtft.io import toml_parser

FILE = Path(__file__).with_name("experiments.toml")
TABLES = Path(__file__).with_name("tables.toml")


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


@dataclass(frozen=True)
class Plans:
    """The planned runs by name, the tables, and the seeds. Tables may have rows of runs that no plan makes."""

    planned: Mapping[str, PlannedRun]
    tables: Mapping[str, Table]
    seeds: tuple[int, ...]

    @property
    def entries(self) -> list[str]:
        """Return the names of all runs, without seeds."""
        tabled = [run for table in self.tables.values() for row in table.rows for run in row.runs]
        return list(dict.fromkeys([*(run.entry for run in self.planned.values()), *tabled]))

    @property
    def tasks(self) -> list[str]:
        """Return the tasks of all planned runs."""
        return list(dict.fromkeys(task for run in self.planned.values() for task in run.config.tasks))

    def mask_of(self, name: str) -> str:
        """Return the run whose selection a run takes, "" if it selects weights itself."""
        run = self.planned.get(name)
        return next(references(getattr(run.config, "mask", None)), "") if run else ""

    def needed(self, name: str) -> set[str]:
        """Return the runs whose weights or mask a run begins with or learns from."""
        return used(self.planned[name]) if name in self.planned else set()


def label(run: str, seed: int) -> str:
    """Name a run with its seed."""
    return f"{run}.s{seed}"


def read_plans() -> Plans:
    """Read the plan and the tables."""
    plan = read_plan(FILE)
    document = toml_parser.loads(TABLES.read_text(encoding="utf-8"))
    tables = {
        name: Table(
            name,
            table["title"],
            tuple(Row(row["name"], tuple(row["runs"]), row.get("series", "")) for row in table["rows"]),
        )
        for name, table in document["table"].items()
    }
    return Plans({run.name: run for run in expand(plan, FILE)}, tables, plan.seeds or ())


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


def settings_like(run: PlannedRun, options: Sequence[str]) -> TrainConfig:
    """Return the settings of a planned run, with `options` over them."""
    with TemporaryDirectory(prefix="mtft-") as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(dump(run.config, exclude={"out", "overwrite"}), encoding="utf-8")
        return settings(["--config", str(file), *options])
