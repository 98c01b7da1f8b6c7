"""Splits told from file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.splits import WORDS, FileGroup, _task_name, group_files
from mtft.errors import DataError
from mtft.io.text import RESERVED
from mtft.tasks.registry import NAME


def touch(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [str(folder / name) for name in names]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["x-train.csv", "x-val.csv"], {"x": "train dev"}),
        (["x_TRAIN.tsv", "x_dev.jsonl", "x_test.csv"], {"x": "train dev test"}),
        (["train.csv", "validation.csv"], {"folder": "train dev"}),
        (["dev/x.csv", "train/x.csv"], {"x": "dev train"}),
        (["train_reviews.csv", "valid_reviews.csv"], {"reviews": "train dev"}),
        (["en-train-v2.csv", "en-dev-v2.csv"], {"en-v2": "train dev"}),
        (["Big Data.csv"], {"big-data": "train"}),
        (["trains.csv", "x-train.csv", "y-train.csv"], {"trains": "train", "x": "train", "y": "train"}),
        (["a/x.csv", "b/x.csv"], {"x": "train", "x-2": "train"}),
        (["all.csv"], {"task-all": "train"}),
        (["été.csv"], {"t": "train"}),
        (["日本.csv"], {"task": "train"}),
    ],
)
def test_files_of_one_dataset_come_together(tmp_path: Path, names: list[str], groups: dict[str, str]) -> None:
    folder = tmp_path / "folder"
    found = group_files(touch(folder, *names))
    assert {group.name: " ".join(group.splits) for group in found} == groups


def test_datasets_of_the_hub_are_split_by_their_last_word() -> None:
    (group,) = group_files(["hub:owner/nice@en:train", "hub:owner/nice@en:validation"])
    assert group == FileGroup("en", {"train": "hub:owner/nice@en:train", "dev": "hub:owner/nice@en:validation"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x-train.csv", "x-train.tsv"], "x-train.tsv: .*x-train.csv is the train split of 'x' already"),
        (["x.csv", "x-train.csv"], "x-train.csv: .*x.csv is the train split of 'x' already"),
        (["x-dev.csv", "x-test.csv"], r"x: no file to train on beside .*x-dev.csv \(dev\), .*x-test.csv \(test\)"),
        (["x.xlsx"], "x.xlsx: not a file .csv, .tsv, .jsonl or .parquet"),
    ],
)
def test_what_is_no_dataset_is_named(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        group_files(touch(tmp_path, *names))


def test_what_is_not_there_or_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv: is a directory"):
        group_files([str(tmp_path / "d.csv")])
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        group_files([str(tmp_path / "none.csv")])


@given(st.text() | st.sampled_from(RESERVED).map(str.upper))
def test_any_text_gives_a_name_that_a_task_may_have(text: str) -> None:
    name = _task_name(text)
    assert NAME.fullmatch(name)
    assert name not in RESERVED


def test_every_word_means_one_split() -> None:
    assert set(WORDS.values()) == {"train", "dev", "test"}
