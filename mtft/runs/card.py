"""The model card of a run: the model, its origin, its scores and its limitations.

Markdown with metadata in front, as the Hugging Face hub reads it. It contains neither times nor facts about the
machine, so that the same training writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtft.encoder.architectures import ARCHITECTURES
from mtft.io.text import printable
from mtft.outputs import Tempered
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.paths import default_name

SMALL = 300
"""A score on fewer examples is called uncertain."""


@dataclass(frozen=True)
class CardBase:
    """Facts about a pretrained model that its files do not contain."""

    hub: str
    licence: str
    warning: str


BASES = {
    "7509a8c086ac22c9f1e18969c80f9744c0a305c4a60ee39ee7711b82dffba10d": CardBase(
        "sentence-transformers/all-MiniLM-L6-v2",
        "apache-2.0",
        "It was itself trained on sentence pairs, among them Quora duplicate questions, Flickr30k captions (a source "
        "of STS), COCO captions and natural language inference (SNLI, MultiNLI). What it is scored on here for "
        "paraphrase and similarity may not be new to it; on texts from elsewhere expect less.",
    )
}
"""Pretrained models by the digest of their weights."""


@dataclass(frozen=True)
class CardFacts:
    """How a model came about.

    `command` made it; `dev` has the scores per task, and `counts` the number of dev examples; `data` has the number of
    examples and the digest of each training source. `notes` are sentences about this run only.
    """

    command: str
    dev: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, int]
    data: Mapping[str, tuple[int, str]]
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def model_card(trained: TrainedModel, story: CardFacts) -> str:
    """Return the card's text."""
    parts = [_metadata(trained, story), _head(trained, story), _tasks(trained, story), _parameters(trained)]
    parts += [_data(story), _base(trained), _use(trained), _limits(story)]
    return "\n".join(parts)


def _metadata(trained: TrainedModel, story: CardFacts) -> str:
    base = BASES.get(trained.mask.base_digest)
    lines = ["---", "library_name: mtft", "tags:", "- multi-task", "- text-classification"]
    if base:
        lines.insert(2, f"base_model: {base.hub}")
    lines += ["model-index:", f"- name: {_scalar(default_name([task.name for task in trained.tasks]))}", "  results:"]
    for task in trained.tasks:
        kind = "sentence-similarity" if task.output.kind == "bounded" else "text-classification"
        lines += ["  - task:", f"      type: {kind}", f"      name: {_scalar(task.name)}", "    dataset:"]
        lines += [f"      name: {_scalar(task.name)}", f"      type: {_scalar(task.name)}", "      split: dev"]
        lines.append("    metrics:")
        for name, value in story.dev[task.name].items():
            lines += [f"    - type: {name}", f"      value: {_number(value)}"]
    return "\n".join([*lines, "---", ""])


def _head(trained: TrainedModel, story: CardFacts) -> str:
    names = ", ".join(task.name for task in trained.tasks)
    family = trained.model.encoder.family
    kind = f"An encoder of the family {family}"
    if family in ARCHITECTURES:
        title = ARCHITECTURES[family].title
        kind = f"{'An' if title[0] in 'EX' else 'A'} {title} encoder"
    text = (
        f"# One encoder, {len(trained.tasks)} task{'s' if len(trained.tasks) > 1 else ''}: {names}\n\n"
        f"{kind} shared by all tasks, with one head each, made by `mtft {story.command}`. Stored are the "
        "encoder's weights that were tuned, which weights those are, and the heads; all else is the base model's.\n"
    )
    return text + "".join(f"\n{note}\n" for note in story.notes)


