"""Shards of one split are recognised by their names, and missing ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.data.formats import expand
from mtft.data.guess.shards import join_shards, shard_pattern, without_shard
from mtft.data.guess.splits import group_files
from mtft.errors import DataError


@pytest.mark.parametrize(
    ("name", "pattern", "number", "total"),
    [
        ("train-00000-of-00002.parquet", "train-*-of-00002.parquet", 0, 2),
        ("reviews_train_1_of_3.csv", "reviews_train_*_of_3.csv", 1, 3),
        ("part-0.csv", "part-*.csv", 0, None),
        ("reviews.part12.jsonl.gz", "reviews.part*.jsonl.gz", 12, None),
        ("x-shard_3.tsv", "x-shard_*.tsv", 3, None),
        ("a[1]-part-0.csv", "a[[]1]-part-*.csv", 0, None),
    ],
)
def test_names_of_shards(name: str, pattern: str, number: int, total: int | None) -> None:
    assert shard_pattern(name) == (pattern, number, total)


@pytest.mark.parametrize(
    "name", ["train.csv", "apart-1.csv", "party2.csv", "2-of-a-kind.csv", "v1.csv", "reviews-1.csv"]
)
def test_names_that_are_none(name: str) -> None:
    assert shard_pattern(name) is None


@pytest.mark.parametrize(
    ("stem", "common"),
    [
        ("train-*-of-00002", "train"),
        ("validation-00000-of-00001", "validation"),
        ("reviews-part-*", "reviews"),
        ("part-*", ""),
        ("part-*-0a1b2c3d-1111-2222-3333-0123456789ab-c000.snappy", ""),
        ("x-shard_3", "x"),
        ("plain", "plain"),
        ("x-part-1-train", "x-train"),
    ],
)
def test_what_shards_have_in_common(stem: str, common: str) -> None:
    assert without_shard(stem) == common


def make(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text,label\na,b\n", encoding="utf-8")
    return [str(folder / name) for name in names]


def test_shards_of_one_split_are_one_pattern(tmp_path: Path) -> None:
    names = ["r-train-00000-of-00002.csv", "r-train-00001-of-00002.csv", "r-dev-00000-of-00001.csv"]
    (group,) = group_files(make(tmp_path, *names))
    assert (group.name, group.splits) == (
        "r",
        {"train": str(tmp_path / "r-train-*-of-00002.csv"), "dev": str(tmp_path / names[2])},
    )
    assert [Path(file).name for file in expand(group.splits["train"], Path())] == names[:2]


def test_parts_in_directories_of_splits(tmp_path: Path) -> None:
    (group,) = group_files(make(tmp_path, "train/part-0.csv", "train/part-1.csv", "test/part-0.csv"))
    assert set(group.splits) == {"train", "test"}
    assert Path(group.splits["train"]).name == "part-*.csv"


def test_shards_that_are_missing_are_named(tmp_path: Path) -> None:
    files = make(tmp_path, "x-00000-of-00003.csv", "x-00002-of-00003.csv")
    with pytest.raises(DataError, match=r"x-00000-of-00003\.csv: 2 of 3 shards are given; number 1 is not"):
        join_shards(files)
    files = make(tmp_path, "part-0.csv", "part-1.csv", "part-2.csv")
    with pytest.raises(DataError, match=r"part-2\.csv: looks like a part of the same split as .*part-0\.csv"):
        join_shards(files[:2])
    assert join_shards(files) == [str(tmp_path / "part-*.csv")]
    assert join_shards(files[:1]) == files[:1]
