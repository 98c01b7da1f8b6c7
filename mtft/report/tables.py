"""Tables of a report: parameters and bytes, settings, and the facts at the top of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mtft.io.text import epoch_name
from mtft.report.figure import Table, inner, real
from mtft.report.run_record import RunRecord


def parameters(runs: Sequence[RunRecord]) -> Table:
    """Return the table of parameters and bytes, with a column per run."""
    rows = [
        ("parameters stored", *(_count(run, "stored") for run in runs)),
        ("of them tuned", *(_count(run, "tunable") for run in runs)),
        ("encoder", *(_count(run, "encoder", "stored") for run in runs)),
        ("of it tuned", *(_count(run, "encoder", "tunable") for run in runs)),
    ]
    heads = list(dict.fromkeys(head for run in runs for head in inner(run.summary, "parameters", "heads")))
    rows += [(f"head {head}", *(_count(run, "heads", head) for run in runs)) for head in heads]
    for text, key in (
        ("stored, of individual models with the same heads", "stored_to_individuals_with_same_heads"),
        ("tuned, of individual models with the same heads", "tunable_to_individuals_with_same_heads"),
    ):
        rows.append((text, *(_share(inner(run.summary, "parameters", "ratios").get(key)) for run in runs)))
    names = list(dict.fromkeys(name for run in runs for name in run.files))
    rows += [(f"bytes of {name}", *(_whole(run.files.get(name)) for run in runs)) for name in names]
    rows.append(("bytes of model files", *(_whole(sum(run.files.values()) if run.files else None) for run in runs)))
    rows.append(
        ("bytes of base model", *("not found" if run.base_bytes is None else _whole(run.base_bytes) for run in runs))
    )
    return Table("Parameters and bytes", ("", *(run.label for run in runs)), tuple(rows))


def _count(run: RunRecord, *keys: str) -> str:
    return _whole(inner(run.summary, "parameters", *keys[:-1]).get(keys[-1]))


def _whole(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def _share(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, float) else "–"


def facts(run: RunRecord) -> tuple[tuple[str, str], ...]:
    """Return the known facts of a run for the top of the page, as (name, value)."""
    counts = inner(run.summary, "parameters")
    stored, tunable = real(counts.get("stored")), real(counts.get("tunable"))
    known = []
    if stored > 0 and math.isfinite(tunable):
        known += [("parameters stored", f"{stored / 1e6:.1f}M"), ("of them tuned", f"{tunable / stored:.1%}")]
    if run.files:
        known.append(("model files", f"{sum(run.files.values()) / 1e6:.1f} MB"))
    if isinstance(run.summary.get("epochs"), int):
        best = epoch_name(run.summary.get("best_epoch"), run.summary.get("best_cut_at"))
        known.append(("best epoch", f"{best} of {run.summary['epochs']}"))
    if run.looks:
        known.append(("test looked at", f"{run.looks} time{'s' if run.looks > 1 else ''}"))
    if run.times and math.isfinite(seconds := spent(run.times)):
        known.append(("time", duration(seconds)))
    return tuple(known)


def spent(times: Sequence[Mapping[str, Any]], key: str = "seconds") -> float:
    """Return the seconds of a run, or those of its "processor", summed over its successive processes.

    `times` is the run's log; a process's time after its last record is unknown. nan if a number is missing.
    """
    following = [*times[1:], {"resumed": ""}]
    last = [record for record, after in zip(times, following, strict=False) if "resumed" in after]
    return sum((real(record.get(key)) for record in last), 0.0)


def duration(seconds: float) -> str:
    """Return seconds as text: 12 s, 3 min 5 s, 2 h 7 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


DEEPEST = 4
"""Levels of nested settings that are shown; deeper ones become one text."""


def settings(record: Mapping[str, Any], name: str, prefix: str = "") -> Table:
    """Return the table of settings, nested ones under dotted keys."""
    return Table(name, ("key", "value"), tuple(_flat(record, prefix)), texts=2)


def _flat(record: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in record.items():
        if isinstance(value, Mapping) and prefix.count(".") < DEEPEST:
            rows += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            rows.append((f"{prefix}{key}", (" " if key == "arguments" else ", ").join(map(str, value))))
        else:
            rows.append((f"{prefix}{key}", str(value).lower() if isinstance(value, bool) else str(value)))
    return rows
