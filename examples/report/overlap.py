"""How much selections overlap: between tasks, seeds of the heads, halves of the data, and all tasks together.

    python examples/report/overlap.py --work /big/disk --data-dir DATA
    python examples/report/overlap.py --work W -- --batches 10    # what follows -- goes to mtft select

Masks stay under ``--work`` and are not made twice; the Jaccard indices go to `overlap.json` beside the records, for
`tables.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plans import split

from mtft.data.dataset import find_data_dir
from mtft.io.files import write_bytes, write_json
from mtft.plugin.context import new_context
from mtft.selection.mask import jaccard, load_mask

TASKS = ("sst", "quora", "sts")
KEEP, SHARE = "0.3", "0.25"
FILE = "overlap.json"


@dataclass(frozen=True)
class Selection:
    """A selection: its tasks, the seed of its fresh heads, and the half of the training rows that it reads, if any."""

    tasks: tuple[str, ...]
    seed: int = 0
    half: int | None = None

    @property
    def name(self) -> str:
        half = "" if self.half is None else f".half{self.half}"
        return f"{'-'.join(self.tasks)}.s{self.seed}{half}"


def pairs() -> Iterator[tuple[str, Selection, Selection]]:
    """Yield what is compared: (what the two differ in, one, other)."""
    alone = {task: Selection((task,)) for task in TASKS}
    for task, mine in alone.items():
        yield f"{task}: seed of the head", mine, Selection((task,), seed=1)
        yield f"{task}: half of the data", Selection((task,), half=0), Selection((task,), half=1)
    for one, other in combinations(TASKS, 2):
        yield f"{one} and {other}", alone[one], alone[other]
    for task, mine in alone.items():
        yield f"{task} and all tasks together", mine, Selection(TASKS)


def halve(data_dir: Path, work: Path) -> None:
    """Write the training files twice, with every other row each."""
    registry = new_context().registry
    for half in (0, 1):
        for task in TASKS:
            for path in registry.task(task).source.files("train", data_dir):
                head, *rows = path.read_bytes().splitlines(keepends=True)
                place = work / f"half{half}" / path.name
                place.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(place, b"".join([head, *rows[half::2]]))


def make(selection: Selection, data_dir: Path, work: Path, options: Sequence[str]) -> Path:
    """Return the mask of a selection; `mtft select` makes it unless it is there. Of a half twice the share is read."""
    path = work / f"{selection.name}.safetensors"
    if not path.exists():
        where = data_dir if selection.half is None else work / f"half{selection.half}"
        share = SHARE if selection.half is None else str(2 * float(SHARE))
        resume = ["--resume", str(path)] if path.with_name(f"{path.name}.part").exists() else []
        given = ["--tasks", ",".join(selection.tasks), "--seed", str(selection.seed), "--augment", "none"]
        given += ["--keep", KEEP, "--train-share", share, "--data-dir", str(where), *options, "--out", str(path)]
        command = [sys.executable, "-m", "mtft", "select", *(resume or given), "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def digest(data_dir: Path, options: Sequence[str]) -> str:
    """Tell selections of other data or with other options apart."""
    return sha256("\0".join([str(data_dir.resolve()), *options]).encode()).hexdigest()[:8]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the masks that are missing and write how they overlap; return the exit code."""
    given, options = split(list(sys.argv[1:] if arguments is None else arguments))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="directory of data files (default: $MTFT_DATA_DIR, then ./data)")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where masks go")
    parser.add_argument("--records", type=Path, default=Path(__file__).with_name("runs"), help="where the result goes")
    asked = parser.parse_args(given)
    data_dir = find_data_dir(asked.data_dir, os.environ.get("MTFT_DATA_DIR"))
    work = asked.work / f"masks-{digest(data_dir, options)}"
    halve(data_dir, work)
    found = []
    for what, one, other in pairs():
        masks = [load_mask(make(each, data_dir, work, options)) for each in (one, other)]
        found.append({"pair": what, "jaccard": jaccard(*masks)})
        print(f"{what:32} {found[-1]['jaccard']:.3f}", flush=True)
    share = float(KEEP)
    asked.records.mkdir(parents=True, exist_ok=True)
    write_json(asked.records / FILE, {"keep": KEEP, "options": options, "chance": share / (2 - share), "pairs": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
