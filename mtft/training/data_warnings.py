"""Check the splits of all sources, and warn of faults before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mtft.data.audit.contents import keyed, text_findings
from mtft.data.audit.findings import Finding
from mtft.data.audit.form import form_findings
from mtft.data.audit.label_findings import drift_findings, label_findings
from mtft.data.audit.leakage import leakage_findings
from mtft.data.audit.split_reader import Split
from mtft.data.dataset import sample_dir
from mtft.data.formats import reading_lines
from mtft.runtime.notices import Notify
from mtft.tasks.task import Source, Task
from mtft.training.shared_splits import SplitReader


def warn_of_faults(
    sources: Sequence[tuple[Source, str]], tasks: Sequence[Task], reader: SplitReader, notify: Notify
) -> None:
    """Report how train and dev of the sources are read, and check them as `mtft data check` does; test is not read.

    Leakage is reported in full, other warnings in one line. Bad rows and missing labels are reported by the code that
    leaves them out.
    """
    counts: Counter[str] = Counter()
    splits = read_splits(sources, tasks, ("train", "dev"), reader)
    for line in how_read(splits):
        notify("info", line)
    for each in split_findings(splits):
        if each.check.startswith("leakage"):
            notify(
                "warning",
                f"{each.check}: {each.source}: {each.message} (first: {each.location}); see `mtft data check`",
            )
        elif each.severity == "warning" and each.check != "label-missing":
            counts[each.check] += each.count
    if counts:
        summary = ", ".join(f"{check} ({count:,} rows)" for check, count in counts.items())
        notify("info", f"data: {summary}; `mtft data check` shows them")


def how_read(splits: Sequence[Split]) -> list[str]:
    """Return lines that say how the files of splits are read.

    Files that cannot be read have none, nor has the sample data that is shipped.
    """
    scans = [scan for each in splits for scan in each.scans if scan.path.parent != sample_dir()]
    return reading_lines({scan.path: scan.dialect for scan in scans if scan.dialect and not scan.trouble})


def split_findings(splits: Sequence[Split]) -> Iterator[Finding]:
    """Yield findings within single splits, between the splits of a source, and between sources."""
    comparable = keyed(splits)
    train = {split.source: split for split in splits if split.split == "train"}
    for each in comparable:
        split = each.split
        yield from form_findings(split)
        yield from text_findings(each)
        yield from label_findings(split)
        if split.split != "train" and split.source in train:
            yield from drift_findings(train[split.source], split)
    yield from leakage_findings(comparable)


def read_splits(
    sources: Sequence[tuple[Source, str]], tasks: Sequence[Task], splits: Sequence[str], reader: SplitReader
) -> list[Split]:
    """Read the splits that exist, each file once, for the first source that names it.

    Tasks whose labels are columns of one file each have its rows. Train and dev of a task's own source must exist. The
    test split of a source that lists no files is not read.
    """
    own = {task.source.name for task in tasks}
    wanted: list[tuple[Source, str]] = []
    seen: set[Path] = set()
    for source, _ in sources:
        for split in splits:
            evaluated = source.name in own
            needed = split == "train" or (evaluated and split == "dev")
            files = source.files(split, reader.data_dir)
            known = seen.issuperset(files) and not evaluated
            if files and (known or not (needed or all(map(Path.exists, files)))):
                continue
            if files or needed:
                seen.update(files)
                wanted.append((source, split))
    return [replace(found, evaluated=found.source in own) for found in reader.read(wanted)]
