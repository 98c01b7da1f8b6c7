"""Which process this one is, and which share of the cores it has."""

from __future__ import annotations

import os

import pytest
import torch

from mtft.config.schema import EvalConfig
from mtft.runtime import processes
from mtft.training.choices import resolve_device

NAMES = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "TORCHELASTIC_RESTART_COUNT",
    "TORCHELASTIC_MAX_RESTARTS",
    "OMP_NUM_THREADS",
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def several(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Be process 5 of 8, the second of four on its machine."""
    given = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "1"}
    for name, value in {**given, **changes}.items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_one_is_alone() -> None:
    found = (processes.rank(), processes.size(), processes.local_rank(), processes.local_size())
    assert found == (0, 1, 0, 1)
    assert (processes.restarts(), processes.may_restart(), processes.fair_threads()) == (0, False, None)


def test_what_torchrun_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    several(monkeypatch, TORCHELASTIC_RESTART_COUNT="2", TORCHELASTIC_MAX_RESTARTS="3")
    found = (processes.rank(), processes.size(), processes.local_rank(), processes.local_size())
    assert found == (5, 8, 1, 4)
    assert (processes.restarts(), processes.may_restart()) == (2, True)


@pytest.mark.parametrize("size", ["1", "", "many"])
def test_one_process_that_torchrun_started_is_alone(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    several(monkeypatch, WORLD_SIZE=size)
    assert (processes.rank(), processes.size(), processes.fair_threads()) == (0, 1, None)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are not known by process")
@pytest.mark.parametrize(("cores", "threads"), [(16, 4), (7, 1), (2, 1)])
def test_cores_are_shared_out(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    several(monkeypatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(cores)))
    assert processes.fair_threads() == threads


def test_a_number_of_threads_in_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    several(monkeypatch, OMP_NUM_THREADS="3")
    assert processes.fair_threads() is None


def test_threads_that_are_asked_for_win(monkeypatch: pytest.MonkeyPatch) -> None:
    several(monkeypatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    before = torch.get_num_threads()
    try:
        for threads, expected in ((3, 3), (None, 2)):
            resolve_device(EvalConfig(threads=threads, device="cpu"))
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
