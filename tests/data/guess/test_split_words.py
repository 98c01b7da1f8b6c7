"""Words for splits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.split_words import SPLITS, WORDS, pieces_of, split_of, split_of_value


def test_every_word_means_one_split() -> None:
    assert len(WORDS) == sum(map(len, SPLITS.values()))
    assert set(WORDS.values()) == {"train", "dev", "test"}


@given(st.text())
def test_a_name_is_made_of_its_pieces(name: str) -> None:
    assert "".join(pieces_of(name)) == name


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("trainset", ["train"]),
        ("reviewsTest", ["test"]),
        ("IMDBTrain", ["train"]),
        ("x_EVAL_v2", ["dev"]),
        ("test2016", ["test"]),
        ("latest", []),
        ("strain", []),
        ("interval", []),
        ("devices", []),
        ("heldout", ["test"]),
    ],
)
def test_words_in_names(name: str, splits: list[str]) -> None:
    assert [split for piece in pieces_of(name) if (split := split_of(piece))] == splits


@pytest.mark.parametrize(
    ("value", "split"),
    [
        ("train", "train"),
        ("TRAIN", "train"),
        ("Training set", "train"),
        ("tr", "train"),
        ("val", "dev"),
        ("Validation", "dev"),
        ("dev2", "dev"),
        ("eval", "dev"),
        ("Test data", "test"),
        ("held-out", "test"),
        ("hold out", "test"),
        ("extra", ""),
        ("1", ""),
        ("", ""),
        ("news", ""),
        ("train and test", ""),
        ("te", "test"),
        ("private_test", "test"),
        ("Prueba", "test"),
        ("обучение", "train"),
        ("验证", "dev"),
    ],
)
def test_values_of_a_column_that_tells_splits(value: str, split: str) -> None:
    assert split_of_value(value) == split
