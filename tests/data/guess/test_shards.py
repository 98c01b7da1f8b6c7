"""Shards of one split are recognised by their names, and missing ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.data.formats import expand
from mtft.data.guess.shards import join_numbered, join_shards, shard_pattern, without_shard
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
        ("train-00000-of-00002-0123456789abcdef.parquet", "train-*-of-00002-*.parquet", 0, 2),
        ("TRAIN-00001-OF-00002.CSV", "TRAIN-*-OF-00002.CSV", 1, 2),
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
        ("train-*-of-00002-*", "train"),
        ("test-00000-of-00001-0123456789abcdef", "test"),
        ("x_train_[0-9]*", "x_train"),
        ("train([0-9]*)", "train"),
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
    files = make(tmp_path, "y.part1.csv", "y.part3.csv")
    with pytest.raises(DataError, match=r"y\.part1\.csv: number 2 of the parts up to 3 is not given"):
        join_shards(files)


def test_training_files_that_differ_in_a_number_are_one_pattern(tmp_path: Path) -> None:
    files = make(tmp_path, "x-train-1.csv", "x-train-2.csv", "x-train-3.csv", "x-dev.csv")
    assert join_numbered(files) == [str(tmp_path / "x-train-[0-9]*.csv"), files[3]]
    assert [Path(file).name for file in expand(join_numbered(files)[0], Path())] == [
        Path(file).name for file in files[:3]
    ]
    with pytest.raises(DataError, match=r"x-train-3\.csv: looks like a part of the same split"):
        join_numbered(files[:2])


@pytest.mark.parametrize(
    "names",
    [
        ("2019.csv", "2020.csv"),
        ("train_1.csv", "train_3.csv"),
        ("train_1.csv",),
        ("reviews1.csv", "reviews2.csv"),
        ("train_1.csv", "train_2.csv", "dev_1.csv", "dev_2.csv"),
    ],
)
def test_numbers_of_other_things_stay_apart(names: tuple[str, ...], tmp_path: Path) -> None:
    files = make(tmp_path, *names)
    assert join_numbered(files) == files
