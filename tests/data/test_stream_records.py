"""Records are read in all forms, and every line that is none is named and passed."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from soak import cases, counted

from mtft.cli.console import plain
from mtft.data.lines import MAX_LINE, BoundedLines
from mtft.data.stream_records import Record, Wanted, read_records
from mtft.errors import DataError


def read(lines: list[str], form: str = "auto") -> list[tuple[Any, dict[str, str], int]]:
    records = list(read_records(lines, form))
    assert not any(record.error for record in records)
    return [(record.id, dict(record.texts), record.line) for record in records]


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
        (2, {"sentence": ""}, 2),
        (3, {"sentence1": "a pair", "sentence2": "of texts"}, 3),
        (4, {"sentence": " [last] "}, 4),
    ]
    assert read(lines) == read(lines, "lines") == expected


@pytest.mark.parametrize("form", ["auto", "lines"])
def test_plain_lines_may_hold_anything_after_the_first(form: str) -> None:
    assert [texts for _, texts, _ in read(["a", '{"sentence": "b"}', '"'], form)] == [
        {"sentence": "a"},
        {"sentence": '{"sentence": "b"}'},
        {"sentence": '"'},
    ]


def test_a_form_that_is_named_is_not_guessed() -> None:
    assert read(['{"sentence": "a"}'], "lines") == [(1, {"sentence": '{"sentence": "a"}'}, 1)]
    assert read(["sentence"], "lines") == [(1, {"sentence": "sentence"}, 1)]


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        (["id,sentence,label\n", 'a,"one, ""two""",x\n'], "csv"),
        (['"id"\t"sentence"\n', '"a"\t"one, ""two"""\n'], "tsv"),
        (["id\tsentence\n", 'a\t"one, ""two"""\n'], "tsv"),
    ],
    ids=["commas", "quoted tabs", "tabs"],
)
def test_a_header_with_known_names_makes_a_table_whatever_parts_it(lines: list[str], form: str) -> None:
    expected = [("a", {"sentence": 'one, "two"'}, 2, "")]
    assert [(each.id, each.texts, each.line, each.error) for each in read_records(lines)] == expected
    assert [(each.id, each.texts, each.line, each.error) for each in read_records(lines, form)] == expected


def test_a_field_over_two_lines_is_one_text() -> None:
    found = list(read_records(["sentence,id\n", '"one\n', 'two",a\n', "three,b\n"]))
    assert [(each.id, each.texts, each.line, each.error) for each in found] == [
        ("a", {"sentence": "one\ntwo"}, 2, ""),
        ("b", {"sentence": "three"}, 4, ""),
    ]


def test_a_quote_that_is_never_closed_costs_one_record() -> None:
    found = list(read_records(["sentence,id\n", '"one,a\n', "two,b\n"]))
    assert [each.id for each in found] == [2, "b"]
    assert found[0].error == "input line 2: a quote opened here swallows 1 line: the quote is never closed"


def test_commas_alone_make_no_table() -> None:
    (found,) = read_records(["A film, a sentence, a label.\n"])
    assert found.texts == {"sentence": "A film, a sentence, a label."}


@pytest.mark.parametrize("form", ["jsonl", "tsv", "csv"])
@pytest.mark.parametrize("lines", [[], [""], ["\ufeff\n", "  \r\n", "\n"]])
def test_of_blank_lines_there_is_no_record(form: str, lines: list[str]) -> None:
    assert read(lines, form) == []


@pytest.mark.parametrize("form", ["auto", "txt"])
def test_a_blank_plain_line_is_an_empty_text_or_an_error(form: str) -> None:
    lines = ["\ufeff\n", "  \r\n", "a\u2028b\rc\x85d\x0c\n"]
    assert [texts["sentence"] for _, texts, _ in read(lines, form)] == ["", "  ", "a\u2028b\rc\x85d\x0c"]
    strict = read_records(lines, form, Wanted(no_blanks=True))
    assert [record.error for record in strict] == ["input line 1: a blank line", "input line 2: a blank line", ""]
    assert read([], form) == []


@pytest.mark.parametrize(
    "lines", [["sentence\tid\n", "a\tx\n"], ['{"sentence": "a", "id": "x"}\n'], ["a\n"]], ids=["tsv", "jsonl", "lines"]
)
def test_a_byte_order_mark_and_carriage_returns_are_no_text(lines: list[str]) -> None:
    marked = ["\ufeff" + lines[0], *lines[1:]]
    assert read(marked) == read(lines)
    assert read([line.replace("\n", "\r\n") for line in marked]) == read(lines)
    if lines != ["a\n"]:
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
        (["one", "a\tb\tc"], "auto", "input line 2: 3 tab-separated texts where one or two are needed"),
    ],
)
def test_every_error_names_its_line(lines: list[str], form: str, message: str) -> None:
    (found,) = [record for record in read_records(lines, form) if record.error]
    assert found.error.startswith(message)
    assert f"input line {found.line}: " in message
    assert not found.texts


