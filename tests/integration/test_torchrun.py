"""What commands do in the processes that the real ``torchrun`` starts: together as one does alone."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster import SECONDS, finished, free_port, started, torchrun, wait_until, worker
from commands import ROOT, Done, cli, contents, records, shell

from mtft.data.dataset import sample_dir
from mtft.selection.mask import load_mask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, and loopback by its name"),
]

LONG = (
    "train",
    "--tasks",
    "sst,sts",
    "--sample",
    "--batches",
    "2",
    "--epochs",
    "4",
    "--batch-size",
    "64",
    "--checkpoint-every",
    "3",
)
SHORT = (
    "train",
    "--tasks",
    "sst,quora,sts",
    "--sample",
    "--batches",
    "2",
    "--max-steps",
    "6",
    "--batch-size",
    "64",
    "--dropout",
    "0",
    "--head-dropout",
    "0",
    "--max-length",
    "32",
    "--lr",
    "0.003",
    "--threads",
    "1",
)
TAUGHT = (*SHORT, "--head-epochs", "1", "--augment", "none")
TEXTS = (
    '{"id": "a", "sentence": "A joy."}\n{"sentence1": "one two", "sentence2": "three"}\n'
    '{"sentence": "dull", "sentence1": "x", "sentence2": "y z"}\n{"id": 4, "sentence": "Fine, if long"}\n'
    '{"sentence": "last"}\n'
)
FAILS: dict[str, tuple[int, str]] = {
    "bad line": (2, "input line 3: not JSON"),
    "option": (2, "no such option"),
    "there already": (2, "exists; choose another or give --overwrite"),
    "refine": (2, "mtft refine trains one small head at a time, in one process: start it without torchrun"),
    "no data": (2, "nowhere is not a directory"),
    "gate": (3, "sst.accuracy is"),
}
"""Commands that fail: their exit code, and what is said, once."""


def small_data(directory: Path) -> Path:
    """Write few rows: two of sst and one of dev, so that some processes have nothing, and batches lack a task."""
    directory.mkdir()
    for name, rows in {"ids-sst-train.csv": 2, "ids-sst-dev.csv": 1, "sts-train.csv": 5, "sts-dev.csv": 2}.items():
        lines = (sample_dir() / name).read_text().splitlines(keepends=True)
        (directory / name).write_text("".join(lines[: rows + 1]))
    return directory


def steps(model: Path, here: Path, size: int = 1) -> dict[str, dict[str, Any]]:
    """All that each group of processes runs, by name; what two processes train is long enough to be killed."""
    epochs = () if size == 2 else ("--epochs", "1")
    data = small_data(here / "small")
    few = [
        "--model",
        str(model),
        "--augment",
        "none",
        "--batch-size",
        "3",
        "--epochs",
        "2",
        "--dropout",
        "0",
        "--head-dropout",
        "0",
        "--max-length",
        "32",
    ]
    found: dict[str, list[str]] = {
        "long": [*LONG, *epochs, "--model", str(model), "--out", "long"],
        "again": [*LONG, *epochs, "--model", str(model), "--out", "again", "--json"],
        "alike": [*SHORT, "--model", str(model), "--out", "alike", "--json"],
        "taught": [*TAUGHT, "--teachers", "alike", "--model", str(model), "--out", "taught"],
        "select": ["select", "--tasks", "sst,sts", "--sample", "--model", str(model), "--out", "alike.safetensors"],
        "eval": ["eval", "alike", "--sample", "--json"],
        "uneven": ["train", "--tasks", "sst,sts", "--data-dir", str(data), *few, "--out", "uneven", "--json"],
        "uneven eval": ["eval", "uneven", "--data-dir", str(data), "--resamples", "0", "--json"],
        "predict": ["predict", "alike", "--batch-size", "2"],
        "bad line": ["predict", "alike", "--batch-size", "1"],
        "tasks": ["tasks"],
        "report": ["report", "alike", "--examples", "0"],
        "dry run": [*SHORT, "--model", str(model), "--dry-run", "--quiet"],
        "help": ["train", "--help"],
        "option": ["train", "--nonsense"],
        "there already": [*SHORT, "--model", str(model), "--out", "alike"],
        "refine": ["refine", "alike", "--tasks", "sst", "--sample"],
        "no data": ["train", "--tasks", "sst", "--data-dir", "nowhere", "--model", str(model)],
        "gate": ["eval", "alike", "--sample", "--fail-under", "sst.accuracy=1"],
    }
    inputs = {"predict": TEXTS, "bad line": '{"sentence": "a"}\n{"sentence": "b"}\nno\n'}
    return {name: {"args": args, "stdin": inputs.get(name, "")} for name, args in found.items()}


class Ran:
    """What the commands did in each of several processes, by name, and where."""

    def __init__(self, size: int, model: Path, here: Path) -> None:
        self.size, self.here = size, here
        plan = steps(model, here, size)
        (here / "plan.json").write_text(json.dumps(list(plan.values())))
        done = torchrun(ROOT / "tests" / "command_sequence.py", here / "plan.json", here, size=size, cwd=here)
        assert done.code == 0, done.err
        self.by_rank: list[dict[str, Done]] = []
        for rank in range(size):
            found = json.loads((here / f"{rank}.json").read_text())
            self.by_rank.append({name: Done(**each) for name, each in zip(plan, found, strict=True)})

    def first(self, name: str) -> Done:
        """Return what the first process did, once it is sure that the others did as well and said nothing."""
        first, *others = (ran[name] for ran in self.by_rank)
        assert first.code == 0, first.err
        assert [other for other in others if other != Done(0, "", "")] == []
        return first


@pytest.fixture(scope="module", params=[2, 3])
def ran(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(request.param, tiny_model, tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process's run, selection and scores."""
    here = tmp_path_factory.mktemp("alone")
    done = cli(*SHORT, "--model", tiny_model, "--out", here / "alike")
    assert done.code == 0, done.err
    done = cli(*TAUGHT, "--teachers", here / "alike", "--model", tiny_model, "--out", here / "taught")
    assert done.code == 0, done.err
    for name in ("select", "uneven"):
        arguments = steps(tiny_model, here / name)[name]["args"] if (here / name).mkdir() is None else []
        arguments[arguments.index("--out") + 1] = here / name / "out"
        done = cli(*arguments)
        assert done.code == 0, done.err
    return here


