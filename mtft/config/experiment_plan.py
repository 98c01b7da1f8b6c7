"""The schema of a plan of experiments: named runs, what they inherit, what varies, and what they need.

A plan is a TOML file::

    seeds = [0, 1]                  # every run below is trained with each of these seeds

    [settings]                      # settings of all runs
    dev_split = "half"

    [runs.both]
    tasks = ["sst", "sts"]

    [runs.refined]                  # `mtft refine` of the run "both" with the same seed
    refine = "run:both"
    tasks = ["sts"]

    [runs.smaller]
    like = "both"                   # the settings of "both", and those below
    vary = { lr = [5e-5, 1e-4] }    # one run for each value
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from mtft.config.synonyms import near
from mtft.config.toml_file import read_table
from mtft.errors import ConfigError
from mtft.io.text import show

EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "too_short": "a list with at least one value",
}
"""Types of pydantic's errors, and what a value should have been."""

Seeds = tuple[StrictInt, ...]


class Entry(BaseModel):
    """A table `[runs.NAME]`: keys of the plan, and settings of `mtft train` or `mtft refine`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    like: StrictStr | None = Field(None, description="run whose settings this one has where it sets none itself")
    refine: StrictStr | None = Field(None, description="run that is refined, as in run:NAME (default: train)")
    needs: tuple[StrictStr, ...] = Field((), description="runs that must be finished before")
    seeds: Seeds | None = Field(None, min_length=1, description="seeds, one run for each")
    vary: dict[str, list[Any]] = Field({}, description="settings with several values, one run for each combination")
    keep_weights: StrictBool = Field(False, description="keep the weights when no other run needs them any more")

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings, without the keys of the plan; hyphens in keys are underscores."""
        return {key.replace("-", "_"): value for key, value in (self.model_extra or {}).items()}


class ExperimentPlan(BaseModel):
    """A whole plan; `seeds` and `settings` are those of every run that has none of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: Seeds | None = Field(None, min_length=1, description="seeds of every run that lists none")
    settings: dict[str, Any] = Field({}, description="settings of every run")
    runs: dict[str, Entry] = Field(min_length=1, description="runs by name")


def read_plan(file: Path) -> ExperimentPlan:
    """Read a plan; ConfigError has a line for each fault, with file and key."""
    problems: list[str] = []
    table = read_table(file, problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return checked_plan(table, str(file))


def checked_plan(table: Mapping[str, Any], file: str) -> ExperimentPlan:
    """Return a plan from its table; ConfigError has a line for each fault."""
    try:
        return ExperimentPlan.model_validate(table)
    except ValidationError as error:
        lines = (_explain(file, dict(detail)) for detail in error.errors(include_url=False))
        raise ConfigError("\n".join(lines)) from None


def entry_keys() -> tuple[str, ...]:
    """Return the keys of a run that are the plan's own."""
    return tuple(Entry.model_fields)


def unknown_key(key: str, known: Sequence[str]) -> str:
    """Say that a key is unknown, with the most similar one or all that are known."""
    meant = near(key, known)
    return f"unknown key {show(key)}" + (f"; did you mean {meant!r}?" if meant else f" (allowed: {', '.join(known)})")


def value_text(value: Any) -> str:
    """Return a value as TOML writes it, for names and messages."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "-".join(map(value_text, value))
    return f"{float(value):g}" if isinstance(value, float | Decimal) else str(value)


def _explain(file: str, detail: Mapping[str, Any]) -> str:
    """Turn one of pydantic's errors into a line: file, key, value found, values allowed."""
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path)
    if detail["type"] == "extra_forbidden":
        return f"{file}: {unknown_key(path[-1], tuple(ExperimentPlan.model_fields))}"
    if detail["type"] == "missing":
        return f"{file}: {key}: required; a table [runs.NAME] for each run"
    return f"{file}: {key}: {show(detail['input'])} is not {EXPECTED.get(detail['type'], detail['msg'].lower())}"