def test_what_follows_a_bad_line_is_read_and_ids_that_can_be_read_are_kept() -> None:
    lines = [
        '{"sentence": "a"}',
        "{",
        '{"id": "x", "sentence": 1}',
        '{"id": [1], "sentence": "\\ud800"}',
        "\udcff",
        '{"sentence": "b"}',
    ]
    found = [(record.id, bool(record.error)) for record in read_records(lines)]
    assert found == [(1, False), (2, True), ("x", True), ([1], True), (5, True), (6, False)]
    assert [record.error[:14] for record in read_records(["sentence", "a\tb", "c", "d\te"])] == [
        "input line 2: ",
        "",
        "input line 4: ",
    ]


def test_bytes_that_are_not_utf8_are_named_with_their_line() -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"ok\nb\xffd\n\xed\xa0\x80\n\xc3\xa9\n"), "utf-8", "surrogateescape")
    found = list(read_records(BoundedLines(stream), "lines"))
    assert [record.error for record in found] == [
        "",
        "input line 2: not UTF-8 text (byte 0xff)",
        "input line 3: not UTF-8 text (byte 0xed)",
        "",
    ]
    assert found[3].texts == {"sentence": "é"}


def test_a_header_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^input line 1: column 'sentence' appears twice$"):
        list(read_records(["sentence\tsentence", "a\tb"]))
    with pytest.raises(DataError, match=r"^input line 2: longer than 1,000,000 characters$"):
        list(read_records(["", "sentence\t" + "a" * MAX_LINE, "b"], "tsv"))


class Endless(io.RawIOBase):
    """A stream without end that says how much of it was read."""

    def __init__(self, piece: bytes) -> None:
        self.piece, self.count = piece, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.count += len(buffer)
        buffer[:] = (self.piece * len(buffer))[: len(buffer)]
        return len(buffer)


def test_of_a_line_without_end_only_its_beginning_is_read() -> None:
    endless = Endless(b"a")
    records = read_records(BoundedLines(io.TextIOWrapper(io.BufferedReader(endless), "utf-8")))
    assert next(records).error == "input line 1: longer than 1,000,000 characters"
    assert endless.count < 2 * MAX_LINE


@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + 2, 2 * MAX_LINE + 2, 3 * MAX_LINE])
def test_lines_around_the_limit(length: int) -> None:
    found = list(read_records(BoundedLines(io.StringIO(f"one\n{'a' * length}\nthree\n\nfive"))))
    assert [record.line for record in found] == [1, 2, 3, 4, 5]
    assert [bool(record.error) for record in found] == [False, length > MAX_LINE, False, False, False]
    assert len(found[1].texts.get("sentence", "")) == (length if length <= MAX_LINE else 0)


pieces = st.sampled_from(
    [
        "{",
        "}",
        '"sentence"',
        '"sentence1": "a"',
        ":",
        ",",
        "\t",
        "sentence",
        "sentence1\tsentence2",
        "id",
        '"',
        "[",
        "1e999",
        "\\ud800",
        "\ufeff",
        "\r",
        "\x00",
        "\n",
        "null",
        "NaN",
        "é",
        " ",
    ]
)
lines_strategy = st.lists(st.lists(pieces, max_size=8).map("".join) | st.text(max_size=30), max_size=5)


@pytest.mark.soak
def test_whatever_the_lines_each_is_a_record_or_an_error_that_names_it() -> None:
    with counted("predict: any line is a record, or an error that names it", "cases") as tried:

        @settings(deadline=None, max_examples=cases())
        @given(lines_strategy, st.sampled_from(["auto", "jsonl", "tsv", "lines"]))
        @example(["sentence\n", "a" * 200_000], "tsv")
        @example(['{"sentence": "' + "a" * 200_000 + '"}'], "auto")
        @example(['{"sentence": ' + "9" * 5000 + "}"], "auto")
        @example(['{"id": ' + "[" * 500 + "]" * 500 + ', "sentence": "a"}'], "auto")
        def check(lines: list[str], form: str) -> None:
            tried.one()
            try:
                records = list(read_records(lines, form))
            except DataError as error:  # a table without a header
                found = re.match(r"input line (\d+): ", str(error))
                records = [Record(None, {}, int(found[1]) if found else 0)]
            for number, record in enumerate(records, 1):
                assert number <= record.line <= len(lines)
                assert all(isinstance(text, str) for text in record.texts.values())
                "".join(record.texts.values()).encode()
                assert not record.error or record.error.startswith(f"input line {record.line}: ")
                plain(record.id)

        check()