def close(found: Any, expected: Any) -> None:
    """Compare numbers in nested values, NaN (null) with NaN."""
    if isinstance(expected, Mapping):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            close(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for mine, value in zip(found, expected, strict=True):
            close(mine, value)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=2e-3, abs=2e-4)
    else:
        assert found == expected


def test_a_training_is_that_of_one_process(ran: Ran, alone: Path) -> None:
    for name in ("steps", "metrics"):
        close(records(ran.here / "alike" / f"{name}.jsonl"), records(alone / "alike" / f"{name}.jsonl"))
    for path in (alone / "alike" / "predictions").glob("*.jsonl"):
        close(records(ran.here / "alike" / "predictions" / path.name), records(path))


def test_heads_that_begin_alone_and_teachers_are_those_of_one_process(ran: Ran, alone: Path) -> None:
    assert "teacher alike: sst, quora, sts" in ran.first("taught").err
    for name in ("steps", "metrics"):
        close(records(ran.here / "taught" / f"{name}.jsonl"), records(alone / "taught" / f"{name}.jsonl"))


def test_a_selection_is_that_of_one_process(ran: Ran, alone: Path) -> None:
    found, expected = load_mask(ran.here / "alike.safetensors"), load_mask(alone / "select" / "out")
    assert ran.first("select").code == 0
    assert len(found.indices) == len(expected.indices)
    assert len(np.setdiff1d(found.indices, expected.indices)) <= len(expected.indices) // 1000


def test_scores_are_those_of_one_process(ran: Ran) -> None:
    close(ran.first("eval").json, cli("eval", ran.here / "alike", "--sample", "--json").json)


def test_predictions_are_those_of_one_process_in_order(ran: Ran) -> None:
    close(ran.first("predict").lines, cli("predict", ran.here / "alike", stdin=TEXTS).lines)


def test_a_repeated_training_has_the_same_bytes(ran: Ran) -> None:
    assert "best epoch" in ran.first("long").err
    assert ran.first("again").json["epochs"] == (4 if ran.size == 2 else 1)
    found, expected = contents(ran.here / "again"), contents(ran.here / "long")
    assert found == expected


