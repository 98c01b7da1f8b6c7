"""Predictions are matched with the rows of data files that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.example import Example
from mtft.report.dev_rows import find_rows, location

DATA = Path("own")


def example(name: str, line: int, target: float | None = 1.0) -> Example:
    return Example(name, (f"text {line}",), target, f"own/dev.csv:{line}")


def test_ids_that_repeat_are_told_apart_by_their_order() -> None:
    examples = [example("a", 2), example("b", 3), example("a", 4), example("a", 5, None)]
    found = find_rows(["a", "b", "a"], np.ones(3), examples, DATA)
    assert [found[number].location for number in range(3)] == [f"dev.csv, line {line}" for line in (2, 3, 4)]
    assert [found[number].texts for number in range(3)] == [("text 2",), ("text 3",), ("text 4",)]


def test_rows_of_a_changed_file_are_not_shown() -> None:
    examples = [example("a", 2, 0.0), example("b", 3), example("b", 4), example("c", 5, 0.1)]
    found = find_rows(["a", "b", "c", "gone"], np.array([1.0, 1.0, np.float32(0.1), 1.0]), examples, DATA)
    assert {number: row.location for number, row in found.items()} == {2: "dev.csv, line 5"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, None])), max_size=30))
def test_every_prediction_of_unchanged_data_has_its_row(rows: list[tuple[str, float | None]]) -> None:
    examples = [example(name, line, target) for line, (name, target) in enumerate(rows, 2)]
    labelled = [each for each in examples if each.target is not None]
    targets = np.array([each.target for each in labelled], np.float64)
    found = find_rows([each.id for each in labelled], targets, examples, DATA)
    assert {number: row.texts for number, row in found.items()} == {
        number: each.texts for number, each in enumerate(labelled)
    }


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        ("own/dev.csv:12", "dev.csv, line 12"),
        ("own/parts/dev-1.jsonl.gz:3", "parts/dev-1.jsonl.gz, line 3"),
        ("/else/dev.csv:2", "/else/dev.csv, line 2"),
        ("own/dev.parquet:7", "dev.parquet, row 7"),
        ("hub:glue@rte:validation:5", "hub:glue@rte:validation, row 5"),
        ("somewhere", "somewhere"),
        ("table:a", "table:a"),
        ("", ""),
    ],
)
def test_a_location_names_file_and_line(origin: str, text: str) -> None:
    assert location(origin, DATA) == text
