"""Records are answered in order, each as if alone, and every error names its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import REGISTRY, TASKS, toy_trained

from mtft.data.readers import TableReader
from mtft.data.stream_records import Record
from mtft.errors import ConfigError
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.prediction import BLOCK, columns, lacking, predict

SST, QUORA, STS = TASKS


@pytest.fixture(scope="module")
def trained(tiny_model: Path) -> TrainedModel:
    return toy_trained(tiny_model)


MIXED = [
    Record("one", {"sentence": "A film that takes its time."}, 1),
    Record(2, {"sentence1": "how do I cook", "sentence2": "how to learn cooking"}, 2),
    Record(None, {"sentence": "the", "sentence1": "the end", "sentence2": ""}, 3),
    Record("one", {"sentence": ""}, 4),
]


def answer(
    trained: TrainedModel, records: list[Record], *tasks: str, every: bool = False, chunk: int = 64
) -> list[dict[str, Any]]:
    chosen = [REGISTRY.task(name) for name in tasks]
    return list(predict(trained, records, chosen, every=every, chunk=chunk))


def test_all_tasks_answer_what_they_can(trained: TrainedModel) -> None:
    found = answer(trained, MIXED, "sst", "quora", "sts", every=True)
    assert [list(result) for result in found] == [
        ["id", "sst"],
        ["id", "quora", "sts"],
        ["id", "sst", "quora", "sts"],
        ["id", "sst"],
    ]
    assert [result["id"] for result in found] == ["one", 2, None, "one"]
    assert json.loads(json.dumps(found)) == found


def test_answers_have_the_form_of_the_task(trained: TrainedModel) -> None:
    result = answer(trained, MIXED[2:3], "sst", "quora", "sts")[0]
    assert set(result["sst"]) == set(result["quora"]) == {"label", "probabilities"}
    for task in (SST, QUORA):
        probabilities = result[task.name]["probabilities"]
        assert list(probabilities) == list(task.output.describe()["names"])
        assert sum(probabilities.values()) == pytest.approx(1)
        assert result[task.name]["label"] == max(probabilities, key=probabilities.get)
    assert 0 <= result["sts"]["score"] <= 5


def test_explicit_tasks_answer_alone_and_alike(trained: TrainedModel) -> None:
    every = answer(trained, MIXED, "sst", "quora", "sts", every=True)
    singles = [record for record in MIXED if "sentence" in record.texts]
    assert answer(trained, singles, "sst") == [
        {"id": result["id"], "sst": result["sst"]} for result in every if "sst" in result
    ]
    assert answer(trained, MIXED[1:3], "sts") == [{"id": r["id"], "sts": r["sts"]} for r in every[1:3]]


def many() -> list[Record]:
    words = ["the", "film", "was", "fine", "but", "why", "did", "it", "take", "so", "long", "to", "end"]
    texts = [" ".join(words[start : start + size]) for size in (1, 3, 2, 7, 5) for start in range(5)]
    return [
        Record(number, {"sentence": text} if number % 3 else {"sentence1": text, "sentence2": "no"}, number)
        for number, text in enumerate(texts, 1)
    ]


@pytest.mark.parametrize("chunk", [1, 2, 7, 24, 25, 1000])
def test_the_chunk_size_changes_nothing(trained: TrainedModel, chunk: int) -> None:
    expected = answer(trained, many(), "sst", "quora", "sts", every=True, chunk=25)
    found = answer(trained, many(), "sst", "quora", "sts", every=True, chunk=chunk)
    for result, other in zip(found, expected, strict=True):
        assert result["id"] == other["id"]
        assert result.keys() == other.keys()
        for task in result.keys() & {"sst", "quora"}:
            assert result[task]["label"] == other[task]["label"]
            assert result[task]["probabilities"] == pytest.approx(other[task]["probabilities"], abs=1e-5)
        if "sts" in result:
            assert result["sts"]["score"] == pytest.approx(other["sts"]["score"], abs=1e-5)


def test_order_is_kept_and_each_record_answered_as_if_alone(trained: TrainedModel) -> None:
    records = many()
    found = answer(trained, records, "sst", "quora", "sts", every=True)
    assert [result["id"] for result in found] == [record.id for record in records]
    for record, result in zip(records[::4], found[::4], strict=True):
        alone = answer(trained, [record], "sst", "quora", "sts", every=True)[0]
        for task in alone.keys() & {"sst", "quora"}:
            assert result[task]["probabilities"] == pytest.approx(alone[task]["probabilities"], abs=1e-5)


def test_one_pass_serves_the_tasks_that_read_the_same_input(trained: TrainedModel) -> None:
    passes: list[int] = []
    handle = trained.model.encoder.register_forward_hook(lambda *_: passes.append(1))
    answer(trained, MIXED[1:3], "quora", "sts")
    assert len(passes) == 1
    handle.remove()


def test_records_are_taken_chunk_by_chunk(trained: TrainedModel) -> None:
    taken = []

    def records() -> Iterator[Record]:
        for record in many():
            taken.append(record.line)
            yield record

    results = predict(trained, records(), TASKS, every=True, chunk=4)
    assert taken == []
    next(results)
    assert taken == [1, 2, 3, 4]


def test_of_no_record_there_is_no_answer(trained: TrainedModel) -> None:
    assert answer(trained, [], "sst") == []


@pytest.mark.parametrize(
    ("tasks", "every", "line", "message"),
    [
        (("sst",), False, 2, "task 'sst' needs sentence$"),
        (("sts",), False, 1, "task 'sts' needs sentence1 and sentence2"),
        (("quora",), True, 1, "no task applies; a record needs sentence1 and sentence2"),
    ],
)
def test_a_record_without_the_texts_needed_is_named(
    trained: TrainedModel, tasks: tuple[str, ...], every: bool, line: int, message: str
) -> None:
    found = answer(trained, MIXED, *tasks, every=every)
    first = next(result for result in found if "error" in result)
    assert re.search(f"^input line {line}: {message}", first["error"])
    assert [result["id"] for result in found] == [record.id for record in MIXED]
    assert all(len(result) == (2 if "error" in result else 1 + len(tasks)) for result in found)


def test_a_record_without_any_text_is_named(trained: TrainedModel) -> None:
    (found,) = answer(trained, [Record("x", {}, 9)], "sst", "sts", every=True)
    assert found == {
        "id": "x",
        "error": "input line 9: no task applies; a record needs sentence or sentence1 and sentence2",
    }


def test_without_waiting_nothing_is_read_beyond_an_error(trained: TrainedModel) -> None:
    bad = Record("bad", {}, 4, "input line 4: bad")
    taken = []

    def records() -> Iterator[Record]:
        for record in [*many()[:3], bad, *many()[3:]]:
            taken.append(record.id)
            yield record

    results = predict(trained, records(), TASKS, every=True, chunk=64, wait=False)
    assert [next(results)["id"] for _ in range(4)] == [1, 2, 3, "bad"] == taken


def test_long_texts_are_taken_few_at_a_time(trained: TrainedModel) -> None:
    taken = []

    def records() -> Iterator[Record]:
        for number in range(9):
            taken.append(number)
            yield Record(number, {"sentence": "a" * (BLOCK // 2)}, number)

    results = predict(trained, records(), TASKS, every=True, chunk=64)
    assert [next(results)["id"] for _ in range(3)] == [0, 1, 2]
    assert taken == [0, 1, 2, 3]


def test_no_task_is_refused(trained: TrainedModel) -> None:
    with pytest.raises(ConfigError, match="no task to predict"):
        list(predict(trained, MIXED, [], every=True, chunk=4))


def test_texts_longer_than_the_model_are_cut(trained: TrainedModel) -> None:
    short = replace(trained, max_length=8)
    records = [Record(1, {"sentence": "abcdef" + tail}, 1) for tail in ("", "g", " and so on" * 200)]
    first, *others = (result["sst"]["probabilities"] for result in answer(short, records, "sst"))
    assert all(other == pytest.approx(first, abs=1e-6) for other in others)


def test_a_record_may_hold_texts_under_the_columns_of_the_tasks_own_data(trained: TrainedModel) -> None:
    (sts,) = [task for task in trained.tasks if task.name == "sts"]
    reader = TableReader("own-{split}.csv", ("text_a", "text_b"), "label", sts.output)
    own = replace(sts, source=replace(sts.source, reader=reader))
    assert columns(own) == (("text_a", "text_b"), ("sentence1", "sentence2"))
    assert lacking(["text_a", "text_b"], [own], every=False) == ""
    assert lacking(["text_a"], [own], every=True) == (
        "the run's tasks need text_a and text_b or sentence1 and sentence2"
    )
    records = [Record(1, {"text_a": "a", "text_b": "b"}, 1), Record(2, {"sentence1": "a", "sentence2": "b"}, 2)]
    one, two = predict(trained, records, [own], every=False, chunk=2)
    assert one["sts"] == two["sts"]
