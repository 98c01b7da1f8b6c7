"""Figures of conflicts: which pairs of tasks disagree about the encoder's weights, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mtft.io.text import epoch_name
from mtft.report.charts import Series, line_chart
from mtft.report.drawing import SERIES
from mtft.report.figure import Figure, Table, inner, percent, real, signed
from mtft.report.heatmaps import Cell, Heatmap
from mtft.report.run_record import RunRecord

MOST_ROWS = 45
"""Most rows of the heat map, one for each pair of tasks."""

Stretch = tuple[str, dict[str, tuple[float, float]]]
"""The last step of a stretch, and per pair of tasks the share of steps in conflict and the mean cosine."""


def conflict_figures(run: RunRecord) -> list[Figure]:
    """Return figures of how often each pair of tasks was in conflict, and of their mean cosine, over time."""
    parts, unit = _stretches(run), "step" if run.steps else "epoch"
    pairs = _lowest(parts, MOST_ROWS)
    if not pairs:
        return []
    cells = [[_conflict_cell(name, rates.get(pair)) for name, rates in parts] for pair in pairs]
    heatmap = Heatmap(
        "Conflicts between tasks over time",
        _conflict_words(run),
        [pair.replace("/", " · ") for pair in pairs],
        [name for name, _ in parts],
        cells,
        x_name=unit,
        y_name="share of steps in conflict",
        label_width=104,
        ordered=True,
    )
    rows = tuple(
        (
            pair.replace("/", " · "),
            epoch_name(record.get("epoch"), record.get("cut_at")),
            percent(counts.get("conflict_rate")),
            signed(real(counts.get("cosine"))),
            str(counts.get("steps")),
        )
        for record in run.conflicts
        for pair, counts in inner(record, "pairs").items()
        if isinstance(counts, Mapping)
    )
    table = Table("Conflicts by epoch", ("pair", "epoch", "steps in conflict", "mean cosine", "steps"), rows)
    caption = "A step is in conflict if the two tasks' gradients have a negative cosine. Blue: less than "
    caption += "half of the steps (strongest from a quarter down), orange: more; random directions would give half."
    return [Figure("time", heatmap.draw(), caption, table), _cosines(parts, pairs, unit)]


def _cosines(parts: Sequence[Stretch], pairs: Sequence[str], unit: str) -> Figure:
    """Return a figure of the mean cosines of the pairs that agree least, as many as there are colours."""
    chosen = _lowest(parts, len(SERIES))
    curves = [
        Series(
            pair.replace("/", " · "),
            tuple((float(step), rates[pair][1]) for step, rates in parts if pair in rates),
            number,
            dots=len(parts) < 4,
        )
        for number, pair in enumerate(chosen)
    ]
    drawing = line_chart("Cosine of the tasks' gradients over time", curves, unit, "mean cosine")
    words = "Above zero the two tasks agree on where the weights should go."
    if len(chosen) < len(pairs):
        words += f" Shown are the {len(chosen)} of {len(pairs)} pairs that agree least."
    return Figure("cosines", drawing, words)


def _lowest(parts: Sequence[Stretch], most: int) -> list[str]:
    """Return the pairs with the lowest mean cosines over the stretches, at most so many, in the order of the log."""
    pairs = list(dict.fromkeys(pair for _, rates in parts for pair in rates))
    cosines = {pair: [rates[pair][1] for _, rates in parts if pair in rates] for pair in pairs}
    lowest = sorted(pairs, key=lambda pair: sum(cosines[pair]) / len(cosines[pair]))[:most]
    return [pair for pair in pairs if pair in lowest]


def _stretches(run: RunRecord, most: int = 24) -> list[Stretch]:
    """Return stretches of steps: name, and per pair the share in conflict and the mean cosine."""
    steps = [record for record in run.steps if inner(record, "cosines")]
    if not steps:
        return [
            (
                str(record["epoch"]),
                {
                    pair: (real(counts.get("conflict_rate")), real(counts.get("cosine")))
                    for pair, counts in inner(record, "pairs").items()
                    if isinstance(counts, Mapping)
                },
            )
            for record in run.conflicts
        ]
    size = math.ceil(len(steps) / most)
    stretches = []
    for start in range(0, len(steps), size):
        part = steps[start : start + size]
        pairs = dict.fromkeys(pair for record in part for pair in inner(record, "cosines"))
        cosines = {pair: [real(inner(record, "cosines").get(pair)) for record in part] for pair in pairs}
        kept = {pair: [value for value in values if math.isfinite(value)] for pair, values in cosines.items()}
        rates = {
            pair: (sum(value < 0 for value in values) / len(values), sum(values) / len(values))
            for pair, values in kept.items()
            if values
        }
        stretches.append((str(part[-1]["step"]), rates))
    return stretches


def _conflict_cell(name: str, rates: tuple[float, float] | None) -> Cell:
    if rates is None:
        return Cell(0.0, title=f"up to {name}: never in one batch")
    rate, cosine = rates
    title = f"up to {name}: {rate:.0%} of steps in conflict, mean cosine {signed(cosine)}"
    return Cell(4 * (0.5 - rate), f"{100 * rate:.0f}", title)


def _conflict_words(run: RunRecord) -> str:
    pairs = inner(run.summary, "conflicts", "pairs")
    parts = [
        f"{pair}: {percent(each.get('conflict_rate'))}" for pair, each in pairs.items() if isinstance(each, Mapping)
    ]
    if every := inner(run.summary, "conflicts", "all"):
        parts.append(
            f"all {every.get('pairs')} pairs: {percent(every.get('conflict_rate'))}; the others have higher cosines"
        )
    return f"Share of steps in conflict over the whole run. {'; '.join(parts)}." if parts else ""
