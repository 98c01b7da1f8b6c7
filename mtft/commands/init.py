"""``mtft init``: guess settings from a user's own files, to train on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from mtft.config.schema import InitConfig, TrainConfig
from mtft.config.toml import one_line, toml_line
from mtft.data.dialect import Layout, form_of, layout_from, layout_keys, with_point
from mtft.data.formats import HUB, expand, is_text, named_rows, readings
from mtft.data.guess.datasets import propose
from mtft.data.guess.doubts import Decisions
from mtft.data.guess.proposals import Proposal
from mtft.data.guess.splits import free_name, group_files
from mtft.errors import ConfigError, DataError
from mtft.io.text import printable
from mtft.plugin.context import Context
from mtft.tasks.declaration import metrics_of
from mtft.tasks.declared import declare
from mtft.tasks.task import Task

OFFERED = ("model", "epochs", "batch_size", "keep", "seed")
"""Settings that the file lists as comments, with their defaults."""


@dataclass(frozen=True)
class InitResult:
    """The guessed tasks, the settings file as text, and its path (None: not written)."""

    path: Path | None
    text: str
    tasks: tuple[Proposal, ...]


def init(
    files: Sequence[str],
    out: Path | None,
    context: Context,
    decisions: Decisions | None = None,
    config: InitConfig | None = None,
) -> InitResult:
    """Guess the tasks of some files and write settings for them to a new file; with `out` None only return them.

    `config` says how the files are written; the tasks' tables say it too. DataError names the questions with two close
    readings, unless `decisions` answer them.
    """
    if out and out.exists():
        raise ConfigError(f"{out} exists; choose another", setting="out")
    keys = layout_keys(**config.model_dump()) if config else {}
    _check_used(keys, files)
    tasks = _proposals(files, context, decisions or Decisions(), keys)
    data_dir = _common(files)
    for task in tasks:
        task.table = {
            key: _inside(value, data_dir) if key in ("train", "dev", "test") else value
            for key, value in task.table.items()
        }
    declared = [declare(task.name, task.table, "what was found") for task in tasks]
    text = _text(tasks, declared, data_dir, out)
    if out:
        try:
            with out.open("x", encoding="utf-8") as file:
                try:
                    file.write(text)
                    file.flush()
                except OSError:
                    out.unlink()
                    raise
        except OSError as error:
            raise ConfigError(
                f"{out} cannot be written: {(error.strerror or str(error)).lower()}", setting="out"
            ) from None
    return InitResult(out, text, tasks)


def _check_used(keys: Mapping[str, Any], files: Sequence[str]) -> None:
    """Raise ConfigError for a key that concerns none of the files."""
    for key in keys:
        if not any(_concerns(key, file) for file in files):
            what = "numbers" if key == "decimal" else "text" if key == "encoding" else "a table of text"
            raise ConfigError(f"no file is {what}: {', '.join(files)}", setting=key)


def _concerns(key: str, file: str) -> bool:
    """Return whether a key of the layout changes how a file is read."""
    return key == "decimal" or (is_text(file) and (key == "encoding" or form_of(file) == "table"))


def _proposals(
    files: Sequence[str], context: Context, decisions: Decisions, keys: Mapping[str, Any]
) -> tuple[Proposal, ...]:
    """Guess the tasks of all files, and give them unique names; an error names every file without a task."""
    tasks: list[Proposal] = []
    layout = layout_from(keys)
    problems: list[str] = []
    groups = group_files(files, decisions)
    for line in readings([file for group in groups for file in group.splits.values()], Path(), layout):
        context.notify("info", line)
    for group in groups:
        try:
            found = propose(group, partial(_rows, layout), decisions, header=layout.header)
        except DataError as error:
            problems.append(str(error))
            continue
        for task in found:
            task.table |= {
                key: value for key, value in keys.items() if any(_concerns(key, file) for file in group.splits.values())
            }
        tasks += found
    try:
        decisions.close()
    except DataError as error:
        problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    decisions.check(files)
    taken = set(context.registry.owners)
    for task in tasks:
        task.name = free_name(task.name, taken)
        taken.add(task.name)
    return tuple(tasks)


def _rows(layout: Layout, file: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a file, or of all that match a pattern; decimal commas become points."""
    for name in expand(file, Path()):
        for _, _, row in named_rows(name, Path(), layout):
            yield {column: with_point(text) for column, text in row.items()}


def _common(files: Sequence[str]) -> str:
    """Return the directory that holds all files; "" if no file is on disk, or if it is the file system's root."""
    parents = [str(Path(file).parent) for file in files if not file.startswith(HUB)]
    absolute = {Path(parent).is_absolute() for parent in parents}
    parents = [os.path.abspath(parent) for parent in parents] if len(absolute) > 1 else parents
    common = PurePath(os.path.commonpath(parents) or ".") if parents else PurePath("/")
    return "" if common == PurePath(common.anchor or "/") else common.as_posix()


def _inside(name: Any, data_dir: str) -> Any:
    """Return a file's path relative to the data directory; shares and hub datasets are unchanged."""
    if not isinstance(name, str) or name.startswith(HUB):
        return name
    if not data_dir:
        return PurePath(os.path.abspath(name)).as_posix()
    return PurePath(os.path.relpath(name, data_dir)).as_posix()


# ---- the file --------------------------------------------------------------------------------------------------------


def _text(tasks: Sequence[Proposal], declared: Sequence[Task], data_dir: str, out: Path | None) -> str:
    """Write settings with comments: the guesses, the alternatives, and further settings."""
    lines = [
        "# Written by `mtft init`: guessed from the files. Look at it, above all where a comment says guess; then",
        f"#     mtft train --config {printable(str(out or 'run.toml'))}",
        "# The keys of a task are in examples/guide/data.md (Tables of your own data); all settings: mtft train --help",
        "",
    ]
    if data_dir:
        lines += [toml_line("data_dir", data_dir, "seen from where mtft is run"), ""]
    lines.append("# Defaults:")
    for key in OFFERED:
        field = TrainConfig.settings()[key]
        lines.append(f"# {toml_line(key, field.default, field.description or '')}")
    for task, made in zip(tasks, declared, strict=True):
        mark = "" if task.likely else "# "
        lines += ["", *(mark + line for line in _table(task, made))]
    return "\n".join(lines) + "\n"


def _table(task: Proposal, made: Task) -> Iterator[str]:
    """Write one task's table; default head and metrics are comments."""
    counts = [f"{count:,} labelled rows in {split}" for split, count in task.labelled.items()]
    if not task.likely:
        yield f"{one_line(repr(task.table['label']))} may be a label too; take the first # off these lines:"
    yield f"[tasks.{task.name}]"
    yield f"# {', '.join(counts)}"
    for note in task.notes:
        yield f"# {one_line(note)}"
    for key, value in task.table.items():
        yield toml_line(key, value, task.comments.get(key, ""))
    yield f"# {toml_line('head', 'report', 'one more transformer layer; linear is smaller')}"
    if "metrics" in task.table:
        return
    others = [name for name in metrics_of(task.table["kind"]) if name not in made.metric_names]
    yield f"# {toml_line('metrics', made.metric_names, 'the first one chooses; also ' + ', '.join(others))}"


def described(table: Mapping[str, Any]) -> str:
    """Return a few words on the labels of a declaration."""
    if "range" in table:
        return "{:g} to {:g}".format(*table["range"])
    names = ", ".join(table["names"])
    return names if len(names) <= 60 else f"{len(table['names'])} classes"
