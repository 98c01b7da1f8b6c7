"""`mtft experiment`: what is made, skipped, kept and refused; two at once, stopped and gone on with, a full disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import MTFT, Done, clean, cli, contents, summary
from small_disks import disk, fill

import mtft
from mtft.commands.experiment import due, sharing
from mtft.config.experiment_plan import read_plan
from mtft.config.schema import ExperimentConfig
from mtft.errors import CheckpointError, ConfigError
from mtft.experiments.expansion import expand
from mtft.experiments.store import Store
from mtft.io.directories import lock_holder
from mtft.runs.records import write_record

Plan = Callable[[str], Path]


@pytest.fixture
def plan(tiny_model: Path, tmp_path: Path) -> Plan:
    """Write a plan of runs that take a second each."""

    def write(text: str) -> Path:
        file = tmp_path / "plan.toml"
        head = f'[settings]\nsample = true\nbatches = 1\nmodel = "{tiny_model}"\naugment = "none"\nbatch_size = 64\n'
        file.write_text(head + text)
        return file

    return write


def experiment(file: Path, *options: object) -> Done:
    return cli("experiment", file, "--out", file.parent / "out", *options)


def states(done: Done) -> dict[str, str]:
    """Return the state of each run in a table."""
    return dict(line.split()[:2] for line in done.out.splitlines()[1:])


SHORT = 'tasks = ["sts"]\nmax_steps = 2\n'


@pytest.mark.slow
def test_runs_are_made_recorded_and_not_made_again(plan: Plan, tmp_path: Path) -> None:
    file = plan(
        f"""
        [runs.both]
        tasks = ["sst", "sts"]
        max_steps = 2
        [runs.kept]
        {SHORT}
        keep_weights = true
        [runs.refined]
        refine = "run:both"
        tasks = ["sts"]
        epochs = 1
        [runs.taught]
        like = "both"
        mask = "run:both"
        teachers = ["run:kept"]
        """
    )
    done = experiment(file, "--jobs", "2", "--threads", "1")
    assert done.code == 0, done.err
    assert states(done) == dict.fromkeys(["both", "kept", "refined", "taught"], "recorded")
    out = tmp_path / "out"
    assert [path.name for path in (out / "runs").iterdir()] == ["kept"]
    assert summary(out / "records/refined")["refined_from"] == "both"
    assert f"teacher {out}/runs/kept: sts" in (out / "logs/taught.log").read_text()
    alone = cli("train", "--config", out / "settings/kept.toml", "--threads", "1", "--out", tmp_path / "alone")
    assert alone.code == 0, alone.err
    assert contents(tmp_path / "alone") == contents(out / "runs/kept")

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = experiment(file)
    assert (again.code, again.out) == (0, done.out)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}

    shutil.rmtree(out / "records/taught")
    shutil.rmtree(out / "runs/kept")
    (out / "logs/both.log").unlink()
    record = contents(out / "records/both")
    only = experiment(file, "--only", "taught")  # made again, with the weights that it needs
    assert only.code == 0, only.err
    assert states(only) == dict.fromkeys(["both", "kept", "taught"], "recorded")
    assert (out / "logs/both.log").exists()
    assert record == contents(out / "records/both")
    assert [path.name for path in (out / "runs").iterdir()] == ["kept"]


@pytest.mark.slow
def test_changed_settings_are_refused_with_the_difference(plan: Plan, tmp_path: Path) -> None:
    text = f'[runs.a]\n{SHORT}[runs.b]\nlike = "a"\nmask = "run:a"\n'
    assert experiment(plan(text)).code == 0
    out = tmp_path / "out"
    done = experiment(plan(f"{text}lr = 1e-3\n"))
    assert done.code == 2
    assert "runs.b: b was made with other settings: lr: 0.0001 -> 0.001; undo the change" in done.err
    assert f"or remove {out}/records/b to make it again" in done.err
    done = experiment(plan(text.replace("max_steps = 2", "max_steps = 3")))
    assert done.code == 2
    assert "runs.a: a was made with other settings: max_steps: 2 -> 3;" in done.err
    shutil.rmtree(out / "records/b")
    shutil.rmtree(out / "settings")
    assert "settings/a.json, which says what it was made with, is missing" in experiment(plan(text)).err


def test_what_cannot_change_the_result_may_change(plan: Plan) -> None:
    text = f"[runs.a]\n{SHORT}"
    assert experiment(plan(text)).code == 0
    assert experiment(plan(f'{text}checkpoint_every = "5m"\nmax_time = "1h"\n'), "--threads", "1").code == 0


@pytest.mark.slow
def test_a_record_that_was_changed_is_refused(plan: Plan, tmp_path: Path) -> None:
    file = plan(f"[runs.a]\n{SHORT}")
    assert experiment(file).code == 0
    path = tmp_path / "out/records/a/predictions/sts.dev.jsonl"
    path.write_text(path.read_text().replace("0", "1"))
    done = experiment(file)
    assert done.code == 2
    assert f"{path}: was changed" in done.err
    assert f"remove {tmp_path}/out/records/a to make the run again" in done.err


@pytest.mark.slow
def test_a_run_that_fails_stops_those_alone_that_need_it(plan: Plan, tmp_path: Path) -> None:
    file = plan(
        f"""
        [runs.bad]
        {SHORT}
        mask = "nothing"
        [runs.lost]
        {SHORT}
        mask = "run:bad"
        [runs.good]
        {SHORT}
        """
    )
    done = experiment(file)
    assert done.code == 1
    assert states(done) == {"bad": "failed", "lost": "skipped", "good": "recorded"}
    assert "mtft: warning: bad: failed with exit code 2: mtft: error: " in done.err
    assert "mtft: warning: lost: skipped, since it needs bad" in done.err
    assert done.err.endswith("mtft: error: 2 of 3 runs failed or were skipped: bad, lost\n")
    result = mtft.experiment(file, out=tmp_path / "out")
    assert result.failed == ("bad", "lost")
    assert [run.record is not None for run in result.runs] == [False, False, True]


def test_a_bad_plan_starts_nothing(plan: Plan, tmp_path: Path) -> None:
    file = plan('[runs.a]\ntasks = "sts"\nneeds = ["b"]\n[runs.b]\ntasks = "sts"\nneeds = ["a"]\n')
    done = experiment(file)
    assert (done.code, done.out) == (2, "")
    assert f"{file}: runs.a: cycle: each of these runs needs the next: a -> b -> a" in done.err
    assert not (tmp_path / "out").exists()
    assert cli("experiment").code == 2
    assert cli("experiment", file, "--baselines", "x").code == 2
    assert "--only: unknown run 'c'" in experiment(plan(f"[runs.a]\n{SHORT}"), "--only", "c").err


@pytest.mark.slow
def test_max_time_stops_a_run_that_goes_on(plan: Plan, tmp_path: Path) -> None:
    text = '[runs.a]\ntasks = ["sts"]\nepochs = 2\nbatch_size = 8\n'
    done = experiment(plan(f'{text}max_time = "0.01s"\n'))
    assert (done.code, states(done)) == (4, {"a": "stopped"}), done.err
    again = experiment(plan(f'{text}max_time = "1h"\n'))
    assert (again.code, states(again)) == (0, {"a": "recorded"}), again.err
    assert "a: goes on" in again.err


@pytest.mark.slow
def test_a_dry_run_lists_runs_in_order_and_writes_nothing(plan: Plan, tmp_path: Path) -> None:
    file = plan(f'[runs.b]\nlike = "a"\nmask = "run:a"\n[runs.a]\n{SHORT}')
    found = {run["name"]: run for run in experiment(file, "--dry-run", "--json").json["runs"]}
    assert list(found) == ["a", "b"]
    for run in found.values():
        assert run["estimate"]["tokens"] > 0
        assert run["estimate"]["seconds"] > 0
        assert run["estimate"]["memory"] > 1 << 20
    assert not (tmp_path / "out").exists()


# ---- stopped, killed, disturbed ------------------------------------------------------------------------------------

LONG = 'tasks = ["sst", "sts"]\nepochs = 2\nbatch_size = 4\ncheckpoint_every = 1\n'


def started(file: Path, *options: object) -> subprocess.Popen[str]:
    command = [*MTFT, "experiment", str(file), "--out", str(file.parent / "out"), *map(str, options)]
    return subprocess.Popen(command, env=clean(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(paths: list[Path], process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not all(path.exists() for path in paths):
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of the runs that nothing stops."""
    folder = tmp_path_factory.mktemp("whole")
    given = ("--tasks", "sst,sts", "--sample", "--batches", "1", "--augment", "none", "--model", tiny_model, "--quiet")
    more = ("--epochs", "2", "--batch-size", "4", "--threads", "1", "--checkpoint-every", "1")
    for seed, name in enumerate("ab"):
        run = folder / "runs" / name
        assert cli("train", *given, *more, "--seed", seed, "--out", run).code == 0
        write_record(run, folder / name, {"name": name, "entry": name})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_is_stopped_goes_on_to_the_same_bits(
    number: signal.Signals, code: int, plan: Plan, whole: Path, tmp_path: Path
) -> None:
    """Two runs at once."""
    file = plan(f"[runs.a]\n{LONG}[runs.b]\n{LONG}seed = 1\n")
    options = ("--jobs", "2", "--threads", "1")
    out = tmp_path / "out"
    with started(file, *options) as process:
        wait_for([out / "runs/a/state", out / "runs/b/state"], process)
        process.send_signal(number)
        assert process.wait(120) == code
    limit = time.monotonic() + 60
    while any(lock_holder(out / "runs" / name) for name in "ab") and time.monotonic() < limit:
        time.sleep(0.05)  # after a kill the runs save by themselves
    assert not (out / "records").exists()
    done = experiment(file, *options)
    assert (done.code, states(done)) == (0, {"a": "recorded", "b": "recorded"}), done.err
    assert "a: goes on" in done.err
    for name in "ab":
        assert contents(out / "records" / name) == contents(whole / name)


