"""Pictures of answers: of two classes, of many, of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.outputs import Array
from mtft.report.answers import MOST_CLASSES, answer_figures
from mtft.report.dev_rows import DevRow
from mtft.report.figure import Figure
from mtft.report.hardest import hardest
from mtft.report.run_record import Predictions, TaskRecord
from mtft.report.svg import to_svg


def record(values: Array, targets: Array, labels: tuple[str, ...] = ()) -> TaskRecord:
    ids = tuple(f"id-{row}" for row in range(len(targets)))
    rows = {0: DevRow(("a text",), "dev.csv, line 2")}
    return TaskRecord("task", "metric", {}, labels, Predictions(ids, targets, values, rows))


def drawn(task: TaskRecord) -> dict[str, Figure]:
    found = {figure.name: figure for figure in answer_figures(task)}
    for name, figure in found.items():
        assert len(to_svg(figure.drawing, name)) < 400_000
    return found


def test_the_confusion_of_two_classes() -> None:
    values = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    table = drawn(record(values, np.array([0.0, 1.0, 1.0]), ("no", "yes")))["confusion"].numbers
    assert table is not None
    assert table.headers == ("truth", "no", "yes")
    assert table.rows == (("no", "1", "0"), ("yes", "1", "1"))


def test_of_many_classes_the_worst_are_told() -> None:
    classes, random = 4 * MOST_CLASSES, np.random.default_rng(0)
    targets = random.integers(0, classes, 500).astype(float)
    values = np.full((500, classes), 0.5 / classes)
    answers = np.where(targets == 7, 9, targets).astype(int)
    values[np.arange(500), answers] += 0.5
    figure = drawn(record(values, targets))["confusion"]
    assert figure.numbers is not None
    assert figure.numbers.rows == (("7", "9", str(int((targets == 7).sum()))),)
    assert figure.drawing.height < 600


def test_numbers_against_numbers() -> None:
    values = np.linspace(0, 5, 100)
    figures = drawn(record(values, values / 2))
    assert "Mean absolute error 1.250." in figures["agreement"].caption
    assert figures["reliability"].numbers is not None
    for predicted, truth, examples in figures["reliability"].numbers.rows:
        assert float(truth) == pytest.approx(float(predicted) / 2, abs=1e-4)
        assert examples == "10"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(width=32), min_size=1, max_size=30), st.floats(0, 5))
def test_whatever_numbers_there_are(values: list[float], target: float) -> None:
    with np.errstate(all="ignore"):
        task = record(np.array(values, np.float64), np.full(len(values), target))
        assert set(drawn(task)) == {"agreement", "reliability"}
        assert len(hardest(task, 3)) == min(3, len(values))


def test_the_hardest_come_first() -> None:
    values = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = hardest(record(values, np.array([1.0, 1.0, 1.0]), ("no", "yes")), 2)
    assert [(example.id, example.texts) for example in found] == [("id-0", ("a text",)), ("id-2", ())]
    assert [example.location for example in found] == ["dev.csv, line 2", ""]
    assert found[0].facts == (("true", "yes (10.0%)"), ("answered", "no (90.0%)"))
    assert hardest(record(np.array([1.0, 2.0]), np.array([1.5, 0.0])), 1)[0].facts[2] == ("off by", "+2.00")
