"""The page: sections of tables, figures and examples, written as one self-contained HTML file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mtft.io.text import printable
from mtft.report.answers import answer_figures
from mtft.report.conflicts import conflict_figures
from mtft.report.curves import curve_figures, scores_figure
from mtft.report.figure import Figure, Table
from mtft.report.hardest import HardExample, hardest
from mtft.report.run_record import Predictions, RunRecord, TaskRecord
from mtft.report.scope import correction
from mtft.report.scores import Line, differences, doubts, score_lines
from mtft.report.selected_weights import SelectedShare, selection_figures
from mtft.report.svg import FONT, colors_css, to_svg
from mtft.report.tables import facts, parameters, settings


@dataclass(frozen=True)
class FigureGroup:
    """Figures, tables and examples under a heading, which may be empty; tables may be folded."""

    heading: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    examples: tuple[HardExample, ...] = ()
    folded: bool = False
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page: its anchor, title, introduction and groups."""

    anchor: str
    title: str
    lead: str
    groups: tuple[FigureGroup, ...]


@dataclass(frozen=True)
class Page:
    """Everything that the template shows.

    `lines` are the scores, `doubts` says which of them tell little, `facts` are (run, (name, value)) for the head of
    the page.
    """

    runs: tuple[RunRecord, ...]
    lines: tuple[Line, ...]
    overview: Figure | None
    sections: tuple[Section, ...]
    doubts: tuple[str, ...]
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @property
    def fact_table(self) -> Table:
        """The facts of all runs, one row per run."""
        names = tuple(dict.fromkeys(name for _, facts in self.facts for name, _ in facts))
        rows = tuple((label, *(dict(facts).get(name, "–") for name in names)) for label, facts in self.facts)
        return Table("Runs", ("run", *names), rows)

    @property
    def correction(self) -> str:
        """What verdicts are corrected for, "" without any."""
        found = differences(self.lines)
        return correction(found) if found else ""

    @property
    def title(self) -> str:
        return ", ".join(run.label for run in self.runs)

    def figures(self) -> dict[str, Figure]:
        """Return every figure by a unique name."""
        named = {"scores-intervals": self.overview} if self.overview else {}
        for section in self.sections:
            for group in section.groups:
                for figure in group.figures:
                    named[_slug(f"{section.anchor}-{group.heading}-{figure.name}", named)] = figure
        return named


def build_page(runs: Sequence[RunRecord], *, resamples: int = 1000, examples: int = 5) -> Page:
    """Return the page of some runs; the others are compared with the first."""
    lines = score_lines(runs, resamples)
    tasks = list(dict.fromkeys(line.task for line in lines))
    sections = [_curves(runs, tasks), _conflicts(runs), _selection(runs), _answers(runs), _hardest(runs, examples)]
    sections += [_parameters(runs), _settings(runs)]
    return Page(
        tuple(runs),
        tuple(lines),
        scores_figure(lines, [run.label for run in runs]),
        tuple(section for section in sections if section.groups),
        tuple(doubts(runs, lines)),
        tuple((run.label, facts(run)) for run in runs),
    )


def _curves(runs: Sequence[RunRecord], tasks: Iterable[str]) -> Section:
    groups = (FigureGroup(task, tuple(curve_figures(runs, task))) for task in tasks)
    return Section("curves", "Learning curves", "Training loss and dev scores, task by task.", _shown(groups))


def _conflicts(runs: Sequence[RunRecord]) -> Section:
    groups = []
    for run in runs:
        if figures := conflict_figures(run):
            changed = run.summary.get("conflicts", {}).get("changed") if _maps(run.summary, "conflicts") else None
            note = f"On average surgery changed the step by {changed:.1%} of its length." if _finite(changed) else ""
            groups.append(FigureGroup(_heading(run, runs), tuple(figures), note=note))
    return Section("conflicts", "Conflicts between tasks", "How often the tasks' gradients disagree.", tuple(groups))


def _selection(runs: Sequence[RunRecord]) -> Section:
    owners: dict[tuple[SelectedShare, ...], list[str]] = {}
    for run in runs:
        if run.selected:
            owners.setdefault(run.selected, []).append(run.label)
    groups = [
        FigureGroup(", ".join(names) if len(runs) > 1 else "", tuple(selection_figures(parts)))
        for parts, names in owners.items()
    ]
    return Section("selection", "What was selected", "Which of the encoder's weights are trained.", tuple(groups))


