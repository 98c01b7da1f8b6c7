"""Readers: what is written comes back, whatever it holds, and what cannot be read is named by file and line."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.example import Example
from mtft.data.readers import RowError, TableReader, read_rows
from mtft.errors import DataError
from mtft.outputs import Binary, Bounded, Categorical, Output

CLASSES = Categorical(("0", "1", "2"))
some = settings(max_examples=60, deadline=None)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
awkward = texts | st.text("\t,\"\r\n '\ufeff\u2028", max_size=8)


def rows_of(path: Path, content: str | bytes) -> list[tuple[int, dict[str, str]]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path))


def read(folder: Path, content: str, output: Output = CLASSES, **parts: Any) -> list[Example]:
    (folder / "some-train.csv").write_text(content, encoding="utf-8", newline="")
    parts = {"texts": ("text",), "label": "label"} | parts
    return list(TableReader("some-{split}.csv", output=output, **parts)("train", folder))


# ---- Tables


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_the_header_decides_the_delimiter_and_ends_of_lines_do_not_matter(
    delimiter: str, end: str, bom: str, last: bool, tmp_path: Path
) -> None:
    lines = ["id\ttext", "a\tone", "", "b\t'two' and \"three\""]
    content = bom + end.join(lines).replace("\t", delimiter) + end * last
    expected = [(2, {"id": "a", "text": "one"}), (4, {"id": "b", "text": "'two' and \"three\""})]
    assert rows_of(tmp_path / "x.csv", content) == expected
    assert rows_of(tmp_path / "x.anything", content) == expected


def test_a_tab_in_the_header_wins_over_commas(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "x.csv", "a,b\tc\n1,2\t3\n") == [(2, {"a,b": "1,2", "c": "3"})]


def test_the_unnamed_index_column_of_the_course_files_is_read(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "x.csv", "\tid\ttext\n0\ta\tone\n") == [(2, {"": "0", "id": "a", "text": "one"})]


def test_doubled_quotes_inside_quoted_fields_are_one_quote(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "x.csv", 'id\ttext\n1\t"say ""so"""\n')[0][1]["text"] == 'say "so"'


def test_a_quoted_field_may_go_over_lines_and_later_rows_keep_their_numbers(tmp_path: Path) -> None:
    found = rows_of(tmp_path / "x.csv", 'id,text\n1,"a\nb\n\nc"\n\n2,d\n3,"e\r\nf"\n4,g\n')
    assert [line for line, _ in found] == [2, 7, 8, 10]
    assert [row["text"] for _, row in found] == ["a\nb\n\nc", "d", "e\r\nf", "g"]


def test_a_quoted_column_name_may_go_over_lines(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "x.csv", 'id,"the\ntext"\n1,a\n') == [(3, {"id": "1", "the\ntext": "a"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "1: no header line"),
        ("\n\n", "1: no header line"),
        ("a,b,a\n1,2,3\n", "1: column 'a' appears twice"),
        ("a,b\n1,2\n3\n", "3: 1 fields where the header has 2"),
        ("a,b\n1,2,3\n", "2: 3 fields where the header has 2"),
        ("a,b\n1,2\n  \n", "3: 1 fields"),
        ('a,b\n1,"x\ny"\n1\n', "4: 1 fields"),
        ('a,b\n1,2\n3,"x\ny', "3: a quote opened here swallows 1 line: the quote is never closed"),
        ('a,b\n1,2\n\n3,"x"y\n', "4: .* expected after"),
        ('"a,b\n1,2\n', "1: a quote opened here swallows 1 line: the quote is never closed"),
        ("a,b\n1," + "x" * 10_000_001, "2: a field of more than 10,000,000 characters"),
        (b"a,b\n1,2\n3,\xff\n", "3: not UTF-8 text"),
        (b"a,b\n" + b"1,2\n" * 10_000 + b"3,\xc3", "10002: not UTF-8 text"),
        ("a,b\n1,\u00e9\n".encode("latin-1"), "2: not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16-le"), "1: the header holds NUL characters; it looks like utf-16-le: set encoding"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_line(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path / "x.csv:")) + message):
        rows_of(tmp_path / "x.csv", content)


def test_rows_before_a_broken_one_are_given(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3\n", encoding="utf-8")
    rows = read_rows(tmp_path / "x.csv")
    assert next(rows) == (2, {"a": "1", "b": "2"})
    with pytest.raises(DataError, match=r"x\.csv:3"):
        next(rows)


def test_missing_files_and_directories_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        list(read_rows(tmp_path / "gone.csv"))
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}: ")):
        list(read_rows(tmp_path))


@some
@given(
    st.lists(st.tuples(awkward, awkward), max_size=6),
    st.sampled_from(["\t", ","]),
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL)]),
    st.booleans(),
)
def test_any_table_comes_back_with_its_line_numbers(
    rows: list[tuple[str, str]], delimiter: str, style: tuple[str, Any], bom: bool
) -> None:
    buffer, begins = io.StringIO(newline=""), []
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    writer.writerow(["text", "label"])
    for row in rows:
        begins.append(1 + buffer.getvalue().count("\n"))
        writer.writerow(row)
    with tempfile.TemporaryDirectory() as folder:
        found = rows_of(Path(folder, "x.csv"), "\ufeff" * bom + buffer.getvalue())
    assert found == [
        (line, dict(zip(("text", "label"), row, strict=True))) for line, row in zip(begins, rows, strict=True)
    ]


