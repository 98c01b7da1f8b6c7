"""Public rows in the course's columns, read by the built-in tasks' own readers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtft.errors import FetchError
from mtft.fetch.catalogue import CATALOGUE, HubFile
from mtft.fetch.conversion import course_table
from mtft.plugin.builtin import mtft_tasks

TASKS = {task.name: task for task in mtft_tasks()}
LABELS = {"sst": st.integers(0, 4), "quora": st.integers(0, 1), "sts": st.floats(0, 5).map(lambda x: round(x, 3))}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


def file_of(name: str) -> HubFile:
    return next(file for file in CATALOGUE[name].hub_files if "-dev" in file.name)


@pytest.mark.parametrize("name", ["sst", "quora", "sts"])
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_task_reads_what_the_dataset_said(name: str, data: st.DataObject, tmp_path: Path) -> None:
    file = file_of(name)
    *texts, label = [theirs for theirs, _ in file.columns]
    row = st.fixed_dictionaries({**dict.fromkeys(texts, TEXT), label: LABELS[name].map(str)})
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    (tmp_path / file.name).write_bytes(course_table(rows, file))
    found = list(TASKS[name].source.reader("dev", tmp_path))
    assert [example.texts for example in found] == [tuple(row[text] for text in texts) for row in rows]
    assert [example.target for example in found] == pytest.approx([float(row[label]) for row in rows], abs=5e-4)
    assert len({example.id for example in found}) == len(rows)


def test_the_columns_are_the_courses() -> None:
    rows = [{"question1": "a\tb", "question2": "c", "label": "1", "idx": "7"}]
    assert course_table(rows, file_of("quora")) == (
        b'\tid\tsentence1\tsentence2\tis_duplicate\n0\tquora-dev-0\t"a\tb"\tc\t1.0\n'
    )


@pytest.mark.parametrize(
    "row", [{"text": "a"}, {"label": "1"}, {"text": "a", "label": ""}, {"text": "a", "label": "-1"}]
)
def test_a_dataset_that_is_not_what_it_was_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(FetchError, match=r"dev\.jsonl: row 1 has no text and label"):
        course_table([row], file_of("sst"))


@pytest.mark.real_data
def test_the_courses_digests_are_those_of_the_real_files(real_data: Path) -> None:
    from mtft.io.digests import tagged_digest

    checked = 0
    for name, data in CATALOGUE.items():
        for file in data.course if name != "quora" else ():  # the files at hand may be a part of Quora
            path = real_data / file.name
            if path.exists():
                assert tagged_digest(path, "sha256") == file.digest
                assert path.stat().st_size == file.size
                checked += 1
    if not checked:
        pytest.skip("no file of the course there")
