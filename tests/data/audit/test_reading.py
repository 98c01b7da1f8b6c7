"""One pass over a file gives the rows of a whole scan, and what is asked for afterwards is what the scan holds."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.audit.reading import open_reading
from mtft.data.audit.scan import scan_file
from mtft.errors import DataError

pieces = st.lists(
    st.sampled_from(['"', '""', ",", "\t", "\n", "\r\n", "a", "b,c", "é", '"x\ny"', '"p,q\nr,s"\n', "1,2\n"]),
    max_size=20,
).map("".join)


@settings(max_examples=80, deadline=None)
@given(pieces, st.sampled_from(["plain", "mark", "gzip", "utf-16"]), st.sampled_from([".csv", ".jsonl", ".json"]))
def test_a_reading_has_what_a_scan_has(
    tmp_path_factory: pytest.TempPathFactory, body: str, how: str, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("reading") / f"x{suffix}"
    text = "a,b\n" + body if suffix == ".csv" else body + '{"a": "x", "c": 1}\n{"b": null}\n'
    data = text.encode("utf-16" if how == "utf-16" else "utf-8")
    path.write_bytes(gzip.compress(data) if how == "gzip" else codecs.BOM_UTF8 + data if how == "mark" else data)
    scan, reading = scan_file(path), open_reading(path)
    rows = list(reading.all_rows())
    shift = 3 if how == "mark" and scan.as_stored else 0  # a scan counts the mark
    assert [(row.line, row.lines, row.begin + shift, row.end + shift, row.fields, row.trouble) for row in rows] == [
        (row.line, row.lines, row.begin, row.end, row.fields, row.trouble) for row in scan.rows
    ]
    assert (reading.rows, reading.lines, reading.trouble) == (len(scan.rows), scan.lines, scan.trouble)
    good = [row for row in scan.rows if not row.trouble]
    assert reading.readable == len(good)
    assert list(reading.keys) == (
        list(dict.fromkeys(key for row in good for key in row.fields)) if not scan.names else []
    )
    several = [(row.line, scan.data[row.begin : row.end]) for row in good if row.lines > 1]
    assert list(reading.rows_of_several_lines()) == several
    for row, known in zip(rows, scan.rows, strict=True):
        assert reading.beginning(row.begin, 5) == scan.data[known.begin : known.begin + 5]


def test_a_file_that_breaks_on_the_way_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"a": "1,5", "n": number}) + "\n" for number in range(50_000)), encoding="utf-8")
    reading = open_reading(path)
    rows = reading.all_rows()
    next(rows)
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed)
    reading = open_reading(path)
    path.write_bytes(packed[: len(packed) // 2])  # it breaks after it was looked at
    assert len(list(reading.all_rows())) > 0
    assert reading.trouble is not None
    assert reading.trouble.check == "encoding"
    assert "a damaged gzip file" in reading.trouble.text
    assert (reading.rows, reading.lines, reading.readable) == (0, 0, 0)


def test_a_file_that_is_gone_afterwards_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,2\n"x\ny",3\n', encoding="utf-8")
    reading = open_reading(path)
    assert len(list(reading.all_rows())) == 2
    path.unlink()
    with pytest.raises(DataError, match=r"x\.csv: no such file or directory"):
        list(reading.rows_of_several_lines())
