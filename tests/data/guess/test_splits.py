"""Splits told from file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.doubts import Decisions
from mtft.data.guess.splits import FileGroup, _task_name, group_files
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
        (["trainset.csv", "testset.csv"], {"folder": "train test"}),
        (["train.csv", "eval.csv"], {"folder": "train dev"}),
        (["train.csv", "evaluation.csv", "holdout.csv"], {"folder": "train dev test"}),
        (["x_train.csv", "x_held-out.csv", "x_devset.csv"], {"x": "train test dev"}),
        (["QuoraTrain.csv", "QuoraValid.csv"], {"quora": "train dev"}),
        (["imdbtrain.csv", "imdbtest.csv"], {"imdb": "train test"}),
        (["train_set.csv", "test-set.csv"], {"folder": "train test"}),
        (["train2016.csv", "test2016.csv"], {"2016": "train test"}),
        (["x-gold.csv", "x-train.csv"], {"x": "test train"}),
        (["gold-train.csv", "gold-test.csv"], {"gold": "train test"}),
        (["reviews.csv", "test.csv"], {"reviews": "train test"}),
        (
            ["reviews.csv", "notes.csv", "test/x.csv", "train/x.csv"],
            {"reviews": "train", "notes": "train", "x": "test train"},
        ),
        (["latest.csv"], {"latest": "train"}),
        (["contest.csv", "strain.csv"], {"contest": "train", "strain": "train"}),
        (["x/train-00000-of-00001.csv", "x/test-00000-of-00001.csv"], {"x": "train test"}),
        (["trains.csv", "x-train.csv", "y-train.csv"], {"trains": "train", "x": "train", "y": "train"}),
        (["a/x.csv", "b/x.csv"], {"x": "train", "x-2": "train"}),
        (["all.csv"], {"task-all": "train"}),
        (["été.csv"], {"t": "train"}),
        (["日本.csv"], {"task": "train"}),
        (["r_tr.csv", "r_te.csv", "r_va.csv"], {"r": "train test dev"}),
        (["entrenamiento.csv", "prueba.csv"], {"folder": "train test"}),
        (["r-entraînement.csv", "r-validation.csv"], {"r": "train dev"}),
        (["训练集.csv", "测试集.csv"], {"folder": "train test"}),
        (["x-train.csv", "x-benchmark.csv"], {"x": "train test"}),
        (["train_0.csv", "train_1.csv", "dev.csv"], {"folder": "train dev"}),
        (["train/0.csv", "train/1.csv", "test/0.csv"], {"folder": "train test"}),
        (["train_0.csv", "test_0.csv", "train_1.csv", "test_1.csv"], {"0": "train test", "1": "train test"}),  # folds
        (["train-a.csv", "train-b.csv"], {"a": "train", "b": "train"}),
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
        (["eval.csv"], r"no file to train on beside .*eval.csv \(dev\); if one is: split='.*eval.csv=train'"),
        (["x-dev.csv", "x-eval.csv", "x-train.csv"], "x-eval.csv: .*is the dev split .*: split='.*x-eval.csv=test'"),
        (["reviews.csv", "notes.csv", "test.csv"], r"folder: no file to train on beside .*test.csv \(test\)"),
        (["x.xlsx"], r"x.xlsx: not a file .csv, .tsv, .jsonl, .json \(also .gz, .zst\) or .parquet"),
    ],
)
def test_what_is_no_dataset_is_named(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        group_files(touch(tmp_path / "folder", *names))


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


@pytest.mark.parametrize("split", ["train", "train[:100]", "train[10%:]"])
def test_a_part_of_a_split_of_the_hub_is_that_split(split: str) -> None:
    (group,) = group_files([f"hub:nice:{split}", "hub:nice:test[:5]", "hub:nice:validation_matched"])
    assert list(group.splits) == ["train", "test", "dev"]


def test_a_split_that_is_given_comes_before_the_name(tmp_path: Path) -> None:
    files = touch(tmp_path / "folder", "eval.csv", "train.csv")
    (group,) = group_files(files, Decisions(files={"eval.csv": "test"}))
    assert list(group.splits) == ["test", "train"]
    (group,) = group_files(files[:1], Decisions(files={files[0]: "train"}))
    assert list(group.splits) == ["train"]


def test_a_lone_file_that_speaks_of_train_and_evaluation_is_asked_about(tmp_path: Path) -> None:
    files = touch(tmp_path / "folder", "test_train.csv")
    decisions = Decisions()
    group_files(files, decisions)
    with pytest.raises(DataError, match=r"speaks of train and of test; choose: split='\S*=test' .*split='\S*=train'"):
        decisions.close()
    with pytest.raises(DataError, match="no file to train on beside"):
        group_files(files, Decisions(likely=True))
    decisions = Decisions(files={"test_train.csv": "train"})
    group_files(files, decisions)
    decisions.close()
    decisions = Decisions()
    group_files([*files, *touch(tmp_path / "folder", "test_dev.csv")], decisions)
    decisions.close()


@pytest.mark.parametrize(
    ("names", "base"),
    [
        (["x-train.csv", "x-extra.csv"], "x"),
        (["train.csv", "e.csv"], "folder"),
        (["reviews.csv", "reviews_check.csv"], "reviews"),
    ],
)
def test_a_file_beside_a_training_file_is_asked_about(names: list[str], base: str, tmp_path: Path) -> None:
    files = touch(tmp_path / "folder", *names)
    decisions = Decisions()
    group_files(files, decisions)
    with pytest.raises(
        DataError, match=rf"{names[1]}: its name does not say what it is for, beside \S*{names[0]}; choo"
    ):
        decisions.close()
    (own, other) = group_files(files, Decisions(likely=True))
    assert (own.splits, other.splits) == ({"train": files[0]}, {"train": files[1]})
    assert other.notes == [f"guess: a dataset of its own, not an evaluation file of {base}"]
    decisions = Decisions(files={names[1]: "test"})
    (group,) = group_files(files, decisions)
    decisions.close()
    assert group.splits == {"train": files[0], "test": files[1]}
    assert group.notes == [f"guess: {names[1]} is its test split"]
    decisions = Decisions(files={names[1]: "train"})
    assert [list(group.splits) for group in group_files(files, decisions)] == [["train"], ["train"]]
    decisions.close()


def test_a_file_given_twice_is_named(tmp_path: Path) -> None:
    files = touch(tmp_path, "x.csv")
    with pytest.raises(DataError, match=r"x\.csv: is given twice"):
        group_files(files * 2)
