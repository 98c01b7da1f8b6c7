"""Datasets: unlabelled rows are counted and left out, cut texts are reported, and data is found or asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mtft.data.dataset import Dataset, build_dataset, find_data_dir, sample_dir
from mtft.data.example import Example
from mtft.data.tokenization import Tokenizer, load_tokenizer
from mtft.errors import DataError


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    return load_tokenizer(tiny_model)


def examples(targets: Sequence[float | None], text: str = "a cat") -> list[Example]:
    return [Example(f"r{i}", (text,), target, f"data.csv:{i + 2}") for i, target in enumerate(targets)]


def build(rows: Sequence[Example], tokenizer: Tokenizer, strict: bool = False, max_length: int = 48) -> Dataset:
    return build_dataset("sst", iter(rows), tokenizer, apart=False, max_length=max_length, strict=strict)


def test_labelled_rows_are_kept_in_order_without_a_note(tokenizer: Tokenizer) -> None:
    dataset = build(examples([2, 0, 1.5]), tokenizer, strict=True)
    assert len(dataset) == len(dataset.table) == 3
    assert list(dataset.ids) == ["r0", "r1", "r2"]
    assert dataset.targets.dtype == np.float32
    assert dataset.targets.tolist() == [2.0, 0.0, 1.5]
    assert dataset.notes == ()


def test_unlabelled_rows_are_left_out_with_one_counted_note(tokenizer: Tokenizer) -> None:
    dataset = build(examples([1, None, 0, None]), tokenizer)
    assert list(dataset.ids) == ["r0", "r2"]
    assert dataset.targets.tolist() == [1.0, 0.0]
    assert dataset.notes == ("sst: 2 of 4 rows have no label (first: data.csv:3); left out",)


def test_strict_allows_no_unlabelled_row(tokenizer: Tokenizer) -> None:
    with pytest.raises(
        DataError, match=r"sst: 1 of 2 rows have no label \(first: data\.csv:3\); strict=True allows none"
    ):
        build(examples([1, None]), tokenizer, strict=True)


@pytest.mark.parametrize("targets", [[], [None, None]])
def test_a_source_without_a_label_is_an_error(targets: list[None], tokenizer: Tokenizer) -> None:
    with pytest.raises(DataError, match="sst: no labelled row"):
        build(examples(targets), tokenizer)


def test_cut_texts_are_noted_with_shares_and_the_limit(tokenizer: Tokenizer) -> None:
    rows = [*examples([1], text="abcdefghij"), *examples([0], text="ab")]
    dataset = build(rows, tokenizer, max_length=8)
    assert dataset.notes == ("sst: 1 of 2 texts cut (50.0%; 33.3% of their tokens); max_length is 8",)
    assert dataset.truncation.tokens_cut == 4


def test_texts_encoded_apart_give_two_sequences_per_example(tokenizer: Tokenizer) -> None:
    rows = [Example("a", ("ab", "abc"), 1.0, "x:2"), Example("b", ("a", "ab"), 1.0, "x:3")]
    dataset = build_dataset("pairs", rows, tokenizer, apart=True, max_length=48, strict=True)
    assert len(dataset) == len(dataset.table) == 2
    assert dataset.table.lengths.tolist() == [4, 5, 3, 4]
    assert dataset.table.example_lengths.tolist() == [9, 7]


# ---- Where data lies


def test_the_directory_given_wins_over_the_environment_and_over_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("given", "environment"):
        (tmp_path / name).mkdir()
    assert find_data_dir(tmp_path / "given", str(tmp_path / "environment")) == tmp_path / "given"
    assert find_data_dir(None, str(tmp_path / "environment")) == tmp_path / "environment"
    assert find_data_dir(None, None) == find_data_dir(None, "") == Path("data")
    former = tmp_path / "given"
    assert find_data_dir(None, None, former) == former
    assert find_data_dir(None, str(tmp_path / "environment"), former) == tmp_path / "environment"
    assert find_data_dir(None, None, tmp_path / "gone") == Path("data")


def test_a_directory_named_but_missing_is_an_error_that_offers_the_sample(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data_dir: .*gone is not a directory; sample=True"):
        find_data_dir(tmp_path / "gone", None)
    with pytest.raises(DataError, match=r"\$MTFT_DATA_DIR: .*gone is not a directory; sample=True"):
        find_data_dir(None, str(tmp_path / "gone"))


def test_the_sample_data_is_there() -> None:
    assert {path.name for path in sample_dir().glob("*-train.csv")} == {
        "ids-sst-train.csv",
        "ids-cfimdb-train.csv",
        "quora-train.csv",
        "sts-train.csv",
    }