@pytest.mark.slow
def test_of_two_experiments_in_one_directory_the_second_is_refused(plan: Plan, tmp_path: Path) -> None:
    file = plan(f"[runs.a]\n{LONG}")
    with started(file) as process:
        wait_for([tmp_path / "out/runs/a/state"], process)
        done = experiment(file)
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert done.code == 2
    assert f"{tmp_path}/out: in use by another process ({process.pid})" in done.err


@pytest.mark.slow
def test_a_disk_that_fills_loses_nothing(plan: Plan, tmp_path: Path) -> None:
    """Full before the start, the disk is named and nothing starts; full in the middle, the run goes on afterwards."""
    file = plan(f"[runs.a]\n{LONG}[runs.b]\n{SHORT}")
    with disk(tmp_path / "out", "3m") as place:
        junk = fill(place)
        done = experiment(file)
        assert done.code == 2
        assert f"--out: {place} has " in done.err
        junk.unlink()
        with started(file, "--only", "a") as process:
            wait_for([place / "runs/a/state"], process)
            junk = fill(place)
            assert process.wait(120) == 1
            assert process.stderr is not None
            assert "a: failed with exit code 1: mtft: error: no space left on device" in process.stderr.read()
        junk.unlink()
        again = experiment(file)
        assert (again.code, states(again)) == (0, {"a": "recorded", "b": "recorded"}), again.err
        assert "a: goes on" in again.err
        assert cli("verify", place / "records/a").code == 0


