"""Files to be answered: the suffix or a format decides the form, one record for each that is written."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from mtft.data.dialect import AS_FOUND, Layout
from mtft.data.record_files import file_records
from mtft.data.stream_records import Record, Wanted, read_records
from mtft.errors import DataError

REVIEW = Wanted(
    keys=(("review",), ("sentence",)), needs=lambda names: "" if "review" in names else "the tasks need review"
)


def read(
    folder: Path,
    name: str,
    content: str | bytes,
    form: str = "auto",
    wanted: Wanted = REVIEW,
    layout: Layout = AS_FOUND,
) -> list[Record]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(file_records(path, form, wanted, layout, lambda line: None))


def texts(records: list[Record]) -> list[Any]:
    return [record.error or record.texts.get("review") or record.texts.get("sentence") for record in records]


ROWS = [{"id": f"r{n}", "review": f"a film, number {n}"} for n in range(4)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,review\n" + "".join(f'{row["id"]},"{row["review"]}"\n' for row in ROWS)),
        ("a.csv", "id;review\n" + "".join(f"{row['id']};{row['review']}\n" for row in ROWS)),
        ("a.tsv", "id\treview\n" + "".join(f"{row['id']}\t{row['review']}\n" for row in ROWS)),
        ("a.tsv", ("id\treview\n" + "".join(f"{row['id']}\t{row['review']}\n" for row in ROWS)).encode("utf-16")),
        ("a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("a.jsonl.gz", gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode(), mtime=0)),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.json", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("pretty", json.dumps(ROWS, indent=2)),
        ("unknown", "id,review\n" + "".join(f'{row["id"]},"{row["review"]}"\n' for row in ROWS)),
    ],
)
def test_every_form_gives_the_same_records(name: str, content: str | bytes, tmp_path: Path) -> None:
    assert [(record.id, record.texts, record.error) for record in read(tmp_path, name, content)] == [
        (row["id"], {"review": row["review"]}, "") for row in ROWS
    ]


def test_parquet_gives_records_too(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    import pyarrow.parquet as parquet

    table = arrow.table(
        {"n": [7, 8, 9], "review": ["a", None, ""], "far": arrow.array([2**62] * 3, arrow.timestamp("us"))}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    wanted = Wanted(keys=(("review",),), id="n", keep=("far",))
    found = list(file_records(tmp_path / "a.parquet", "auto", wanted, AS_FOUND, lambda line: None))
    assert [(record.id, record.error) for record in found] == [
        ("7", ""),
        ("8", "input line 2: review is null, not a text"),
        ("9", ""),
    ]
    with pytest.raises(DataError, match=r"a\.parquet: the tasks need sentence; the columns are n, review, far"):
        list(
            file_records(
                tmp_path / "a.parquet",
                "auto",
                Wanted(needs=lambda names: "the tasks need sentence"),
                AS_FOUND,
                lambda line: None,
            )
        )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "Id,Review\nr0,x\n",
            r"a\.csv:1: the tasks need review; the columns are Id, Review; 'Review' differs",
        ),
        ("a.tsv", "id\ttext\nr0\tx\n", r"a\.tsv:1: the tasks need review; the columns are id, text$"),
        ("a.json", '{"review": {"0": "a",\n"1": "b"}}', "neither an array of objects"),
        ("a.csv", "review,review\nx,y\n", r"a\.csv:1: column 'review' appears twice"),
        (
            "a.csv",
            "great film of the year,1\nx,2\n",
            "if the first line is a row, as 'great film of the year' suggests",
        ),
        ("a", "Id,Review\nr0,x\n", "input line 1 looks like the header of a table: .* takes every line for a text"),
        ("a", "id\ttext\nr0\tx\n", "input line 1 looks like the header of a table"),
    ],
)
def test_a_header_without_the_columns_is_refused_before_anything_is_answered(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, content)


def test_plain_text_has_one_record_for_each_line(tmp_path: Path) -> None:
    content = "first\n\nthird has a\rreturn\r\n \u2028\u0085\x0b\nid,review\nlast"
    found = read(tmp_path, "a.txt", content)
    assert [record.texts["sentence"] for record in found] == [
        "first",
        "",
        "third has a\rreturn",
        " \u2028\u0085\x0b",
        "id,review",
        "last",
    ]
    assert [record.line for record in found] == list(range(1, 7))
    assert texts(read(tmp_path, "b.csv", content, "txt"))[-2:] == ["id,review", "last"]


def test_fields_over_several_lines_are_one_record(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", 'review\n"one\nmiddle line\nend"\ntwo words\n')
    assert [(record.id, record.texts["review"]) for record in found] == [(2, "one\nmiddle line\nend"), (5, "two words")]
    found = read(tmp_path, "a.csv", 'id,review\na,"one\nYes, no\nend"\nb,two\n')
    assert [(record.id, record.texts["review"]) for record in found] == [("a", "one\nYes, no\nend"), ("b", "two")]


def test_columns_name_the_record_or_go_with_it(tmp_path: Path) -> None:
    wanted = Wanted(keys=(("review",),), id="key", keep=("stars", "review"))
    (found,) = read(tmp_path, "a.csv", "id,key,stars,review\n1,k,4,x\n", wanted=wanted)
    assert (found.id, found.kept) == ("k", {"stars": "4", "review": "x"})
    (found, lacking) = read(
        tmp_path,
        "a.jsonl",
        '{"key": [1], "stars": {"a": 1}, "review": "x"}\n{"key": 2, "review": "x"}\n',
        wanted=wanted,
    )
    assert (found.id, found.kept["stars"]) == ([1], {"a": 1})
    assert (lacking.id, lacking.error) == (2, "input line 2: no 'stars'")
    with pytest.raises(DataError, match=r"a\.csv:1: there is no column 'key'; the columns are review, stars"):
        read(tmp_path, "a.csv", "review,stars\nx,1\n", wanted=wanted)


def test_what_is_said_of_the_form_counts(tmp_path: Path) -> None:
    layout = Layout(delimiter="|", header=False, columns=("n", "review"))
    assert texts(read(tmp_path, "a.dat", "1|so, so\n2|no\n", "csv", layout=layout)) == ["so, so", "no"]
    layout = Layout(encoding="cp1252")
    assert texts(read(tmp_path, "a.csv", "review\ncafé\n".encode("cp1252"), layout=layout)) == ["café"]
    assert texts(read(tmp_path, "a.txt", "café\n".encode("cp1252"), layout=layout)) == ["café"]
    assert texts(read(tmp_path, "a.tsv", 'n\treview\n1\t"x"\n2\ty\n', layout=Layout(quotes=True))) == ["x", "y"]
    with pytest.raises(DataError, match="input is not utf-16 text"):
        read(tmp_path, "a.txt", b"\xff\xfea", layout=Layout(encoding="utf-16"))


def test_bad_rows_are_records_with_an_error(tmp_path: Path) -> None:
    content = "id,review\na,x\nb\nid,review\nc,\xe9\n".encode("latin-1") + b"d,y\n"
    found = read(tmp_path, "a.csv", content)
    assert [record.error[:40] for record in found] == [
        "",
        "input line 3: 1 fields where the header ",
        "input line 4: repeats the header line",
        "input line 5: not UTF-8 text (byte 0xe9)",
        "",
    ]


def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")

    def write() -> None:
        (tmp_path / "a.csv").write_text('id,review\na,"so, so"\n', encoding="utf-8")

    writer = threading.Thread(target=write)
    writer.start()
    found = list(file_records(tmp_path / "a.csv", "auto", REVIEW, AS_FOUND, lambda line: None))
    writer.join()
    assert [(record.id, record.texts) for record in found] == [("a", {"review": "so, so"})]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("gone.csv", "gone.txt", "gone.json"):
        with pytest.raises(DataError, match=rf"{name}: no such file or directory"):
            list(file_records(tmp_path / name, "auto", REVIEW, AS_FOUND, lambda line: None))


@pytest.mark.parametrize("form", ["auto", "json"])
def test_records_of_an_array_are_numbered_however_its_lines_are_cut(form: str) -> None:
    table = [{"review": "a"}, {"review": "b"}, {"review": 1}, {"id": "x", "review": "c"}]
    for indent in (None, 1):
        found = list(read_records(json.dumps(table, indent=indent).splitlines(keepends=True), form, REVIEW))
        assert [(record.id, bool(record.error)) for record in found] == [
            (1, False),
            (2, False),
            (3, True),
            ("x", False),
        ]


def test_a_text_whose_only_line_ends_are_carriage_returns_is_named(tmp_path: Path) -> None:
    (tmp_path / "mac.txt").write_bytes(b"one\rtwo\r")
    said: list[str] = []
    (found,) = file_records(tmp_path / "mac.txt", "auto", REVIEW, AS_FOUND, said.append)
    assert found.texts == {"sentence": "one\rtwo\r"}
    assert said == [
        f"{tmp_path / 'mac.txt'}: only a line feed ends a line; the file has carriage returns alone, and is one text"
    ]


@pytest.mark.parametrize("form", ["auto", "json"])
def test_an_array_of_standard_input_may_be_one_long_line(form: str) -> None:
    found = list(read_records([json.dumps(ROWS)], form, REVIEW))
    assert [record.id for record in found] == ["r0", "r1", "r2", "r3"]
    assert next(read_records(["[last] words\n"], "auto")).texts == {"sentence": "[last] words"}
