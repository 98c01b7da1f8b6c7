"""Tasks proposed for whole datasets."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.guess.datasets import propose
from mtft.data.guess.doubts import Decisions
from mtft.data.guess.proposals import Proposal
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
    assert "columns not used: 'tokens' (lists, objects or others that are no text)" in found.notes


def test_a_test_split_without_labels_is_not_declared() -> None:
    (found,) = proposals(rows(label="01"), test=rows(8))
    assert found.notes == ["test.jsonl is not declared: it has no column 'label'"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "train.jsonl: no rows"),
        ([{"a": "1", "b": "x"}] * 4, r"no column of texts \('a' is one value; 'b' is one value\)"),
        (rows(), r"no column of labels beside the texts \(there is no other column\)"),
        (rows(part=["train", "dev"]), r"no column of labels beside the texts \(there is no other column\)"),
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


# ---- doubts and what settles them ------------------------------------------------------------------------------------


def decided(table: list[Row], dev: list[Row] | None = None, **given: Any) -> tuple[list[Proposal], Decisions]:
    files = {"train": table, **({"dev": dev} if dev else {})}
    decisions = Decisions(**given)
    group = FileGroup("x", {split: f"{split}.jsonl" for split in files})
    return propose(group, lambda file: files[file.removesuffix(".jsonl")], decisions), decisions


def open_doubts(table: list[Row], dev: list[Row] | None = None, **given: Any) -> str:
    """What is asked about a dataset, without the last line."""
    _, decisions = decided(table, dev, **given)
    with pytest.raises(DataError) as caught:
        decisions.close()
    *lines, last = str(caught.value).splitlines()
    assert last == "or take the first of each, which is likelier: yes=True"
    return "\n".join(lines)


def test_whole_numbers_without_gaps_are_classes_however_many() -> None:
    (found,) = proposals(rows(385, label=map(str, range(77))))
    assert (found.table["kind"], found.table["names"]) == ("classification", [str(n) for n in range(77)])
    assert found.comments["kind"] == "guess; or ordinal or regression (range instead of names)"


def test_whole_numbers_with_gaps_are_asked_about() -> None:
    table = rows(400, target=[str(n * 3) for n in range(40)])
    assert open_doubts(table) == (
        "train.jsonl: column 'target' has 40 different whole numbers from 0 to 117; choose: "
        "read='target=classification' (each number is a class); read='target=regression' (the numbers are amounts)"
    )
    for kind in ("classification", "regression"):
        (found,), decisions = decided(table, columns={"target": [kind]})
        decisions.close()
        assert found.table["kind"] == kind
    (found,), _ = decided(table, likely=True)
    assert (found.table["kind"], found.comments["kind"].partition(" (")[0]) == (
        "classification",
        "guess; or regression",
    )


def test_whole_numbers_that_hardly_repeat_are_asked_about_in_a_column_of_classes() -> None:
    table = rows(100, label=[str(n) for n in range(77)])
    assert "column 'label' has 77 different whole numbers from 0 to 76; choose: read='label=classif" in open_doubts(
        table
    )
    (found,) = proposals(rows(100, score=[str(n) for n in range(77)]))
    assert found.table["kind"] == "regression"


def test_amounts_are_not_asked_about() -> None:
    for name in ("score", "price", "similarity"):
        (found,) = proposals(rows(400, **{name: [str(n) for n in range(40)]}))
        assert (found.table["kind"], found.comments["kind"].partition(" (")[0]) == (
            "regression",
            "guess; or classification",
        )


def test_a_kind_that_was_given_is_taken_or_refused() -> None:
    table = rows(40, label=["1", "2", "3", "4"])
    (found,), _ = decided(table, columns={"label": ["ordinal"]})
    assert (found.table["kind"], found.table["names"]) == ("ordinal", ["1", "2", "3", "4"])
    for kind, trouble in (("binary", "it has 4 labels"), ("classification", "")):
        if trouble:
            with pytest.raises(DataError, match=rf"read='label={kind}': {trouble}"):
                decided(table, columns={"label": [kind]})
    with pytest.raises(DataError, match="read='label=regression': its labels are not numbers"):
        decided(rows(40, label="ab"), columns={"label": ["regression"]})


def test_marks_for_no_label_are_counted_and_not_classes() -> None:
    table = rows(60, gold=["yes", "no", "yes", "no", "-", "NA"])
    (found,), decisions = decided(table, columns={"gold": []})
    decisions.close()
    assert (found.table["names"], found.table["missing"]) == (["no", "yes"], ["-", "NA"])
    assert "'-' in 10 rows, 'NA' in 10 rows" in found.comments["missing"]
    assert found.labelled == {"train": 40}


def test_numbers_beside_marks_are_still_numbers() -> None:
    (found,) = proposals(rows(60, score=["0.5", "4.5", "1.25", "NA", "2.75", "3.5"]))
    assert (found.table["kind"], found.table["range"], found.table["missing"]) == ("regression", [0, 5], ["NA"])


def test_minus_one_beside_0_and_1_is_asked_about() -> None:
    table = rows(60, label=["0", "1", "-1"])
    asked = open_doubts(table)
    assert "column 'label' has '-1' in 20 rows, which may be no label; choose: missing='-1' (it stands for no" in asked
    (found,), decisions = decided(table, missing=["-1"])
    decisions.close()
    assert (found.table["kind"], found.table["names"], found.table["missing"]) == ("binary", ["0", "1"], ["-1"])
    (found,), decisions = decided(table, columns={"label": ["ordinal"]})
    decisions.close()
    assert found.table["names"] == ["-1", "0", "1"]
    (found,), _ = decided(rows(60, polarity=["0", "1", "-1"]), likely=True)
    assert "missing" not in found.table


def test_a_word_written_as_the_labels_are_is_asked_about() -> None:
    table = rows(60, stance=["FAVOR", "AGAINST", "NONE"])
    assert "has 'NONE' in 20 rows, which may be no label; choose: read='stance=classification'" in open_doubts(table)
    (found,), _ = decided(table, likely=True)
    assert found.table["names"] == ["AGAINST", "FAVOR", "NONE"]
    assert found.notes == ["guess: 'NONE' is a label; or missing = [\"NONE\"]"]


def test_labels_that_look_the_same_are_asked_about_and_joined_by_aliases() -> None:
    table = rows(60, label=["yes", "no", "Yes", "no\u200b", "yes", "no"])
    asked = open_doubts(table)
    assert r"'yes' (20) and 'Yes' (10); 'no' (20) and 'no\u200b' (10); choose: read='label=joined'" in asked
    (found,), decisions = decided(table, columns={"label": ["joined"]})
    decisions.close()
    assert (found.table["kind"], found.table["names"]) == ("binary", ["no", "yes"])
    assert found.table["aliases"] == {"Yes": "yes", "no\u200b": "no"}
    (found,), decisions = decided(table, columns={"label": ["apart"]})
    decisions.close()
    assert (found.table["kind"], len(found.table["names"])) == ("classification", 4)


def test_labels_of_dev_that_look_like_those_of_train_are_asked_about() -> None:
    assert "'a' (15) and 'A' (5)" in open_doubts(rows(20, label=["a", "b"]), rows(20, label=["A", "b", "a", "b"]))


def test_true_of_json_and_of_tables_are_one_label() -> None:
    (found,) = proposals(rows(40, label=["True", "False"]), dev=rows(20, label=["true", "false"]))
    assert (found.table["kind"], found.table["names"]) == ("binary", ["false", "true"])
    assert found.notes == ["'True', 'true' are one label", "'False', 'false' are one label"]


def test_labels_written_in_two_ways_or_renamed_are_named() -> None:
    (found,) = proposals(rows(40, label=["0", "00", "1", "1.0"]))
    assert (found.table["names"], found.notes) == (["0", "1"], ["'0', '00' are one label", "'1', '1.0' are one label"])
    (found,) = proposals(rows(40, label=["01", "02", "03", "10"]))
    assert (found.table["names"], found.notes) == (
        ["1", "2", "3", "10"],
        ["labels are numbers: '01' is 1, '02' is 2, '03' is 3"],
    )
    (found,) = proposals(rows(40, score=["0.50", "1.5", "2.25", "3.10", "4.7"]))
    assert (found.table["kind"], found.notes) == ("regression", [])


@pytest.mark.parametrize("labels", [["true", "1", "false", "0"], ["True", "yes", "False", "no"], ["y", "n", "1", "0"]])
def test_yes_and_no_in_several_ways_are_asked_about(labels: list[str]) -> None:
    assert "labels of column 'label' say yes and no in several ways: " in open_doubts(rows(40, label=labels))
    (found,), decisions = decided(rows(40, label=labels), columns={"label": ["joined"]})
    decisions.close()
    assert (found.table["kind"], len(found.table["names"]), len(found.table["aliases"])) == ("binary", 2, 2)


@pytest.mark.parametrize("labels", [["0,5", "1.25", "4"], ["1,000", "2,500"], ["10%", "20%"], ["\u22121", "0", "1"]])
def test_numbers_written_otherwise_are_refused_and_not_made_classes(labels: list[str]) -> None:
    table = rows(60, score=labels)
    with pytest.raises(DataError, match=r"column 'score' holds numbers, but '.*' is not written with digits and a poi"):
        proposals(table)
    (found,), _ = decided(table, columns={"score": ["classification"]})
    assert found.table["names"] == sorted(labels)


@pytest.mark.parametrize(("label", "others"), [("TBD", "yn"), ("99", "012"), ("-100", "012"), ("unbekannt", "yn")])
def test_a_label_that_may_mean_none_is_named(label: str, others: str) -> None:
    (found,) = proposals(rows(60, label=[*others, label]))
    assert label in found.table["names"]
    assert f"guess: '{label}' is a label; or missing = [\"{label}\"]" in found.notes


@pytest.mark.parametrize("sign", ["|", ";", ", ", "#", "\u3001"])
def test_several_labels_in_a_cell_are_an_error_unless_they_are_one(sign: str) -> None:
    meant = "," if sign == ", " else sign
    table = rows(60, topics=["food", "rent", f"food{sign}rent"])
    for likely in (False, True):
        with pytest.raises(
            DataError, match=f"cells of column 'topics' hold several labels, parted by '{re.escape(meant)}'"
        ):
            decided(table, likely=likely)
    (found,), _ = decided(table, columns={"topics": ["classification"]})
    assert found.table["names"] == ["food", f"food{sign}rent", "rent"]


def test_a_label_of_words_that_are_labels_is_named() -> None:
    found = proposals(rows(60, topic=["left", "center", "left-center", "right"]))
    assert "guess: each of these is one label, though its words are labels too: 'left-center'" in found[0].notes
    assert not proposals(rows(60, topic=["very good", "good", "bad"]))[0].notes


def test_lists_of_labels_are_an_error() -> None:
    table = [{"text": f"row {n}", "labels": Nested('["a", "b"]' if n % 2 else '["a"]')} for n in range(12)]
    with pytest.raises(DataError, match="cells of column 'labels' hold several labels, as '"):
        proposals(table)


def test_what_annotators_came_to_is_the_label() -> None:
    names = ("a", "b", "c")
    train = [{"text": f"row {n}", "label1": names[n % 3], "gold_label": names[n % 3]} for n in range(30)]
    dev = [{"text": f"dev {n}", "label1": names[(n + n % 2) % 3], "gold_label": names[n % 3]} for n in range(30)]
    found = proposals(train, dev=dev)
    assert [(task.table["label"], task.likely) for task in found] == [("gold_label", True), ("label1", False)]
    (found_one,) = proposals(train)
    assert found_one.table["label"] == "gold_label"


@pytest.mark.parametrize("name", ["predicted_label", "label_pred", "noisy_class"])
def test_what_a_model_answered_is_only_offered_beside_labels(name: str) -> None:
    train = [{"text": f"row {n}", name: "ab"[n // 2 % 2], "label": "ab"[n % 2]} for n in range(40)]
    found = proposals(train)
    assert [(task.table["label"], task.likely) for task in found] == [("label", True), (name, False)]
    assert f"'{name}' may be what a model answered" in found[0].notes
    (alone,) = proposals([{"text": row["text"], name: row[name]} for row in train])
    assert (alone.table["label"], alone.likely) == (name, True)


def test_numbers_with_a_thousands_mark_are_called_numbers() -> None:
    table = [{"text": f"the text of row {n}", "price": f"{n + 1},000"} for n in range(60)]
    with pytest.raises(DataError, match="'price' is numbers, some not written with digits and a point alone, such as"):
        proposals(table)


def test_columns_equal_in_train_but_not_in_dev_are_asked_about() -> None:
    train = [{"text": f"row {n}", "class": "ab"[n % 2], "label": "ab"[n % 2]} for n in range(30)]
    dev = [{"text": f"dev {n}", "class": "ab"[n % 2], "label": "ab"[n % 3 % 2]} for n in range(30)]
    asked = open_doubts(train, dev)
    assert "columns 'class' and 'label' are equal in train, but differ in 15 of 30 rows of dev" in asked
    (found,), decisions = decided(train, dev, columns={"class": ["unused"]})
    decisions.close()
    assert found.table["label"] == "label"


@pytest.mark.parametrize(("one", "two"), [("annotator_1", "label"), ("label_2", "label"), ("coder_a", "class")])
def test_one_annotator_is_the_less_likely_label(one: str, two: str) -> None:
    train = [{"text": f"row {n}", one: "ab"[n % 2], two: "ab"[n % 2]} for n in range(30)]
    dev = [{"text": f"dev {n}", one: "ab"[n % 3 % 2], two: "ab"[n % 2]} for n in range(30)]
    found, _ = decided(train, dev, likely=True)
    assert [each.table["label"] for each in found if each.likely] == [two]


@pytest.mark.parametrize("name", ["review", "comment", "claim"])
def test_a_label_under_the_name_of_a_text_is_found(name: str) -> None:
    (found,) = proposals(rows(60, **{name: ["positive", "negative"]}))
    assert (found.table["text"], found.table["label"], found.table["kind"]) == ("text", name, "binary")
    (found,) = proposals(rows(60, **{name: ["positive", "negative"], "label": ["a", "b", "c"]}))
    assert found.table["label"] == "label"


def test_rows_that_name_a_column_otherwise_are_refused() -> None:
    table = [{"text": f"row {n}", ("label", "Label")[n > 19]: "ab"[n % 2]} for n in range(40)]
    with pytest.raises(DataError, match=r"column 'label' of 20 rows is 'Label' in the others; give both the same name"):
        proposals(table)


def test_a_first_line_without_a_usual_name_is_a_guess() -> None:
    table = [{"satz": f"das ist Satz {n}", "art": ("gut", "schlecht")[n % 2]} for n in range(20)]
    (found,) = propose(FileGroup("x", {"train": "t.csv"}), lambda file: table)
    assert found.notes == [
        "guess: the first line names the columns ('satz', 'art'); if it is a row: header = false, columns = [...]"
    ]


def test_true_or_false_beside_texts_is_the_label_whatever_its_name() -> None:
    table = [
        {"question": f"is row {n} so", "answer": str(n % 2 == 0), "passage": f"a longer text about row {n}"}
        for n in range(20)
    ]
    (found,) = proposals(table)
    assert (found.table["label"], found.table["text"]) == ("answer", ["question", "passage"])


def test_a_split_column_parts_the_rows() -> None:
    table = rows(60, label=["a", "b"], split=["train", "train", "train", "val", "test", "test"])
    (found,) = proposals(table)
    assert found.table["split"] == {"column": "split", "train": ["train"], "dev": ["val"], "test": ["test"]}
    assert (found.table["train"], "dev" in found.table, "test" in found.table) == ("train.jsonl", False, False)
    assert found.labelled == {"train": 30, "dev": 10, "test": 20}
    (found,), _ = decided(table, columns={"split": ["unused"]})
    assert found.labelled == {"train": 60}


def test_test_rows_with_hidden_labels_are_not_used() -> None:
    table = rows(60, label=["a", "b"], split=["train", "train", "dev", "dev", "test", "test"])
    for row in table:
        row["label"] = "" if row["split"] == "test" else row["label"]
    (found,) = proposals(table)
    assert found.table["split"] == {"column": "split", "train": ["train"], "dev": ["dev"], "unused": ["test"]}
    assert "the test rows are not declared: its column 'label' is empty" in found.notes


def test_a_column_called_otherwise_in_dev_is_named() -> None:
    with pytest.raises(DataError, match=r"dev\.jsonl: column 'Label' is 'label' in train\.jsonl; give both the same"):
        proposals(rows(label="ab"), dev=rows(Label="ab"))


def test_labels_of_dev_must_have_one_of_train() -> None:
    with pytest.raises(DataError, match=r"no label of dev \('c', 'd'\) is one of train \('a', 'b'\)"):
        proposals(rows(label="ab"), dev=rows(label="cd"))
    (found,) = proposals(rows(label="ab"), dev=rows(label="bc"))
    assert found.notes == ["only in dev: 'c'"]


@pytest.mark.parametrize(
    ("labels", "metrics"),
    [
        (["yes", *["no"] * 19], ["f1", "accuracy"]),
        (["a", *"bcd" * 7], ["f1", "accuracy"]),
        (["yes", *["no"] * 8], None),
        (["1", *["2", "3"] * 10], ["f1", "accuracy"]),
    ],
)
def test_f1_comes_first_where_a_class_is_rare(labels: list[str], metrics: list[str] | None) -> None:
    (found,) = proposals(rows(220, label=labels))
    assert found.table.get("metrics") == metrics
    assert ("metrics" in found.comments) == bool(metrics)


def test_a_share_that_leaves_too_few_rows_is_named() -> None:
    (found,) = proposals(rows(30, label=["a", "b", "c", "d", "d", "d"]))
    assert found.comments["dev"].startswith(
        "cannot hold out 5 rows of each label and leave as many to train on: 'a' has 5 (1 would be dev, 4 train),"
    )
    assert found.warnings == [f"train.jsonl: dev = 0.1 of column 'label' {found.comments['dev']}"]
    (found,) = proposals(rows(60, label=["a", "b"]))
    assert not found.warnings
