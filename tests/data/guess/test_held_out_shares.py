"""What `mtft init` writes about a share of dev is what the reader of the task does with it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.commands.init import init
from mtft.config.load import load
from mtft.config.schema import TrainConfig
from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.data.guess.doubts import Decisions
from mtft.errors import DataError
from mtft.plugin.context import new_context
from mtft.tasks.declared import declare

WORDS = ["river", "stone", "cloud", "garden", "window", "music", "letter", "winter", "bridge", "candle"]
LABELS = ("red", "green", "blue", "", "NA")
Table = list[tuple[int, str, str]]


def labelled(table: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    """Return the labels of train and dev as training reads them; DataError if it refuses them."""
    source = declare("x", table, "run.toml").source
    found = {}
    for split in ("train", "dev"):
        rows = read_split(source.name, split, source.reader, folder, source.texts)
        examples, _ = usable_examples(rows, skip_bad_rows=False)
        found[split] = [example.target for example in examples if example.target is not None]
        if not found[split]:
            raise DataError(f"{split} has no labelled row")
    return found


def refused(table: dict[str, Any], folder: Path) -> bool:
    try:
        labelled(table, folder)
    except DataError:
        return True
    return False


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A few rows: texts that may repeat, a label and a second one, each from a few classes of uneven size."""
    count = draw(st.integers(8, 90))
    texts = draw(st.integers(4, count))
    first = draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=8))
    second = draw(st.lists(st.sampled_from(["1", "0", ""]), min_size=1, max_size=12))
    random = draw(st.randoms(use_true_random=False))
    return [(random.randrange(texts), random.choice(first), random.choice(second)) for _ in range(count)]


@settings(deadline=None, max_examples=150)
@given(tables())
def test_a_share_is_refused_only_where_init_says_so(rows: Table) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"the {WORDS[n % 10]} and the {WORDS[n // 10 % 10]} number {n},{one},{two}" for n, one, two in rows]
        (folder / "a.csv").write_text("\n".join(["text,label,spam", *lines]) + "\n", encoding="utf-8")
        try:
            made = init([str(folder / "a.csv")], folder / "run.toml", new_context(), Decisions(likely=True))
        except DataError:
            return  # no two classes
        declared = load(TrainConfig, file=folder / "run.toml").config.declared
        for task in made.tasks:
            if not task.likely:
                continue
            table = declared[task.name]
            assert refused(table, folder) == bool(task.warnings), task.warnings
            if not task.warnings:
                counts = labelled(table, folder)
                assert all(min(map(counts[split].count, set(counts["train"]))) >= 5 for split in counts)
            for warning in task.warnings:
                assert f"# {task.comments['dev']}" in made.text
                if few := re.search(r'dev = (0\.\d) and held_out = "texts"', warning):
                    counts = labelled({**table, "dev": float(few[1]), "held_out": "texts"}, folder)
                    assert set(counts["train"]) == set(counts["dev"])
