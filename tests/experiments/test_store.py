"""Digests of plans, and what enters a run."""

from __future__ import annotations

from pathlib import Path

from mtft.config.experiment_plan import read_plan
from mtft.experiments.command_line import plan_command, run_command
from mtft.experiments.estimates import Estimates
from mtft.experiments.expansion import PlannedRun, expand
from mtft.experiments.store import Store, plan_digests, used

TEXT = """
[runs.a]
tasks = "sst"
[runs.b]
tasks = "sst"
mask = "run:a"
[runs.c]
tasks = "sst"
needs = ["a"]
[runs.d]
refine = "run:b"
tasks = "sst"
"""


def runs_of(text: str, folder: Path) -> list[PlannedRun]:
    file = folder / "plan.toml"
    file.write_text(text)
    return expand(read_plan(file), file)


def digests(text: str, folder: Path) -> dict[str, str]:
    return plan_digests(runs_of(text, folder))


def test_a_change_counts_for_all_runs_that_start_from_it(tmp_path: Path) -> None:
    before = digests(TEXT, tmp_path)
    after = digests(TEXT.replace('tasks = "sst"', 'tasks = "sst"\nlr = 1e-3', 1), tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"a", "b", "d"}


def test_what_cannot_change_a_result_does_not_count(tmp_path: Path) -> None:
    settings = 'checkpoint_every = 5\nmax_time = "1h"\ndata_dir = "x"\ndevice = "cpu"\n'
    assert digests(TEXT, tmp_path) == digests(f"[settings]\n{settings}{TEXT}", tmp_path)
    assert digests(TEXT, tmp_path) != digests(f"[settings]\nmodel = 'x'\n{TEXT}", tmp_path)


def test_what_enters_a_run(tmp_path: Path) -> None:
    assert [used(run) for run in runs_of(TEXT, tmp_path)] == [set(), {"a"}, set(), {"b"}]


def test_command_lines_name_paths_in_the_place_of_runs(tmp_path: Path) -> None:
    runs = {run.name: run for run in runs_of(TEXT, tmp_path)}
    store = Store(tmp_path / "out")
    refine = run_command(runs["d"], store, 2)
    assert refine[3:5] == ["refine", str(tmp_path / "out/runs/b")]
    train = run_command(runs["b"], store, 2)
    assert train[train.index("--mask") + 1] == str(tmp_path / "out/runs/a/mask.safetensors")
    assert train[-4:] == ["--threads", "2", "--out", str(tmp_path / "out/runs/b")]
    (store.run("b")).mkdir(parents=True)
    (store.run("b") / "config.toml").write_text("")
    resumed = run_command(runs["b"], store, 2)
    assert resumed[3:6] == ["train", "--resume", str(store.run("b"))]
    assert "--checkpoint-every" in resumed
    assert plan_command(tmp_path, 3)[3:] == ["plan", "--config", str(tmp_path), "--threads", "3", "--json"]


def test_a_run_that_cannot_be_estimated_says_why(tmp_path: Path) -> None:
    text = f'[runs.a]\ntasks = "sst"\nmodel = "{tmp_path}/gone"\n'
    (run,) = runs_of(text, tmp_path)
    estimate = Estimates([run], 1).of(run)
    assert (estimate.tokens, estimate.memory) == (None, None)
    assert "gone" in estimate.problem