# ---- baselines -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_task_is_trained_alone_with_the_settings_of_the_union(tiny_model: Path, tmp_path: Path) -> None:
    given = ("--sample", "--batches", "1", "--epochs", "1", "--model", tiny_model, "--dev-split", "half", "--quiet")
    both = tmp_path / "both"
    done = cli(
        "train", "--tasks", "sst,sts", *given, "--lr", "0.01", "--seed", "5", "--best", "sts.pearson", "--out", both
    )
    assert done.code == 0, done.err
    found = cli("experiment", "--baselines", both, "--threads", "1", "--json")
    result = found.json
    assert [run["name"] for run in result["runs"]] == ["sst.s5", "sts.s5"]
    alone = mtft.train(
        tasks="sts",
        sample=True,
        batches=1,
        epochs=1,
        model=str(tiny_model),
        dev_split="half",
        lr=0.01,
        seed=5,
        out=tmp_path / "sts",
    )
    records = tmp_path / "both-baselines/records"
    assert summary(records / "sts.s5")["dev"]["sts"] == alone.dev["sts"]
    comparison = mtft.compare(
        {"apart": [records / "sst.s5", records / "sts.s5"], "together": both}, half="report", seeds=True
    )
    assert result["comparison"]["columns"][1]["scores"] == comparison.columns[1].scores
    for sentence, (task, difference) in zip(result["advice"], comparison.columns[1].differences.items(), strict=True):
        words = {1: "the union helped", 0: "no difference beyond noise", -1: "better apart"}
        assert sentence.startswith(f"{task}: ")
        assert words[difference.side] in sentence


