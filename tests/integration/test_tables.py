"""Tables with known content: whatever mtft reads is what was written, or an error, or what its one line says."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soak import cases, counted
from table_files import Written, written

from mtft.data.audit.split_reader import read_split
from mtft.data.declared_reader import DeclaredReader, SplitColumn
from mtft.data.dialect import AS_FOUND, Dialect, Layout
from mtft.data.readers import open_file, read_rows
from mtft.data.record_files import file_records
from mtft.data.sniff import find_dialect
from mtft.data.storage import Stored
from mtft.data.stream_records import Wanted
from mtft.errors import DataError
from mtft.outputs import Categorical

every = settings(deadline=None, max_examples=cases(), suppress_health_check=list(HealthCheck))


def reported(table: Written, found: Dialect) -> bool:
    """Tell whether the line about a file says that its quotes were taken otherwise than they were meant."""
    meant = table.quoting != "none"
    return found.quotes_seen and found.quotes != meant and "quotes" in found.describe()


@pytest.mark.soak
def test_a_table_is_read_as_it_was_written_or_refused_or_reported() -> None:
    read = 0
    with counted("tables of known content: read as written, refused, or reported", "cases") as tried:

        @every
        @given(written())
        def check(table: Written) -> None:
            nonlocal read
            tried.one()
            with tempfile.TemporaryDirectory() as folder:
                path = table.write(Path(folder))
                refused = ""
                try:
                    rows = [row for _, row in read_rows(path)]
                    dialect, _ = open_file(path)
                except DataError as error:
                    refused = str(error)
                assert not refused or refused.startswith(f"{path}:")
                if refused:
                    return
                assert table.again is None or not table.rows or len(table.names) == 1 or reported(table, dialect)
                same = rows == table.records
                read += same
                assert same or reported(table, dialect) or (table.again is not None and len(table.names) == 1)

        check()
    assert read > tried.count / 3


@pytest.mark.soak
def test_a_table_whose_form_is_said_is_read_as_it_was_written() -> None:
    with counted("tables of known content whose form is given: read as written", "cases") as tried:

        @every
        @given(written(), st.booleans())
        def check(table: Written, headed: bool) -> None:
            tried.one()
            if table.suffix in (".json", ".jsonl"):
                layout = AS_FOUND
            else:
                table = replace(table, headed=headed or not table.rows)
                columns = () if table.headed else table.names
                layout = Layout(table.delimiter, table.quoting != "none", table.headed, columns)
            if table.again is not None:
                return
            with tempfile.TemporaryDirectory() as folder:
                found = [row for _, row in read_rows(table.write(Path(folder)), layout)]
            assert found == table.records

        check()


@pytest.mark.soak
def test_predict_answers_each_record_that_was_written() -> None:
    compared: list[int] = []
    with counted("predict: one record for each that was written, with its texts", "cases") as tried:

        @every
        @given(written())
        def check(table: Written) -> None:
            tried.one()
            wanted = Wanted(keys=((table.names[0],),), id=table.names[-1], keep=table.names[:1])
            with tempfile.TemporaryDirectory() as folder:
                path = table.write(Path(folder))
                refused = ""
                try:
                    records = list(file_records(path, "auto", wanted, AS_FOUND, lambda line: None))
                    dialect, _ = open_file(path)
                except DataError as error:
                    refused = str(error)
            assert not refused or refused.startswith(f"{path}:")
            if refused:
                return
            if any(record.error for record in records) or reported(table, dialect) or table.again is not None:
                return
            found = [(record.id, record.texts, record.kept) for record in records]
            first = table.names[0]
            assert found == [
                (record[table.names[-1]], {first: record[first]}, {first: record[first]}) for record in table.records
            ]
            compared.append(len(found))

        check()
    assert len(compared) > tried.count / 5


@pytest.mark.soak
def test_examples_of_several_files_have_the_texts_and_labels_that_were_written() -> None:
    compared: list[int] = []
    with counted("tables of known content: examples of several files have their texts and labels", "cases") as tried:

        @every
        @given(written(), st.integers(0, 12), st.sampled_from(["", "no", "-1", "0,5"]))
        def check(table: Written, cut: int, none: str) -> None:
            tried.one()
            label, text = table.names[-1], table.names[0]
            labels = sorted({record[label].strip() for record in table.records} - {"", none})
            if len(table.names) < 2 or len(labels) < 2 or table.again is not None:
                return
            output = Categorical(tuple(labels))
            missing = (none,) if none else ()
            parts = [replace(table, rows=table.rows[:cut]), replace(table, rows=table.rows[cut:])]
            with tempfile.TemporaryDirectory() as folder:
                files = []
                for number, part in enumerate(parts):
                    (Path(folder) / str(number)).mkdir()
                    files.append(part.write(Path(folder) / str(number)))
                dialects = [find_dialect(Stored(path)) for path in files]
                reader = DeclaredReader((("train", ("*/table*",)),), (text,), label, output, missing=missing)
                found = read_split("x", "train", reader, Path(folder), 1)
            if found.problems or any(reported(part, each) for part, each in zip(parts, dialects, strict=True)):
                return
            expected = [
                ((record[text],), None if record[label].strip() in ("", none) else output.parse(record[label].strip()))
                for record in table.records
            ]
            assert [(row.texts, row.target) for row in found.examples] == expected
            compared.append(len(expected))

        check()
    assert len(compared) > tried.count / 10


@pytest.mark.soak
def test_a_column_that_tells_splits_parts_the_rows_as_they_were_written() -> None:
    compared: list[int] = []
    column = SplitColumn("part", (("learn", "train"), ("held", "dev"), ("", "")))
    with counted("tables of known content: a column of splits parts their rows", "cases") as tried:

        @every
        @given(written(), st.lists(st.sampled_from(["learn", "held", ""]), min_size=12, max_size=12))
        def check(table: Written, parts: list[str]) -> None:
            tried.one()
            label, text = table.names[-1], table.names[0]
            labels = sorted({record[label].strip() for record in table.records} - {""})
            if len(table.names) < 2 or len(labels) < 2 or table.again is not None:
                return
            rows = tuple((*row, part) for row, part in zip(table.rows, parts, strict=False))
            table = replace(table, names=(*table.names, "part"), rows=rows)
            output = Categorical(tuple(labels))
            with tempfile.TemporaryDirectory() as folder:
                path = table.write(Path(folder))
                reader = DeclaredReader((("train", (path.name,)),), (text,), label, output, column=column)
                found = {split: read_split("x", split, reader, Path(folder), 1) for split in ("train", "dev")}
                if any(own.problems for own in found.values()) or reported(table, find_dialect(Stored(path))):
                    return
            for word, split in (("learn", "train"), ("held", "dev")):
                own = [record for record in table.records if record["part"] == word]
                names = [each[label].strip() for each in own]
                targets = [output.parse(name) if name else None for name in names]
                expected = [((each[text],), target) for each, target in zip(own, targets, strict=True)]
                assert [(row.texts, row.target) for row in found[split].examples] == expected
            compared.append(len(rows))

        check()
    assert len(compared) > tried.count / 10