def _answers(runs: Sequence[RunRecord]) -> Section:
    groups = (FigureGroup(heading, tuple(answer_figures(task))) for heading, task in _distinct(runs))
    lead = "How dev predictions compare with the labels, and whether confidence matches accuracy."
    return Section("answers", "Answers", lead, _shown(groups))


def _hardest(runs: Sequence[RunRecord], count: int) -> Section:
    groups = []
    for heading, task in _distinct(runs):
        if examples := hardest(task, count):
            at_hand = any(example.texts for example in examples)
            note = "" if at_hand else "The texts were not found; ids are shown instead."
            groups.append(FigureGroup(heading, examples=tuple(examples), note=note))
    lead = (
        "The dev examples with the largest errors, with class probabilities: weaknesses of the model, or wrong labels."
    )
    return Section("hardest", "Hardest examples", lead, tuple(groups))


def _distinct(runs: Sequence[RunRecord]) -> list[tuple[str, TaskRecord]]:
    """Return (heading, record) by task and run; runs with the same predictions share a record."""
    records: list[tuple[list[str], TaskRecord]] = []
    for name in dict.fromkeys(name for run in runs for name in run.tasks):
        for run in runs:
            task = run.tasks.get(name)
            if task is None or task.predictions is None:
                continue
            same = (names for names, other in records if other.name == name and _alike(task.predictions, other))
            if names := next(same, None):
                names.append(run.label)
            else:
                records.append(([run.label], task))
    return [(f"{task.name}: {', '.join(names)}" if len(runs) > 1 else task.name, task) for names, task in records]


def _alike(predictions: Predictions, other: TaskRecord) -> bool:
    known = other.predictions
    if known is None or predictions.ids != known.ids:
        return False
    return np.array_equal(predictions.values, known.values) and np.array_equal(predictions.targets, known.targets)


def _parameters(runs: Sequence[RunRecord]) -> Section:
    table = parameters(runs)
    return Section(
        "parameters",
        "Parameters and bytes",
        "What is stored, and how much of it was tuned.",
        (FigureGroup("", tables=(table,)),),
    )


def _settings(runs: Sequence[RunRecord]) -> Section:
    groups = []
    for run in runs:
        tables = [settings(run.config, "Settings"), settings(run.environment, "Environment")]
        keys = tuple(dict.fromkeys(key for record in run.times for key in record))
        times = tuple(tuple(str(record.get(key, "–")) for key in keys) for record in run.times)
        tables.append(Table("Times", keys, times, texts=0))
        groups.append(
            FigureGroup(_heading(run, runs), tables=tuple(table for table in tables if table.rows), folded=True)
        )
    return Section(
        "settings",
        "Settings and environment",
        "Everything that is needed to repeat the run.",
        tuple(group for group in groups if group.tables),
    )


def _shown(groups: Iterable[FigureGroup]) -> tuple[FigureGroup, ...]:
    return tuple(group for group in groups if group.figures)


def _heading(run: RunRecord, runs: Sequence[RunRecord]) -> str:
    return run.label if len(runs) > 1 else ""


def _maps(record: Mapping[str, Any], key: str) -> bool:
    return isinstance(record.get(key), Mapping)


def _finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _slug(text: str, taken: Mapping[str, object]) -> str:
    """Return a text as a name for files and ids, of letters, digits and hyphens, that is not taken."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    name = "-".join(filter(None, plain.split("-")))[:80]
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


# ---- writing --------------------------------------------------------------------------------------------------


def render(page: Page) -> str:
    """Return the page as HTML."""

    def harmless(value: object) -> object:
        return value if isinstance(value, Markup) else printable(str(value))

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = {id(figure): name for name, figure in page.figures().items()}
    draw: Callable[[Figure], str] = lambda figure: Markup(to_svg(figure.drawing, names[id(figure)]))  # noqa: E731
    style = (here / "style.css").read_text(encoding="utf-8").replace("FONT", FONT)
    return environment.get_template("page.html").render(page=page, draw=draw, style=Markup(colors_css() + "\n" + style))