def test_few_rows_are_shared_too(ran: Ran, alone: Path) -> None:
    """Two rows of sst for up to three processes, absent from some batches; one row of dev."""
    close(records(ran.here / "uneven" / "steps.jsonl"), records(alone / "uneven" / "out" / "steps.jsonl"))
    assert {len(record["losses"]) for record in records(ran.here / "uneven" / "steps.jsonl")} == {1, 2}
    assert ran.first("uneven eval").json["tasks"]["sst"]["n"] == 1


@pytest.mark.parametrize("name", ["tasks", "report", "dry run", "help"])
def test_what_is_not_shared_is_done_once(ran: Ran, name: str) -> None:
    assert ran.first(name).out
    if name == "report":
        assert (ran.here / "alike" / "report.html").is_file()


@pytest.mark.parametrize("name", FAILS)
def test_an_error_is_reported_once(ran: Ran, name: str) -> None:
    code, text = FAILS[name]
    found = [each[name] for each in ran.by_rank]
    assert "".join(done.err for done in found).count("mtft: error:") == 1
    assert any(done.code == code and text in done.err for done in found)
    assert "".join(done.out for done in found[1:]) == ""


def logged(run: Path) -> int:
    """Return the number of steps that a run has logged."""
    path = run / "steps.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def kill(agent: subprocess.Popen[str], attempt: int, rank: int, run: Path, least: int) -> None:
    """Kill one of the processes of an attempt (0 or, after a restart, 1) when the run has logged so many steps."""
    wait_until(lambda: worker(agent.pid, rank, attempt) is not None and logged(run) >= least, agent)
    found = worker(agent.pid, rank, attempt)
    assert found is not None
    os.kill(found, signal.SIGKILL)


def test_a_killed_process_ends_all_and_the_run_goes_on(ran: Ran, tiny_model: Path, tmp_path: Path) -> None:
    """The first kill is followed by a restart from the last checkpoint, the second by an end, then by --resume."""
    if ran.size != 2:
        pytest.skip("once is enough")
    run = tmp_path / "long"
    command = ("-m", "mtft", *LONG, "--model", tiny_model, "--threads", "1", "--out", run)
    options = (
        "--standalone",
        "--max-restarts",
        1,
        "--monitor-interval",
        3,
    )  # a lost process is noticed by others first
    process = started(*command, options=options)
    kill(process, 0, 1, run, 5)
    kill(process, 1, 0, run, 20)
    done = finished(process)
    assert done.code == 1
    assert "going on after step" in done.err
    assert done.err.count("mtft: error: another process of this run is lost (") == 2
    assert not (run / "summary.json").exists()
    resumed = torchrun("-m", "mtft", "train", "--resume", run)
    assert resumed.code == 0, resumed.err
    assert resumed.err.count("going on after step") == 1
    found, expected = contents(run), contents(ran.here / "long")
    assert {name for name in expected if found.get(name) != expected[name]} <= {"settings"}
    assert found.keys() == expected.keys()


def test_a_process_without_data_ends_all(tiny_model: Path, tmp_path: Path) -> None:
    """Of two machines, one has no data: each process sees another directory."""
    (tmp_path / "data1").mkdir()
    (tmp_path / "data0").symlink_to(sample_dir())
    script = f'MTFT_DATA_DIR={tmp_path}/data$RANK exec {sys.executable} -m mtft "$@"'
    done = torchrun(
        "--no-python",
        "bash",
        "-c",
        script,
        "mtft",
        "train",
        "--tasks",
        "sst,sts",
        "--model",
        tiny_model,
        "--out",
        tmp_path / "run",
    )
    assert done.code == 1
    assert done.err.count("mtft: error:") == 1
    assert f"mtft: error: sst: {tmp_path}/data1/ids-sst-train.csv: no such file" in done.err
    assert not (tmp_path / "run").exists()


def test_two_agents_stand_for_two_machines(tiny_model: Path, tmp_path: Path) -> None:
    """The script of the example: of the two processes, one prints."""
    script = ROOT / "examples" / "many-processes" / "two-agents.sh"
    command = map(str, ("timeout", SECONDS, "bash", script, *SHORT, "--model", tiny_model, "--out", tmp_path / "run"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = shell(
        shlex.join([*command, "--json"]),
        PATH=path,
        GLOO_SOCKET_IFNAME="lo",
        CUDA_VISIBLE_DEVICES="",
        PORT=str(free_port()),
    )
    assert done.json["epochs"] == 1
    assert logged(tmp_path / "run") == 6
