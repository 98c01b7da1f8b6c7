"""Each file is read once, however many sources and splits it serves, and gives each what it would read alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtft.data.audit import reading
from mtft.data.audit.split_reader import Split, read_split
from mtft.data.dataset import sample_dir
from mtft.data.tokenization import load_tokenizer
from mtft.runtime.notices import silent
from mtft.tasks.declared import declare
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.tasks.task import Source
from mtft.training.loading import Loader
from mtft.training.preparation import choose_sources
from mtft.training.shared_splits import SplitReader

ROWS = [f"text {n},{n % 2},{'' if n == 7 else n % 3},{n % 2 if n % 9 else 'x'}\n" for n in range(60)]
NAMES: dict[str, list[str]] = {"one": ["0", "1"], "two": ["0", "1", "2"], "bad": ["0", "1"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text("text,one,two,bad\n" + "".join(ROWS), encoding="utf-8")
    (tmp_path / "other.csv").write_text("text,one,two,bad\n" + "".join(ROWS[:9]), encoding="utf-8")
    return tmp_path


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of each file whose rows are read."""
    found: list[str] = []
    real = reading.rows_of

    def counted(stored: Any, *rest: Any) -> Iterator[Any]:
        found.append(stored.path.name)
        return real(stored, *rest)

    monkeypatch.setattr(reading, "rows_of", counted)
    return found


def column(name: str, **keys: Any) -> Source:
    table = {"kind": "classification", "text": "text", "label": name, "names": NAMES[name], "train": "own.csv"}
    return declare(name, {**table, "dev": "other.csv", **keys}, "run.toml").source


def content(found: Split) -> tuple[Any, ...]:
    files = [(each.path, each.rows, each.lines, each.trouble) for each in found.scans]
    return found.source, found.split, list(found.examples), found.problems, files


def alone(source: Source, split: str, folder: Path) -> Split:
    return read_split(source.name, split, source.reader, folder, source.texts)


def test_columns_of_one_file_are_read_together_as_each_alone(folder: Path, passes: list[str]) -> None:
    wanted = [(column(name), split) for name in NAMES for split in ("train", "dev")]
    reader = SplitReader(folder)
    found = reader.read(wanted)
    assert sorted(passes) == ["other.csv", "own.csv"]
    assert [content(each) for each in found] == [content(alone(*each, folder)) for each in wanted]
    assert len(found[4].problems) == 7
    del passes[:]
    assert reader.read(wanted) == found
    assert reader.take(*wanted[0]) is found[0]
    assert passes == []
    assert content(reader.take(*wanted[0])) == content(found[0])
    assert passes == ["own.csv"]


def test_a_share_that_is_held_out_takes_one_more_pass(folder: Path, passes: list[str]) -> None:
    wanted = [(column(name, dev=0.3, held_out="texts"), split) for name in NAMES for split in ("train", "dev")]
    found = SplitReader(folder).read(wanted)
    assert passes == ["own.csv"]
    assert [content(each) for each in found] == [content(alone(*each, folder)) for each in wanted]
    del passes[:]
    rule = {"classes": ["one"]}
    wanted = [(column(name, dev=0.3, held_out=rule), split) for name in ("one", "two") for split in ("train", "dev")]
    found = SplitReader(folder).read(wanted)
    assert passes == ["own.csv"] * 2
    assert [content(each) for each in found] == [content(alone(*each, folder)) for each in wanted]


def test_columns_of_one_file_share_their_tokens(folder: Path, tiny_model: Path) -> None:
    loader = Loader(folder, load_tokenizer(tiny_model), 40, reader=SplitReader(folder))
    one = loader.load(column("one"), "train")
    assert loader.load(column("one", names=["1", "0"]), "train").table is one.table
    two = loader.load(column("two"), "train")  # one row has no label here
    assert (len(one), len(two)) == (60, 59)
    assert list(two.ids) == [name for name in one.ids if name != one.ids[7]]
    assert loader.load(column("one"), "dev").table is not one.table


def test_a_choice_of_sources_needs_no_reading_of_its_own(passes: list[str]) -> None:
    from factories import REGISTRY

    reader = SplitReader(sample_dir())
    chosen = choose_sources(REGISTRY, [SST, STS], None, reader, silent)
    before = len(passes)
    reader.read([(source, "train") for source, task in chosen if source.task == task])
    assert len(passes) == before
