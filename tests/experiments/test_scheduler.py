"""Slots, and the last line of a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.experiments.scheduler import Slot, last_line, slots


@pytest.mark.parametrize(
    ("jobs", "threads", "cores", "found"),
    [
        (2, 1, [4, 5], [(4,), (5,)]),
        (2, 2, [0, 1, 2, 3, 4], [(0, 1), (2, 3)]),
        (3, 1, [0, 1], [(), (), ()]),
        (1, 4, [0, 1], [()]),
    ],
)
def test_processes_have_cores_of_their_own_where_these_suffice(
    jobs: int, threads: int, cores: list[int], found: list[tuple[int, ...]]
) -> None:
    assert slots(jobs, threads, cores) == [Slot(each, threads) for each in found]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"one\ntwo\n\n", "two"),
        (b"one\rtwo", "two"),
        (b"", "its log is empty"),
        (b"\xff bad\n", "\ufffd bad"),
        (b"x" * 9000 + b"\nend", "end"),
    ],
)
def test_the_last_line_of_a_log(content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    assert last_line(tmp_path / "log") == line
    assert last_line(tmp_path / "gone") == "its log cannot be read"