def _tasks(trained: TrainedModel, story: CardFacts) -> str:
    rows = []
    for task in trained.tasks:
        about = task.output.describe()
        answer = (
            ", ".join(about["names"])
            if "names" in about
            else ", ".join(f"{key} {value:g}" for key, value in about.items() if isinstance(value, float | int))
        )
        texts = {"single": "one text", "pair": "two texts"}.get(task.source.input, task.source.input)
        found = "; ".join(f"{name} {_number(value)}" for name, value in story.dev[task.name].items())
        rows.append([task.name, texts, task.output.kind, answer, found, f"{story.counts[task.name]:,}"])
    text = _table(["task", "input", "output", "labels or range", "dev scores", "n"], rows)
    what = (
        "Dev chose the epoch that was kept, so these scores are higher than those of data that chose nothing. "
        "`mtft eval` gives them with bootstrap intervals, and counts in the run how often test was looked at."
    )
    for task in trained.tasks:
        if isinstance(task.output, Tempered):
            fit = story.calibration[task.name]
            before, after, rows = fit["before"]["ece"], fit["after"]["ece"], fit["n"]
            what += (
                f" Probabilities of {task.name} are read at temperature {task.output.temperature:.4g}: calibration "
                f"error {before:.4f} before, {after:.4f} after, on {rows:,} dev rows that it was not fitted on."
            )
    return f"## Tasks and scores\n\n{text}\n{what}\n"


def _parameters(trained: TrainedModel) -> str:
    counts = trained.parameters()
    rows = [["encoder", f"{counts.encoder:,}", f"{counts.selected:,}"]]
    rows += [[f"head {name}", f"{size:,}", f"{size:,}"] for name, size in counts.heads.items()]
    rows.append(["all", f"{counts.stored:,}", f"{counts.tunable:,}"])
    method = ", ".join(f"{key} {value}" for key, value in sorted(trained.mask.method.items()))
    return (
        f"## Parameters\n\n{_table(['part', 'parameters', 'of them tuned'], rows)}\n"
        f"How the encoder's were chosen: {_plain(method)}.\n"
    )


def _data(story: CardFacts) -> str:
    rows = [[name, f"{count:,}", f"`{digest}`"] for name, (count, digest) in story.data.items()]
    return (
        f"## Training data\n\n{_table(['source', 'examples', 'sha256 of tokens and targets'], rows)}\n"
        "The texts are not part of this model; their licences are those of the datasets.\n"
    )


def _base(trained: TrainedModel) -> str:
    base = BASES.get(trained.mask.base_digest)
    name = Path(trained.base).name if Path(trained.base).is_absolute() else trained.base
    text = f"## Base model\n\n`{_plain(name)}`, weights of sha256 `{trained.mask.base_digest}`"
    if base is None:
        return text + ". Its licence, training data and warnings hold for this model too; mtft does not know them.\n"
    return f"{text}: {base.hub}, licence {base.licence}. {base.warning}\n"


def _use(trained: TrainedModel) -> str:
    task = trained.tasks[0]
    text = "a text\\n" if task.source.input == "single" else "one text\\tanother\\n"
    own = trained.model.encoder.family in ARCHITECTURES
    merged = "$ mtft merge RUN --out encoder        # the encoder for transformers\n" if own else ""
    return (
        "## How to use\n\nWith the run that this directory is part of as RUN:\n\n```console\n"
        f"$ printf '{text}' | mtft predict RUN --tasks {task.name}\n$ mtft eval RUN\n{merged}"
        f"```\n\nTexts are cut to {trained.max_length} tokens.\n"
    )


def _limits(story: CardFacts) -> str:
    small = [name for name, count in story.counts.items() if count < SMALL]
    lines = [
        "It knows the texts, labels and mistakes of its training data; other domains and languages are untried.",
        "Probabilities are those of the labels above, whatever the text is: there is no answer `none of these`.",
        "It was not checked for what it says of groups of people, and must not decide about anyone alone.",
    ]
    if small:
        lines.append(f"Scores of {', '.join(small)} rest on fewer than {SMALL} examples.")
    return "## Limitations\n\n" + "".join(f"- {line}\n" for line in lines)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *([_plain(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(text: str) -> str:
    """Escape a text, which may come from a user's files, for a table."""
    return printable(text).replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


def _number(value: float) -> str:
    return f"{value:.4f}" if value == value else ".nan"


def _scalar(text: str) -> str:
    """Write a YAML string."""
    return json.dumps(text)
