"""Records are read in all forms and answered in order, and every error names its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toys import REGISTRY, TASKS, toy_trained

from mtft.checkpoint import TrainedModel
from mtft.errors import ConfigError, DataError
from mtft.prediction import Record, predict, read_records

SST, QUORA, STS = TASKS


@pytest.fixture(scope="module")
def trained(tiny_model: Path) -> TrainedModel:
    return toy_trained(tiny_model)


def read(lines: list[str], form: str = "auto") -> list[tuple[Any, dict[str, str], int]]:
    return [(record.id, dict(record.texts), record.line) for record in read_records(lines, form)]


# ---- Reading


def test_json_lines() -> None:
    lines = ['{"sentence": "a b", "id": "x"}\n', "\n", '{"sentence1": "c", "sentence2": "d", "other": [1]}\n']
    expected = [("x", {"sentence": "a b"}, 1), (3, {"sentence1": "c", "sentence2": "d"}, 3)]
    assert read(lines) == read(lines, "jsonl") == expected


def test_a_table() -> None:
    lines = ["id\tsentence1\tsentence2\n", '7\ta "b"\tc\n', 'x\t"say ""d""\t"\te\n']
    expected = [
        ("7", {"sentence1": 'a "b"', "sentence2": "c"}, 2),
        ("x", {"sentence1": 'say "d"\t', "sentence2": "e"}, 3),
    ]
    assert read(lines) == read(lines, "tsv") == expected


def test_a_table_of_one_column_and_without_ids() -> None:
    assert read(["sentence\n", "a b\n", "c\n"]) == [(2, {"sentence": "a b"}, 2), (3, {"sentence": "c"}, 3)]


def test_plain_lines() -> None:
    lines = ["one text\n", "\n", "a pair\tof texts\n", " [last] "]
    expected = [
        (1, {"sentence": "one text"}, 1),
        (3, {"sentence1": "a pair", "sentence2": "of texts"}, 3),
        (4, {"sentence": " [last] "}, 4),
    ]
    assert read(lines) == read(lines, "lines") == expected


@pytest.mark.parametrize("form", ["auto", "lines"])
def test_plain_lines_may_hold_anything_after_the_first(form: str) -> None:
    assert [texts for _, texts, _ in read(["a", '{"sentence": "b"}', '"'], form)] == [
        {"sentence": "a"}, {"sentence": '{"sentence": "b"}'}, {"sentence": '"'}
    ]  # fmt: skip


def test_a_form_that_is_named_is_not_guessed() -> None:
    assert read(['{"sentence": "a"}'], "lines") == [(1, {"sentence": '{"sentence": "a"}'}, 1)]
    assert read(["sentence"], "lines") == [(1, {"sentence": "sentence"}, 1)]


@pytest.mark.parametrize("form", ["auto", "jsonl", "tsv", "lines"])
@pytest.mark.parametrize("lines", [[], [""], ["\ufeff\n", "  \r\n", "\n"]])
def test_of_no_line_there_is_no_record(form: str, lines: list[str]) -> None:
    assert read(lines, form) == []


@pytest.mark.parametrize(
    "lines", [["sentence\tid\n", "a\tx\n"], ['{"sentence": "a", "id": "x"}\n'], ["a\n"]], ids=["tsv", "jsonl", "lines"]
)
def test_a_byte_order_mark_and_carriage_returns_are_no_text(lines: list[str]) -> None:
    marked = ["\ufeff" + lines[0], *lines[1:]]
    assert read(marked) == read(lines)
    assert read([line.replace("\n", "\r\n") for line in marked]) == read(lines)
    assert read(["\n", *lines]) == [(i if i == "x" else 2, texts, line + 1) for i, texts, line in read(lines)]


@pytest.mark.parametrize("name", ["x", 7, None, [1, {"a": 2}], 1.5, False])
def test_ids_of_any_kind_pass_through(name: Any) -> None:
    assert read([json.dumps({"id": name, "sentence": "a"})])[0][0] == name


def test_lines_are_read_as_they_come() -> None:
    def lines() -> Iterator[str]:
        yield "a\n"
        yield "b\n"
        raise RuntimeError("too far")

    records = read_records(lines())
    assert [next(records).line, next(records).line] == [1, 2]


@pytest.mark.parametrize(
    ("lines", "form", "message"),
    [
        (['{"sentence": "a"}', '{"sentence": '], "auto", "input line 2: not JSON"),
        (['{"sentence": "a"}', "", "[1]"], "auto", "input line 3: found list where an object is needed"),
        (['{"sentence": 3}'], "auto", "input line 1: sentence is 3, not a text"),
        (['{"sentence1": "a", "sentence2": null}'], "auto", "input line 1: sentence2 is null, not a text"),
        (['{"sentence": "\\ud83d"}'], "auto", "input line 1: sentence holds half of a surrogate pair"),
        (["plain"], "jsonl", "input line 1: not JSON"),
        (["{" * 100_000], "auto", "input line 1: not JSON"),
        (["id\tsentence", "1\ta", "2"], "auto", "input line 3: 1 fields where the header has 2"),
        (["sentence", "a\tb"], "auto", "input line 2: 2 fields where the header has 1"),
        (["sentence", "a\rb"], "auto", "input line 2: new-line character"),
        (["one", "a\tb\tc"], "auto", "input line 2: 3 tab-separated texts where one or two are needed"),
    ],
)
def test_every_error_names_its_line(lines: list[str], form: str, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        read(lines, form)


pieces = st.sampled_from(
    ["{", "}", '"sentence"', '"sentence1": "a"', ":", ",", "\t", "sentence", "sentence1\tsentence2", "id", '"', "[",
     "1e999", "\\ud800", "\ufeff", "\r", "\x00", "\n", "null", "NaN", "é", " "]
)  # fmt: skip
lines_strategy = st.lists(st.lists(pieces, max_size=8).map("".join) | st.text(max_size=30), max_size=5)


@settings(deadline=None, max_examples=300)
@given(lines_strategy, st.sampled_from(["auto", "jsonl", "tsv", "lines"]))
@example(["sentence\n", "a" * 200_000], "tsv")
@example(['{"sentence": "' + "a" * 200_000 + '"}'], "auto")
@example(['{"sentence": ' + "9" * 5000 + "}"], "auto")
def test_whatever_the_lines_the_only_error_is_a_data_error(lines: list[str], form: str) -> None:
    seen = 0
    try:
        for record in read_records(lines, form):
            assert isinstance(record, Record)
            assert 0 < record.line <= len(lines)
            assert all(isinstance(text, str) for text in record.texts.values())
            "".join(record.texts.values()).encode()
            seen = record.line
    except DataError as error:
        found = re.match(r"input line (\d+): ", str(error))
    else:
        return
    assert found
    assert seen < int(found[1]) <= len(lines)


# ---- Predicting


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
        ["id", "sst"], ["id", "quora", "sts"], ["id", "sst", "quora", "sts"], ["id", "sst"]
    ]  # fmt: skip
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
    with pytest.raises(DataError, match=f"input line {line}: {message}"):
        answer(trained, MIXED, *tasks, every=every)


def test_a_record_without_any_text_is_named(trained: TrainedModel) -> None:
    with pytest.raises(DataError, match=r"input line 9: no task applies; .* needs sentence or sentence1 and sentence2"):
        answer(trained, [Record("x", {}, 9)], "sst", "sts", every=True)


def test_no_task_is_refused(trained: TrainedModel) -> None:
    with pytest.raises(ConfigError, match="no task to predict"):
        list(predict(trained, MIXED, [], every=True, chunk=4))


def test_texts_longer_than_the_model_are_cut(trained: TrainedModel) -> None:
    short = replace(trained, max_length=8)
    records = [Record(1, {"sentence": "abcdef" + tail}, 1) for tail in ("", "g", " and so on" * 200)]
    first, *others = (result["sst"]["probabilities"] for result in answer(short, records, "sst"))
    assert all(other == pytest.approx(first, abs=1e-6) for other in others)
