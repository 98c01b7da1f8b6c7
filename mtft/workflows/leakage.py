"""The splits of all sources, and a loud warning before anything is trained if what is evaluated is trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mtft.data.audit.leakage import leakage_findings
from mtft.data.audit.splits import Split, read_split
from mtft.data.audit.texts import keys
from mtft.tasks.task import Source, Task


def warn_of_leakage(
    sources: Sequence[tuple[Source, str]], tasks: Sequence[Task], data_dir: Path, notify: Callable[[str], None]
) -> None:
    """Compare train and dev of the sources as `mtft data check` does; test is not read."""
    found = read_splits(sources, tasks, ("train", "dev"), data_dir)
    for each in leakage_findings((split, keys(split)) for split in found):
        notify(f"WARNING: {each.check}: {each.source}: {each.message} (first: {each.place}); see `mtft data check`")


def read_splits(
    sources: Sequence[tuple[Source, str]], tasks: Sequence[Task], splits: Sequence[str], data_dir: Path
) -> list[Split]:
    """Read the splits that are there, each file once: the first source that names it speaks for it.

    Tasks whose labels stand in columns of one file each read it. Train and dev of a task's own source must be there.
    A source that lists no files has no test split here.
    """
    own = {task.source.name for task in tasks}
    found: list[Split] = []
    seen: set[Path] = set()
    for source, _ in sources:
        for split in splits:
            evaluated = source.name in own
            needed = split == "train" or (evaluated and split == "dev")
            files = source.files(split, data_dir)
            known = seen.issuperset(files) and not evaluated
            if files and (known or not (needed or all(map(Path.exists, files)))):
                continue
            if files or needed:
                seen.update(files)
                found.append(read_split(source.name, split, source.reader, data_dir, source.texts, evaluated=evaluated))
    return found
