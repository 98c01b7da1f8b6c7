"""What rows cost: a whole `mtft train` of ten steps on made-up rows, against reading and tokenizing with datasets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from mtft.testing.tiny import write_tiny_model
from tests.benchmarks.bench_growth import slope
from tests.benchmarks.bench_predict import fast_tokenizer
from tests.benchmarks.process import Ran, run_python
from tests.benchmarks.session import GIB, Figure, Goal, Session
from tests.benchmarks.workload import Workload

SECTION = "data"
STEPS = 10
MIB = 1 << 20
PEER = "datasets, from_csv and map"
SETTINGS = """
[tasks.{name}]
kind = "binary"
names = ["0", "1"]
text = "text"
label = "label"
train = "{file}"
dev = "{dev}"
"""


def run(session: Session) -> None:
    """Measure at a hundred thousand and at a million rows."""
    measure(session, (10_000, 100_000) if session.quick else (100_000, 1_000_000))


def measure(session: Session, sizes: Sequence[int]) -> None:
    """Add processor time and peak memory for each number of rows, and how both grow."""
    folder = Path(session.work["cache"]) / "data"
    folder.mkdir()
    write_tiny_model(folder / "tiny")
    write_rows(folder / "dev.csv", 1000, seed=1)
    points: list[tuple[int, float]] = []
    for rows in sizes:
        write_rows(folder / f"{rows}.csv", rows, seed=0)
        what = f"mtft train, {rows:,} rows, {STEPS} steps"
        time = Goal("at most", 1.2) if rows == 1_000_000 else None
        memory = Goal("at most", 600 * MIB / GIB) if rows == 1_000_000 else None
        try:
            pairs = [(ours(folder, rows), peer(folder, rows)) for _ in range(session.repeats)]
        except RuntimeError as error:
            session.failed(SECTION, what, PEER, time, error)
            continue
        mine, theirs = zip(*pairs, strict=True)
        raw = {"mtft": used(mine), PEER: used(theirs)}
        ratios = [one.seconds / other.seconds for one, other in pairs]
        session.add(Figure(SECTION, f"{what}: processor time", PEER, median(ratios), "x", time, ratios, raw))
        peaks = [ran.peak / GIB for ran in mine]
        session.add(Figure(SECTION, f"{what}: peak memory", "GiB", max(peaks), "GiB", memory, peaks, raw))
        points.append((rows, max(peaks) * GIB))
    if len(points) > 1:
        (few, low), *_, (many, high) = points
        each = (high - low) / (many - few)
        session.add(Figure(SECTION, "peak memory of each further row", "bytes", each, "bytes", None, [each]))
        grown = slope(points)
        session.add(Figure(SECTION, "peak memory, growth in rows", "rows", grown, "(exponent)", None, [grown]))


def used(runs: Sequence[Ran]) -> dict[str, float]:
    """Return median processor seconds and peak memory."""
    return {"seconds": median(ran.seconds for ran in runs), "peak GiB": max(ran.peak for ran in runs) / GIB}


def ours(folder: Path, rows: int) -> Ran:
    """Train on so many rows with mtft, which also checks them."""
    name = f"rows{rows}"
    settings = folder / f"{name}.toml"
    settings.write_text(SETTINGS.format(name=name, file=f"{rows}.csv", dev="dev.csv"), encoding="utf-8")
    options = {
        "config": settings,
        "data-dir": folder,
        "model": folder / "tiny",
        "out": folder / name,
        "epochs": 1,
        "max-steps": STEPS,
        "keep": 1,
        "threads": 1,
    }
    return run_python(["-m", "mtft", "train", "--overwrite", *(f"--{key}={value}" for key, value in options.items())])


def peer(folder: Path, rows: int) -> Ran:
    """Read and tokenize so many rows with datasets, in a process of its own."""
    return run_python(["-m", "tests.benchmarks.bench_data", str(folder), str(rows)])


def write_rows(path: Path, rows: int, seed: int) -> None:
    """Write texts of 4 to 15 random words, and labels 0 and 1."""
    generator = np.random.default_rng(seed)
    letters = np.array([*"abcdefghijklmnopqrstuvwxyz"])
    words = np.array(["".join(generator.choice(letters, length)) for length in generator.integers(2, 9, 5000)])
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for count in (min(10_000, rows - begin) for begin in range(0, rows, 10_000)):
            ends = np.cumsum(generator.integers(4, 16, count))
            texts = np.split(words[generator.integers(0, len(words), ends[-1])], ends[:-1])
            labels = generator.integers(0, 2, count)
            file.writelines(f"{' '.join(text)},{label}\n" for text, label in zip(texts, labels, strict=True))


def tokenize_with_datasets(folder: Path, rows: int) -> None:
    """Do what a script with datasets does before it trains; it checks nothing."""
    datasets = import_module("datasets")
    tokenizer = fast_tokenizer(Workload(str(folder), str(folder), model=str(folder / "tiny"), threads=1))
    with TemporaryDirectory(dir=folder) as fresh:
        for name in (str(rows), "dev"):
            data = datasets.Dataset.from_csv(str(folder / f"{name}.csv"), cache_dir=fresh)
            tokens = data.map(lambda batch: tokenizer(batch["text"], truncation=True), batched=True)
            print(f"{name}: {len(tokens)} rows, {len(tokens[0]['input_ids'])} tokens in the first")


if __name__ == "__main__":
    tokenize_with_datasets(Path(sys.argv[1]), int(sys.argv[2]))
