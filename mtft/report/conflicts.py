"""Pictures of conflicts: which pairs of tasks pull the encoder apart, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mtft.report.charts import Series, line_chart
from mtft.report.figure import Figure, Table, inner, percent, real
from mtft.report.heatmaps import Cell, Heatmap
from mtft.report.records import RunRecord


def conflict_figures(run: RunRecord) -> list[Figure]:
    """Draw how often each pair of tasks was in conflict, and their mean cosine, over time."""
    parts = _stretches(run)
    pairs = list(dict.fromkeys(pair for _, found in parts for pair in found))
    if not pairs:
        return []
    cells = [[_conflict_cell(name, found.get(pair)) for name, found in parts] for pair in pairs]
    heatmap = Heatmap(
        "Conflicts between tasks over time", _conflict_words(run), [pair.replace("/", " · ") for pair in pairs],
        [name for name, _ in parts], cells, x_name="step", y_name="share of steps in conflict", label_width=104,
        ordered=True,
    )  # fmt: skip
    rows = tuple(
        (pair.replace("/", " · "), str(record.get("epoch")), percent(found.get("conflict_rate")),
         f"{real(found.get('cosine')):+.4f}", str(found.get("steps")))
        for record in run.conflicts for pair, found in inner(record, "pairs").items() if isinstance(found, Mapping)
    )  # fmt: skip
    table = Table("Conflicts by epoch", ("pair", "epoch", "steps in conflict", "mean cosine", "steps"), rows)
    caption = "A step is in conflict where the two tasks' gradients point apart (negative cosine). Blue: less than "
    caption += "half of the steps (strongest from a quarter down), orange: more; random directions would give half."
    curves = [
        Series(pair.replace("/", " · "), tuple((float(step), found[pair][1]) for step, found in parts if pair in found),
               number, dots=len(parts) < 4)
        for number, pair in enumerate(pairs)
    ]  # fmt: skip
    cosines = line_chart("Cosine of the tasks' gradients over time", curves, "step", "mean cosine")
    words = "Above zero the two tasks agree on where the weights should go."
    return [Figure("time", heatmap.draw(), caption, table), Figure("cosines", cosines, words)]


def _stretches(run: RunRecord, most: int = 24) -> list[tuple[str, dict[str, tuple[float, float]]]]:
    """Cut the steps into stretches: name, and per pair the share in conflict and the mean cosine."""
    steps = [record for record in run.steps if inner(record, "cosines")]
    if not steps:
        return [
            (str(record.get("step", record.get("epoch"))),
             {pair: (real(found.get("conflict_rate")), real(found.get("cosine")))
              for pair, found in inner(record, "pairs").items() if isinstance(found, Mapping)})
            for record in run.conflicts
        ]  # fmt: skip
    size = math.ceil(len(steps) / most)
    found = []
    for start in range(0, len(steps), size):
        part = steps[start : start + size]
        pairs = dict.fromkeys(pair for record in part for pair in inner(record, "cosines"))
        cosines = {pair: [real(inner(record, "cosines").get(pair)) for record in part] for pair in pairs}
        kept = {pair: [value for value in values if math.isfinite(value)] for pair, values in cosines.items()}
        rates = {
            pair: (sum(value < 0 for value in values) / len(values), sum(values) / len(values))
            for pair, values in kept.items() if values
        }  # fmt: skip
        found.append((str(part[-1].get("step")), rates))
    return found


def _conflict_cell(name: str, found: tuple[float, float] | None) -> Cell:
    if found is None:
        return Cell(0.0, title=f"up to step {name}: never in one batch")
    rate, cosine = found
    title = f"up to step {name}: {rate:.0%} of steps in conflict, mean cosine {cosine:+.4f}"
    return Cell(4 * (0.5 - rate), f"{100 * rate:.0f}", title)


def _conflict_words(run: RunRecord) -> str:
    found = inner(run.summary, "conflicts", "pairs")
    parts = [f"{pair}: {percent(each.get('conflict_rate'))}" for pair, each in found.items()
             if isinstance(each, Mapping)]  # fmt: skip
    return f"Share of steps in conflict over the whole run. {'; '.join(parts)}." if parts else ""
