"""Tasks proposed for whole datasets."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.guess.datasets import Proposal, propose
from mtft.data.guess.splits import FileGroup
from mtft.data.readers import Nested
from mtft.errors import DataError

Row = dict[str, str]


def proposals(train: list[Row], **splits: list[Row]) -> list[Proposal]:
    files: dict[str, list[Row]] = {"train": train, **splits}
    group = FileGroup("x", {split: f"{split}.jsonl" for split in files})
    return propose(group, lambda file: files[file.removesuffix(".jsonl")])


def rows(number: int = 24, **columns: Iterable[str]) -> list[Row]:
    """Rows of a text beside columns whose values go round."""
    cycles = {name: list(values) for name, values in columns.items()}
    return [
        {"text": f"the text of row {n}", **{name: values[n % len(values)] for name, values in cycles.items()}}
        for n in range(number)
    ]


def test_one_text_and_one_label() -> None:
    (found,) = proposals(rows(label="ab"), dev=rows(6, label="ab"))
    assert found.table == {
        "kind": "binary",
        "text": "text",
        "label": "label",
        "names": ["a", "b"],
        "train": "train.jsonl",
        "dev": "dev.jsonl",
    }
    assert (found.name, found.labelled, found.notes, found.likely) == ("x", {"train": 24, "dev": 6}, [], True)


def test_without_a_dev_file_a_share_is_held_out() -> None:
    (found,) = proposals(rows(label="ab"))
    assert found.table["dev"] == 0.1


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (("hypothesis", "premise"), ["premise", "hypothesis"]),
        (("sentence1", "sentence2"), ["sentence1", "sentence2"]),
        (("text_a", "text_b"), ["text_a", "text_b"]),
        (("question1", "question2", "comment"), ["question1", "question2"]),
        (("left", "right"), ["left", "right"]),
        (("question", "context"), ["question", "context"]),
        (("context", "question"), ["question", "context"]),
    ],
)
def test_texts_that_belong_together_are_a_pair(names: tuple[str, ...], texts: list[str]) -> None:
    table = [{**{name: f"the {name} of row {n}" for name in names}, "label": "ab"[n % 2]} for n in range(12)]
    (found,) = proposals(table)
    assert found.table["text"] == texts
    assert bool(found.comments["text"]) == (len(names) > 2 or names[0] == "left")


def test_of_unlike_texts_the_longer_one_is_read() -> None:
    table = [{"author": f"Ann Smith{n}", "body": "a long story " * 9 + str(n), "label": "ab"[n % 2]} for n in range(12)]
    (found,) = proposals(table)
    assert found.table["text"] == "body"
    assert "author" in found.comments["text"]


def test_several_labels_are_several_tasks_and_rows_may_lack_some() -> None:
    table = rows(label=["a", "b", "c"], useful=["yes", "no", "", ""], score=["0.5", "4.5", "1.25"])
    found = {task.name: task for task in proposals(table)}
    assert {name: task.table["kind"] for name, task in found.items()} == {
        "x-label": "classification",
        "x-useful": "binary",
        "x-score": "regression",
    }
    assert found["x-useful"].labelled == {"train": 12}
    assert found["x-useful"].notes == ["12 of 24 rows have no label here; they are left out"]
    assert found["x-score"].table["range"] == [0, 5]


def test_a_key_that_rows_of_json_lines_lack_is_no_label_there() -> None:
    table = rows(label="ab")
    for row in table[::2]:
        del row["label"]
    table += rows(label="ab")
    (found,) = proposals(table)
    assert found.labelled == {"train": 36}


def test_beside_a_column_named_label_others_are_only_offered() -> None:
    found = proposals(rows(label="ab", genre=["news", "talk", "sport"]))
    assert [(task.name, task.table["label"], task.likely) for task in found] == [
        ("x", "label", True),
        ("x-genre", "genre", False),
    ]


def test_numbers_that_stand_for_names_order_them() -> None:
    (found,) = proposals(rows(label="012", label_text=["low", "so so", "great"]))
    assert (found.table["label"], found.table["names"]) == ("label_text", ["low", "so so", "great"])
    assert found.notes == ["columns not used: 'label' (3 classes)"]


def test_a_label_that_only_dev_has_is_a_name_too() -> None:
    (found,) = proposals(rows(label="ab"), dev=rows(8, label="abc"))
    assert found.table["names"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("labels", "trouble"), [(["-1"], "it has other labels"), ([""], "its column 'label' is empty"), ("01", "")]
)
def test_a_test_split_with_hidden_labels_is_not_declared(labels: Iterable[str], trouble: str) -> None:
    (found,) = proposals(rows(label="01"), test=rows(8, label=labels))
    assert ("test" in found.table) == (not trouble)
    assert found.notes == ([f"test.jsonl is not declared: {trouble}"] if trouble else [])


@pytest.mark.parametrize(
    ("train", "test", "declared"),
    [
        (("0", "4"), ("0", "2", "4"), False),
        (("0", "4"), ("0.0", "4"), True),
        (("0.3", "4.6", "2.5"), ("0.0", "5.0"), True),  # the range is 0 to 5
        (("0.3", "4.6", "2.5"), ("0.0", "5.1"), False),
    ],
)
def test_labels_of_a_test_split_fit_what_is_declared(
    train: tuple[str, ...], test: tuple[str, ...], declared: bool
) -> None:
    (found,) = proposals(rows(label=train), test=rows(8, label=test))
    assert ("test" in found.table) == declared


def test_a_list_is_no_text_to_train_on() -> None:
    table = [{"tokens": Nested('["the", "film"]'), **row} for row in rows(label="ab")]
    (found,) = proposals(table)
    assert found.table["text"] == "text"
    assert "columns not used: 'tokens' (lists or objects)" in found.notes


def test_a_test_split_without_labels_is_not_declared() -> None:
    (found,) = proposals(rows(label="01"), test=rows(8))
    assert found.notes == ["test.jsonl is not declared: it has no column 'label'"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "train.jsonl: no rows"),
        ([{"a": "1", "b": "x"}] * 4, r"no column of texts \('a' is one value; 'b' is one value\)"),
        (rows(), r"no column of labels beside the texts \(there is no other column\)"),
        (rows(part=["train", "dev"]), r"no column of labels beside the texts \('part' is 2 classes\)"),
        (rows(label=[""]), r"no column of labels beside the texts \('label' is empty, "),
    ],
)
def test_what_is_no_dataset_says_what_was_found(table: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=message):
        proposals(table)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ({"good film": "bad film", "1": "0"}, "'1' looks like a value"),
        ({"good film": "bad film", "pos": "pos"}, "'pos' looks like a value"),
        ({"text;label": "a;b"}, "one column only, 'text;label'"),
    ],
)
def test_a_table_needs_a_line_with_names(first: Mapping[str, str], message: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv:1: {message}"):
        propose(FileGroup("x", {"train": "t.csv"}), lambda file: [first, first])


def test_a_column_may_be_called_as_one_of_its_labels() -> None:
    table = [{"text": f"buy number {n}", "spam": ("spam", "ham")[n % 2]} for n in range(8)]
    (found,) = propose(FileGroup("x", {"train": "t.csv"}), lambda file: table)
    assert found.table["names"] == ["ham", "spam"]


LABELS = ("awful", "bad", "fair", "good", "great", "superb", "1", "2", "7")
CLASSES = st.lists(st.sampled_from(LABELS), min_size=2, max_size=6, unique=True)


@given(CLASSES, st.integers(0, 2**32), st.booleans(), st.integers(20, 60))
@settings(max_examples=60, deadline=None)
def test_a_made_dataset_is_read_as_it_was_made(classes: list[str], seed: int, pair: bool, number: int) -> None:
    """Shuffled columns and rows, a row number and a hash beside texts and labels: only those are used."""
    draw = random.Random(seed)
    table = []
    for n in range(number):
        row = {"n": str(n), "hash": f"{draw.getrandbits(90):x}", "label": classes[n % len(classes)]}
        texts = ("sentence1", "sentence2") if pair else ("words",)
        row |= {text: " ".join(draw.choices(["some", "more", "words", "here"], k=5)) + f" {n}" for text in texts}
        table.append(row)
    columns = list(table[0])
    draw.shuffle(columns)
    draw.shuffle(table)
    (found,) = proposals([{name: row[name] for name in columns} for row in table])
    text = found.table["text"]
    assert (sorted(text) if pair else text) == (["sentence1", "sentence2"] if pair else "words")
    assert found.table["label"] == "label"
    assert sorted(found.table["names"]) == sorted(classes)
    assert (found.table["kind"] == "binary") == (len(classes) == 2)
