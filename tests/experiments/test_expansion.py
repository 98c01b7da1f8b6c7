"""A plan becomes runs: inheritance, seeds, variations, needs and order; what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.config.experiment_plan import read_plan
from mtft.config.schema import RefineConfig, TrainConfig
from mtft.errors import ConfigError
from mtft.experiments.expansion import PlannedRun, chosen, expand


def runs_of(text: str, folder: Path) -> dict[str, PlannedRun]:
    file = folder / "plan.toml"
    file.write_text(text)
    return {run.name: run for run in expand(read_plan(file), file)}


def problem(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        runs_of(text, folder)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{folder / 'plan.toml'}: ") for line in lines)
    return "\n".join(line.removeprefix(f"{folder / 'plan.toml'}: ") for line in lines)


def test_settings_are_inherited_and_own_ones_win(tmp_path: Path) -> None:
    runs = runs_of(
        """
        [settings]
        lr = 1e-3
        batch-size = 8
        [runs.a]
        tasks = ["sst"]
        epochs = 7
        [runs.b]
        like = "a"
        lr = 2e-3
        [runs.c]
        like = "b"
        batch_size = 4
        """,
        tmp_path,
    )
    configs = {name: run.config for name, run in runs.items()}
    assert [(config.lr, config.batch_size, config.epochs) for config in configs.values()] == [
        (1e-3, 8, 7),
        (2e-3, 8, 7),
        (2e-3, 4, 7),
    ]
    assert all(isinstance(config, TrainConfig) and config.tasks == ("sst",) for config in configs.values())


def test_seeds_and_values_make_one_run_each_seed_by_seed(tmp_path: Path) -> None:
    runs = runs_of(
        """
        seeds = [0, 1]
        [runs.a]
        tasks = "sst"
        vary = { lr = [5e-5, 1e-4], dev_split = ["half", "other-half"] }
        [runs.b]
        tasks = "sst"
        seeds = [7]
        [runs.c]
        tasks = "sst"
        seed = 3
        [runs.d]
        like = "a"
        lr = 1
        """,
        tmp_path,
    )
    names = [f"a.lr-{lr}.dev_split-{half}" for lr in ("5e-05", "0.0001") for half in ("half", "other-half")]
    more = [f"d.dev_split-{half}" for half in ("half", "other-half")]
    assert list(runs) == [f"{name}.s{seed}" for seed in (0, 1) for name in (*names, *more)] + ["b.s7", "c"]
    assert {name: runs[name].config.seed for name in ("b.s7", "c", "d.dev_split-half.s1")} == {
        "b.s7": 7,
        "c": 3,
        "d.dev_split-half.s1": 1,
    }
    assert runs["a.lr-5e-05.dev_split-other-half.s0"].config.lr == 5e-5


def test_runs_named_by_others_come_first_with_the_same_seed(tmp_path: Path) -> None:
    runs = runs_of(
        """
        seeds = [0, 1]
        [runs.taught]
        tasks = ["sst", "sts"]
        mask = "run:both"
        teachers = ["run:sst", "runs/other"]
        [runs.refined]
        refine = "run:both"
        tasks = ["sts"]
        needs = ["taught"]
        keep_weights = true
        [runs.both]
        tasks = ["sst", "sts"]
        [runs.sst]
        tasks = ["sst"]
        """,
        tmp_path,
    )
    assert list(runs) == [f"{name}.s{seed}" for seed in (0, 1) for name in ("both", "sst", "taught", "refined")]
    taught, refined = runs["taught.s1"], runs["refined.s1"]
    assert isinstance(taught.config, TrainConfig)
    assert (taught.command, taught.origin, taught.needs) == ("train", "", ("both.s1", "sst.s1"))
    assert str(taught.config.mask) == "run:both.s1/mask.safetensors"
    assert taught.config.teachers == ("run:sst.s1", "runs/other")
    assert isinstance(refined.config, RefineConfig)
    assert (refined.command, refined.origin, refined.needs) == ("refine", "run:both.s1", ("taught.s1", "both.s1"))
    assert (refined.keep_weights, taught.keep_weights) == (True, False)


def test_a_run_may_be_named_exactly(tmp_path: Path) -> None:
    runs = runs_of(
        '[runs.a]\ntasks = "sst"\nseeds = [0, 1]\n[runs.b]\ntasks = "sst"\nteachers = ["run:a.s0", "run:a.s1"]',
        tmp_path,
    )
    assert runs["b"].needs == ("a.s0", "a.s1")


A = '[runs.a]\ntasks = "sst"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[runs.a]\nlike = "b"\n[runs.b]\nlike = "a"', "runs.a.like: cycle: a -> b -> a"),
        (f'{A}like = "c"', "runs.a.like: unknown run 'c' (allowed: a)"),
        (f'{A}mask = "run:a"', "runs.a: cycle: each of these runs needs the next: a -> a"),
        (
            f'{A}needs = ["b"]\n[runs.b]\ntasks = "sst"\nneeds = ["a"]',
            "runs.a: cycle: each of these runs needs the next: a -> b",
        ),
        (f'{A}needs = ["c"]', "runs.a.needs: unknown run 'c' (allowed: a)"),
        (f'{A}teachers = ["run:aa"]', "runs.a.teachers: unknown run 'aa'; did you mean 'a'?"),
        (
            f'{A}seeds = [0, 1]\n[runs.b]\ntasks = "sst"\nmask = "run:a"',
            "runs.b.mask: 'a' may be a.s0, a.s1; name one of them",
        ),
        (
            f'{A}seeds = [0]\n[runs.b]\ntasks = "sst"\nseeds = [1]\nmask = "run:a"',
            "runs.b.mask: no run of 'a' has the seed and values of b.s1 (there are a.s0)",
        ),
        (f"{A}epoch = 3", "runs.a: unknown key 'epoch'; did you mean 'epochs'?"),
        (f"{A}sseds = [1]", "runs.a: unknown key 'sseds'; did you mean 'seeds'?"),
        (f'{A}refine = "run:a"\nmask = "x"', "runs.a: unknown key 'mask'; did you mean 'task"),
        (f"{A}lr = -1", "runs.a: lr: -1 is not a number > 0"),
        (f"{A}vary = {{ lr = [1, -1] }}", "runs.a: lr: -1 is not a number > 0"),
        ("[runs.a]", "runs.a: tasks: required"),
        (f'{A}out = "x"', "runs.a.out: is the experiment's, not a run's; leave it out and give out"),
        (f"{A}threads = 2", "runs.a.threads: is the experiment's"),
        ('[runs."a/b"]\ntasks = "sst"', "runs.a/b: the name is not letters"),
        (
            f'{A}seeds = [1]\n[runs."a.s1"]\ntasks = "sst"',
            "runs.a.s1: its run a.s1 has the name of a run of a; rename one of them",
        ),
        (f'{A}[runs.A]\ntasks = "sst"', "runs.A: its run A has the name of a run of a; rename one of them"),
        (f"{A}seeds = [1, 1]", "runs.a.seeds: 1 is given twice"),
        (f"{A}seeds = [1]\nseed = 1", "runs.a.seed: the run has seeds; leave one of the two out"),
        (f"{A}vary = {{ seed = [1] }}", "runs.a.vary.seed: write seeds = [...] in the run instead"),
        (f"{A}lr = 1\nvary = {{ lr = [1] }}", "runs.a.vary.lr: the run also sets lr; leave one of the two out"),
        (f"{A}vary = {{ lr = [1, 1.0] }}", "runs.a.vary.lr: 1 is given twice"),
        (f"{A}vary = {{ lr = [] }}", "runs.a.vary.lr: the list is empty"),
        (f'{A}refine = "gone"', "runs.a.refine: gone: no such run directory"),
        (
            f'{A}[runs.b]\ntasks = "sst"\nrefine = "a"',
            "runs.b.refine: a: no such run directory; write run:a for the run",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(text: str, line: str, tmp_path: Path) -> None:
    assert problem(text, tmp_path).startswith(line)


def test_all_faults_are_named_together(tmp_path: Path) -> None:
    text = f'seeds = [0, 1]\n{A}lr = -1\n[runs.b]\ntasks = "sst"\nepochs = 0'
    assert [line.partition(": ")[0] for line in problem(text, tmp_path).splitlines()] == ["runs.a", "runs.b"]


def test_runs_are_chosen_by_their_name_or_that_of_their_entry(tmp_path: Path) -> None:
    runs = list(runs_of(f'seeds = [0, 1]\n{A}[runs.b]\ntasks = "sst"', tmp_path).values())
    assert [run.name for run in chosen(runs, ["b.s1", "a"])] == ["a.s0", "a.s1", "b.s1"]
    assert chosen(runs, []) == runs
    with pytest.raises(ConfigError, match=r"only: unknown run 'c'"):
        chosen(runs, ["c"])


def test_files_of_declared_tasks_lie_beside_the_plan(tmp_path: Path) -> None:
    (tmp_path / "mood.csv").write_text("text,label\nx,a\ny,b\n")
    table = '[runs.a.tasks.mood]\ntrain = "mood.csv"\ndev = 0.5\ntext = "text"\nlabel = "label"\nnames = ["a", "b"]\n'
    run = runs_of(f'[runs.a]\nlr = 1e-3\n{table}kind = "classification"', tmp_path)["a"]
    assert isinstance(run.config, TrainConfig)
    assert run.config.declared["mood"]["train"] == str(tmp_path / "mood.csv")


def test_long_chains_are_plans_or_errors(tmp_path: Path) -> None:
    needs = [f'[runs.a{number}]\ntasks = "sst"\nneeds = ["a{number + 1}"]\n' for number in range(300)]
    runs = runs_of("".join(needs) + '[runs.a300]\ntasks = "sst"', tmp_path)
    assert list(runs) == [f"a{number}" for number in range(300, -1, -1)]
    like = [f'[runs.a{number}]\nlike = "a{number + 1}"\n' for number in range(300)]
    assert "runs.a0.like: leads through more than 100 runs" in problem("".join(like) + "[runs.a300]", tmp_path)
