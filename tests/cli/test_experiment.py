"""What `mtft experiment` prints; tests/commands/test_experiment.py has what it does."""

from __future__ import annotations

from pathlib import Path

from commands import cli


def test_help_names_plans_baselines_and_exit_codes() -> None:
    text = cli("experiment", "--help").out
    for word in ("PLAN.toml", "--baselines", "--jobs", "--dry-run", "--only", "Exit codes:"):
        assert word in text


def test_a_plan_that_is_missing_or_wrong_is_an_error_of_usage(tmp_path: Path) -> None:
    done = cli("experiment", tmp_path / "gone.toml")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"mtft: error: cannot read {tmp_path / 'gone.toml'}: no such file or directory\n"
    file = tmp_path / "plan.toml"
    file.write_text('[runs.a]\ntasks = "sst"\nepoch = 3\n[runs.b]\nlike = "c"\n')
    assert cli("experiment", file).err.splitlines()[0].startswith(f"mtft: error: {file}: runs.b.like: unknown run 'c'")
