"""The runs that one entry of a plan stands for: one for each seed and each combination of varied settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtft.config.experiment_plan import Entry, ExperimentPlan, value_text
from mtft.errors import ConfigError, unknown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Names of runs; each is a directory."""


DEEPEST = 100
"""Most runs through which a run may inherit."""


@dataclass(frozen=True)
class Merged:
    """An entry with all that it inherits; `own` are the settings that it sets itself."""

    name: str
    settings: Mapping[str, Any]
    own: Mapping[str, Any]
    refine: str | None
    needs: tuple[str, ...]
    seeds: tuple[int, ...]
    vary: Mapping[str, Sequence[Any]]
    keep_weights: bool


@dataclass(frozen=True)
class Variant:
    """One run of an entry: its name, its seed if the entry has several, and the values of what varies."""

    name: str
    seed: int | None
    values: Mapping[str, Any]

    def agrees(self, other: Variant) -> bool:
        """Return whether two variants have the same seed and values, as far as both have them."""
        seeds = self.seed is None or other.seed is None or self.seed == other.seed
        return seeds and all(self.values[key] == other.values[key] for key in self.values.keys() & other.values.keys())


def merged(plan: ExperimentPlan, name: str, above: tuple[str, ...] = ()) -> Merged:
    """Return an entry with what it inherits by `like`; ConfigError for an unknown run or a cycle."""
    entry = plan.runs[name]
    if name in above:
        raise ConfigError(f"runs.{above[0]}.like: cycle: {' -> '.join([*above, name])}")
    if len(above) == DEEPEST:
        raise ConfigError(f"runs.{above[0]}.like: leads through more than {DEEPEST} runs")
    own, common = entry.settings, {key.replace("-", "_"): value for key, value in plan.settings.items()}
    base = Merged(name, common, {}, None, (), plan.seeds or (), {}, keep_weights=False)
    if entry.like is not None:
        if entry.like not in plan.runs:
            raise ConfigError(f"runs.{name}.like: {unknown('run', entry.like, plan.runs)}")
        base = merged(plan, entry.like, (*above, name))
    varied = {key.replace("-", "_"): values for key, values in entry.vary.items()}
    inherited = {key: values for key, values in base.vary.items() if key not in own}
    before = {key: value for key, value in base.settings.items() if key != "seed" or entry.seeds is None}
    return Merged(
        name,
        {**before, **own},
        own,
        _own(entry, "refine", base.refine),
        _own(entry, "needs", base.needs),
        _own(entry, "seeds", () if "seed" in own else base.seeds),
        varied if "vary" in entry.model_fields_set else inherited,
        _own(entry, "keep_weights", base.keep_weights),
    )


def _own(entry: Entry, key: str, otherwise: Any) -> Any:
    """Return the entry's value of a key that it sets, else the inherited one."""
    return getattr(entry, key) if key in entry.model_fields_set else otherwise


def variants(entry: Merged) -> list[Variant]:
    """Return the runs of an entry; ConfigError for values that do not fit together."""
    if problems := list(_problems(entry)):
        raise ConfigError("\n".join(problems))
    combinations = [dict(zip(entry.vary, values, strict=True)) for values in itertools.product(*entry.vary.values())]
    return [
        Variant(_name(entry.name, seed, values), seed, values)
        for seed in entry.seeds or (None,)
        for values in combinations
    ]


def _problems(entry: Merged) -> Iterator[str]:
    location = f"runs.{entry.name}"
    if not NAME.fullmatch(entry.name):
        yield f"{location}: the name is not letters, digits and any of . _ - (at most 100)"
    if twice := [seed for at, seed in enumerate(entry.seeds) if seed in entry.seeds[:at]]:
        yield f"{location}.seeds: {twice[0]} is given twice"
    if entry.seeds and "seed" in entry.settings:
        yield f"{location}.seed: the run has seeds; leave one of the two out"
    for key, values in entry.vary.items():
        texts = [value_text(value) for value in values]
        if key == "seed":
            yield f"{location}.vary.seed: write seeds = [...] in the run instead"
        elif key in entry.own:
            yield f"{location}.vary.{key}: the run also sets {key}; leave one of the two out"
        elif not values:
            yield f"{location}.vary.{key}: the list is empty"
        elif twice_text := [text for at, text in enumerate(texts) if text in texts[:at]]:
            yield f"{location}.vary.{key}: {twice_text[0]} is given twice"


def _name(entry: str, seed: int | None, values: Mapping[str, Any]) -> str:
    """Return the name of a run: that of its entry, the values of what varies, the seed."""
    varied = [f"{key}-{re.sub(r'[^A-Za-z0-9._-]', '_', value_text(value))}" for key, value in values.items()]
    return ".".join([entry, *varied, *([] if seed is None else [f"s{seed}"])])
