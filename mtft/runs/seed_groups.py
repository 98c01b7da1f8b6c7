"""Find the runs that differ in their seed alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mtft.config.groups import RunOptions
from mtft.errors import CheckpointError, ConfigError
from mtft.io.files import read_json
from mtft.io.text import show
from mtft.runs.fingerprints import HARMLESS
from mtft.runs.integrity import run_config

SUFFIX = re.compile(r"\.s\d+(?=/|$)")
"""The seed at the end of a run's name, as `mtft experiment` names it."""


def seed_of(run: Path) -> int:
    """Return the seed of a run."""
    return _config(run).seed


def check_same_but_seed(name: str, runs: Sequence[Path]) -> None:
    """Raise ConfigError unless runs differ in their seeds, and in nothing else."""
    first, *others = runs
    for other in others:
        if difference := _differences(first, other):
            raise ConfigError(f"{name}: {first} and {other} differ in more than their seed: {difference}")
    seeds = [seed_of(run) for run in runs]
    for run, seed in zip(runs, seeds, strict=True):
        if seeds.count(seed) > 1:
            raise ConfigError(f"{name}: {run} and another run have the same seed {seed}")


def group_by_seed(runs: Iterable[Path]) -> dict[str, list[Path]]:
    """Return groups of runs that differ in their seed alone, named after the first without its seed."""
    groups: list[list[Path]] = []
    for run in runs:
        group = next((group for group in groups if not _differences(group[0], run)), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    named: dict[str, list[Path]] = {}
    for group in groups:
        name = SUFFIX.sub("", group[0].resolve().name)
        if name in named:
            raise ConfigError(f"{named[name][0]} and {group[0]} differ in more than their seed; name their groups")
        named[name] = group
    return named


def _config(run: Path) -> RunOptions:
    config = run_config(run)
    if not isinstance(config, RunOptions):
        raise CheckpointError(f"{run}: its settings are not those of a run")
    return config


def _differences(one: Path, other: Path) -> str:
    """Return in words how the settings of two runs differ, beside the seed."""
    first, second = _config(one), _config(other)
    if type(first) is not type(second):
        return "they were made by different commands"
    origins = [_plain(read_json(run / "environment.json").get("refines", "")) for run in (one, other)]
    found = ["the runs that they refine"] if origins[0] != origins[1] else []
    for key in type(first).model_fields:
        before, after = getattr(first, key), getattr(second, key)
        if key not in {"seed", *HARMLESS} and _plain(before) != _plain(after):
            found.append(f"{key}: {show(before)} and {show(after)}")
    return "; ".join(found)


def _plain(value: object) -> object:
    """Return a value in which paths of runs have no seed."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return SUFFIX.sub("", str(value)) if isinstance(value, str | Path) else value
