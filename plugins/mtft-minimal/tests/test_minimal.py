"""The conformance suite is all the test that a plugin made of ready parts needs."""

from __future__ import annotations

from pathlib import Path

from mtft_minimal import ANSWER, SOURCE, mtft_tasks

from mtft.testing.conformance import assert_task_conforms, check_plugin


def test_conforms_on_a_file(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        path = tmp_path / f"ids-minimal-{split}.csv"
        path.write_text("sentence,answer\nDoes tea grow on bushes?,yes\nIs glass a metal?,no\n", encoding="utf-8")
    (task,) = mtft_tasks()
    assert_task_conforms(task, tmp_path)
    assert [example.target for example in SOURCE.reader("train", tmp_path)] == [1.0, 0.0]
    assert check_plugin("mtft_minimal", tmp_path) == []


def test_reads_yes_and_no() -> None:
    assert ANSWER.parse("yes") == 1.0
