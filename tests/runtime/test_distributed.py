"""Several processes do together what one does alone: real processes over gloo, on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import ROOT, clean
from hypothesis import given
from hypothesis import strategies as st
from processes import SELECTION, work
from safetensors import safe_open
from torch import Tensor

from mtft.errors import PluginError
from mtft.runtime.distributed import ALONE, Group

Found = tuple[dict[str, Tensor], dict[str, str]]


def start(size: int, out: Path, what: str = "work") -> list[tuple[int, str]]:
    """Run tests/processes.py in `size` processes, as torchrun would; return each one's exit code and stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "processes.py"), str(out), what]
    environment = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(command, env=clean(RANK=str(rank), **environment), stderr=subprocess.PIPE, text=True)
        for rank in range(size)
    ]
    return [(process.wait(120), process.communicate()[1]) for process in started]


def read(path: Path) -> Found:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


@pytest.fixture(scope="module", params=[2, 3])
def processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What each of 2 or 3 processes found."""
    out = tmp_path_factory.mktemp("processes")
    for code, error in start(request.param, out):
        assert code == 0, error
    return [read(out / f"{rank}.safetensors") for rank in range(request.param)]


@pytest.fixture(scope="module")
def alone() -> dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in work(ALONE).items()}


def test_the_result_is_that_of_one_process(processes: list[Found], alone: dict[str, Tensor]) -> None:
    """Compare weights through moments and outputs: AdamW makes a step of a gradient that is zero but for rounding."""
    found = processes[0][0]
    for name, tensor in alone.items():
        if not name.endswith((".theta", "sent")):
            torch.testing.assert_close(found[f"0.0.{name}"], tensor, rtol=1e-4, atol=1e-5)


def test_all_processes_have_the_same_bits(processes: list[Found]) -> None:
    first = processes[0][0]
    for other, _ in processes[1:]:
        assert other.keys() == first.keys()
        assert [name for name in first if not torch.equal(first[name], other[name])] == []


def test_a_repeated_run_has_the_same_bits(processes: list[Found], tmp_path: Path) -> None:
    if len(processes) == 2:
        assert [code for code, _ in start(2, tmp_path)] == [0, 0]
        again = read(tmp_path / "0.safetensors")[0]
        assert [name for name, tensor in processes[0][0].items() if not torch.equal(tensor, again[name])] == []


def test_a_selection_that_goes_on_has_the_same_bits(processes: list[Found]) -> None:
    for found, _ in processes:
        assert torch.equal(found["0.0.resumed"], found["0.0.fisher"])


def test_dropout_is_another_in_each_process(processes: list[Found]) -> None:
    assert not torch.allclose(processes[0][0]["0.2.losses"], work(ALONE, 0.2)["losses"])


def test_a_step_sends_the_gradient_matrix_and_the_heads_once(processes: list[Found], alone: dict[str, Tensor]) -> None:
    heads = {task: alone[f"state.head.{task}.theta"].numel() for task in ("sst", "quora", "sts")}
    numbers = 0
    for losses in alone["losses"]:
        present = [task for task, loss in zip(heads, losses.tolist(), strict=True) if loss]
        numbers += sum(len(SELECTION) + heads[task] + 1 for task in present)
    assert int(processes[0][0]["0.0.sent"]) == 4 * numbers


def test_texts_and_flags_reach_everyone(processes: list[Found]) -> None:
    for _, said in processes:
        assert said["texts"] == "|".join("é" * rank for rank in range(len(processes)))
        assert said["flags"] == str({"none": False, "one": True})


def test_what_the_first_finds_reaches_everyone(processes: list[Found]) -> None:
    for _, said in processes:
        assert said["first"] == str({"rank": 0, "é": [1.5, None]})
        assert said["loaded"] == "[0, 1, 2] [0, 2] [0]"
        assert said["nothing"] == "None"


def test_an_error_of_the_first_is_raised_in_all(tmp_path: Path) -> None:
    for code, error in start(2, tmp_path, "refuse"):
        assert code == 1
        assert "PluginError: refused by process 0" in error


def test_what_must_be_the_same_is_named_where_it_differs(tmp_path: Path) -> None:
    for code, error in start(3, tmp_path, "differ"):
        assert code == 1
        assert "MtftError: process 2 has another settings digest than process 0: 1, not 0" in error


def test_a_lost_process_ends_the_others_with_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (code, error), lost = start(2, tmp_path, "die")
    assert lost[0] == 9
    assert code == 1
    assert "LostError: another process of this run is lost (" in error
    assert "from its last checkpoint with resume" in error


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 7))
def test_shares_are_disjoint_complete_and_nearly_equal(lengths: list[int], size: int) -> None:
    array = np.asarray(lengths, np.int64)
    shares = [Group(rank, size).own(array) for rank in range(size)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(lengths)))
    tokens = [int(array[share].sum()) for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)


def test_alone_nothing_is_sent() -> None:
    tensor = torch.ones(3)
    assert ALONE.sum(tensor) is tensor
    assert (ALONE.texts("a"), ALONE.any(True), ALONE.any(False), ALONE.sent) == (["a"], True, False, 0)
    ALONE.same("thing", "a")
    assert ALONE.on_first(lambda: tensor) is tensor
    assert ALONE.load_on_first(lambda: None) is None
    assert ALONE.load_on_first(lambda: ({"a": tensor}, 1)) == ({"a": tensor}, 1)
    with pytest.raises(PluginError, match="no"):
        ALONE.on_first(refuse)


def refuse() -> None:
    raise PluginError("no")
