"""`mtft.commands.predict`, called directly: answers in order, and what becomes of records without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtft.commands.predict import answers, predict
from mtft.config.schema import PredictConfig
from mtft.errors import ConfigError, DataError
from mtft.plugin.context import new_context

LINES = ['{"sentence": "A fine film."}\n', '{"x": 1}\n', '{"sentence1": "One?", "sentence2": "Two?"}\n']


def run(path: Path, lines: list[str], said: list[str] | None = None, **settings: Any) -> list[dict[str, Any]]:
    context = new_context(lambda _level, text: said.append(text) if said is not None else None)
    return list(predict(path, lines, PredictConfig(**settings), context))


def test_each_record_is_answered_by_the_tasks_that_can(trained_run: Path) -> None:
    first, second = run(trained_run, [LINES[0], LINES[2]])
    assert set(first) == {"id", "sst"}
    assert set(second) == {"id", "quora", "sts"}
    assert sum(first["sst"]["probabilities"].values()) == pytest.approx(1)
    assert first["sst"]["label"] == max(first["sst"]["probabilities"], key=first["sst"]["probabilities"].get)
    assert (first["id"], second["id"]) == (1, 2)


def test_batches_of_any_size_answer_alike(trained_run: Path) -> None:
    lines = [f'{{"sentence": "film number {number}"}}\n' for number in range(7)]
    whole, single = run(trained_run, lines), run(trained_run, lines, batch_size=1)
    assert [each["id"] for each in whole] == [1, 2, 3, 4, 5, 6, 7]
    for one, other in zip(whole, single, strict=True):
        assert one["sst"]["probabilities"] == pytest.approx(other["sst"]["probabilities"], abs=1e-6)


def test_a_record_without_answer_stops_is_left_out_or_keeps_its_place(trained_run: Path) -> None:
    said: list[str] = []
    kept = run(trained_run, LINES, said, on_error="null")
    assert [set(each) - {"id"} for each in kept] == [{"sst"}, {"error"}, {"quora", "sts"}]
    assert run(trained_run, LINES, on_error="skip") == [kept[0], kept[2]]
    assert said[-1].startswith("1 record answered with an error; first: ")
    results = predict(trained_run, LINES, PredictConfig(), new_context())
    assert next(results) == kept[0]
    with pytest.raises(DataError, match="line 2: no task applies"):
        next(results)


def test_a_table_has_no_place_for_errors(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match="a table has no column for"):
        next(predict(trained_run, LINES, PredictConfig(output_format="tsv", on_error="null"), new_context()))


def test_the_source_of_results_is_closed_when_the_reader_stops() -> None:
    closed: list[bool] = []

    def results() -> Any:
        try:
            yield {"id": 1}
            yield {"id": 2}
        finally:
            closed.append(True)

    found = answers(results(), "fail", lambda *_: None)
    assert next(found) == {"id": 1}
    found.close()
    assert closed == [True]