def test_runs_without_a_fair_budget_have_no_baselines(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert "was stopped by max_steps" in cli("experiment", "--baselines", trained_run).err
    assert "no such run directory" in cli("experiment", "--baselines", tmp_path / "gone").err
    assert "is given twice" in cli("experiment", "--baselines", f"{trained_run},{trained_run}").err


# ---- small parts ---------------------------------------------------------------------------------------------------


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtft.commands.experiment.usable_cores", lambda: list(range(8)))

    def shared(runs: int, **settings: Any) -> tuple[int, int]:
        return sharing(ExperimentConfig(**settings), runs)

    assert shared(9) == (1, 8)
    assert shared(9, jobs=4) == (4, 2)
    assert shared(2, jobs=4) == (4, 4)
    assert shared(9, jobs="auto") == (8, 1)
    assert shared(3, jobs="auto") == (3, 2)
    assert shared(9, jobs="auto", threads=3) == (2, 3)
    assert shared(0, jobs="auto") == (1, 8)
    assert shared(1, jobs=16, threads=16) == (16, 16)


@pytest.mark.parametrize("jobs", ["0", "-1", "all", "1.5", ""])
def test_jobs_are_a_number_or_auto(jobs: str, tmp_path: Path) -> None:
    done = cli("experiment", tmp_path / "plan.toml", "--jobs", jobs)
    assert done.code == 2
    assert "--jobs" in done.err


def test_what_only_waits_for_a_run_does_not_need_its_weights(tmp_path: Path, trained_run: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        '[runs.a]\ntasks = "sst"\n[runs.b]\ntasks = "sst"\nneeds = ["a"]\n[runs.c]\ntasks = "sst"\nmask = "run:a"\n'
    )
    runs, store = expand(read_plan(file), file), Store(tmp_path / "out")
    assert [run.name for run in due(runs, runs, store)] == ["a", "b", "c"]
    assert [run.name for run in due(runs, runs[1:2], store)] == ["a", "b"]
    write_record(trained_run, store.record("a"), {})
    assert [run.name for run in due(runs, runs[1:2], store)] == ["b"]
    assert [run.name for run in due(runs, runs, store)] == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="give either a plan or finished runs"):
        mtft.experiment()
    (store.record("a") / "summary.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"summary\.json: was truncated or replaced"):
        store.recorded("a")