@some
@given(st.binary(max_size=60), st.sampled_from(["x.csv", "x.jsonl"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(DataError):
        rows_of(Path(folder, name), data)


# ---- JSON Lines


def test_json_lines_are_read_with_nulls_and_numbers_as_text(tmp_path: Path) -> None:
    content = (
        '\ufeff{"text": "a", "label": 1}\r\n\n{"text": null, "label": 0.5}\n{"text": "\\ud83d\\ude00"}\n{"text": NaN}'
    )
    assert rows_of(tmp_path / "x.jsonl", content) == [
        (1, {"text": "a", "label": "1"}),
        (3, {"text": "", "label": "0.5"}),
        (4, {"text": "\U0001f600"}),
        (5, {"text": ""}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": }\n', "2: not JSON: "),
        ('{"a": 1}\n\n["a"]\n', "3: found list where an object is needed"),
        ("null\n", "1: found NoneType where an object is needed"),
        ("[" * 100_000, "1: not JSON: "),
        ('{"a": ' + "9" * 5000 + "}", "1: not JSON: "),
        ('{"a": "b"}\n{"a": "\\ud800"}', "2: half a surrogate pair"),
        ('{"a": "b"}\n{"\\ud800": "a"}', "2: half a surrogate pair"),
        (b'{"a": "b"}\n{"a": "\xff"}', "2: not UTF-8 text"),
    ],
)
def test_json_lines_that_cannot_be_read_are_named(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path / "x.jsonl:")) + message):
        rows_of(tmp_path / "x.jsonl", content)


@some
@given(st.lists(st.dictionaries(texts, awkward, min_size=1, max_size=3), max_size=5), st.booleans())
def test_any_json_lines_come_back(records: list[dict[str, str]], ascii_only: bool) -> None:
    lines = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
    with tempfile.TemporaryDirectory() as folder:
        assert rows_of(Path(folder, "x.jsonl"), lines) == list(enumerate(records, 1))


# ---- Examples


def test_examples_hold_id_texts_target_and_origin(tmp_path: Path) -> None:
    found = read(tmp_path, "id,text,label\nx7, one ,2\n,two,0.0\n")
    origin = f"{tmp_path / 'some-train.csv'}:"
    own = Example("x7", (" one ",), 2.0, origin + "2")
    assert found == [own, Example("3", ("two",), 0.0, origin + "3", numbered=True)]


@pytest.mark.parametrize("value", ['["good", "film"]', '{"a": 1}'])
def test_a_list_or_an_object_is_no_text(value: str, tmp_path: Path) -> None:
    path = tmp_path / "d-train.jsonl"
    path.write_text(f'{{"text": "one", "more": {value}, "label": 1}}\n{{"text": {value}, "label": 1}}\n')
    reader = TableReader("d-{split}.jsonl", texts=("text",), label="label", output=Categorical(("0", "1")))
    rows = reader("train", tmp_path)
    assert next(rows).texts == ("one",)
    with pytest.raises(RowError) as caught:
        next(rows)
    assert str(caught.value) == f"{path}:2: column 'text' is {value}, not a text"


def test_pairs_keep_the_order_of_their_columns(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "label,b,a\n1,second,first\n", texts=("a", "b"))
    assert example.texts == ("first", "second")
    assert example.id == "2"


def test_a_reader_names_the_file_of_each_split(tmp_path: Path) -> None:
    reader = TableReader("some-{split}.csv", ("text",), "label", CLASSES)
    assert reader.files("dev", tmp_path) == [tmp_path / "some-dev.csv"]
    with pytest.raises(DataError, match=r"some-dev\.csv: no such file"):
        list(reader("dev", tmp_path))


@pytest.mark.parametrize("label", ["", "  "])
def test_an_empty_label_is_no_target(label: str, tmp_path: Path) -> None:
    assert [example.target for example in read(tmp_path, f"text,label\na,{label}\nb,1\n")] == [None, 1.0]


@pytest.mark.parametrize(
    ("output", "label", "message"),
    [
        (CLASSES, "3", "label '3' is not one of 0, 1, 2"),
        (CLASSES, "good", "label 'good' is not one of"),
        (CLASSES, "nan", "label 'nan' is not one of"),
        (Binary(("0", "1")), "0.5", "label '0.5' is not one of 0, 1"),
        (Bounded(0.0, 5.0), "5.01", "label '5.01' is not a number from 0 to 5"),
        (Bounded(0.0, 5.0), "nan", "label 'nan' is not a number from 0 to 5"),
    ],
)
def test_an_invalid_label_is_an_error_with_file_line_and_column(
    output: Output, label: str, message: str, tmp_path: Path
) -> None:
    location = re.escape(f"{tmp_path / 'some-train.csv'}:5: column 'label': ")
    with pytest.raises(DataError, match=location + message):
        read(tmp_path, f'text,label\na,1\n"b\nc",0\nd,{label}\n', output)


def test_a_missing_column_is_named_with_those_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"some-train.csv:2: no column 'label' \(columns: id, text\)"):
        read(tmp_path, "id,text\n1,a\n")
    with pytest.raises(DataError, match="no column 'text'"):
        read(tmp_path, "id,label\n1,1\n")


def test_only_targets_above_the_limit_are_read_but_all_labels_are_checked(tmp_path: Path) -> None:
    content = "text,label\na,4.5\nb,4.51\nc,\nd,5\n"
    found = read(tmp_path, content, Bounded(0, 5), above=4.5)
    assert [(example.texts, example.target) for example in found] == [
        (("b",), pytest.approx(4.51)),
        (("c",), None),  # without a label: whoever loads the source counts it
        (("d",), 5),
    ]
    with pytest.raises(DataError, match=r"some-train\.csv:2"):
        read(tmp_path, "text,label\na,-1\n", Bounded(0, 5), above=4.5)
