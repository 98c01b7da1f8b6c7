"""Plans of experiments: what is read, and what is refused with file and key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mtft.config.experiment_plan import checked_plan, entry_keys, read_plan, value_text
from mtft.errors import ConfigError


def test_keys_of_the_plan_and_settings_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        'seeds = [0, 3]\n[settings]\nlr = 1e-4\n[runs.a]\nlike = "b"\nbatch-size = 8\n[runs.b]\ntasks = "sst"\n'
    )
    plan = read_plan(file)
    assert plan.seeds == (0, 3)
    assert plan.settings == {"lr": Decimal("1e-4")}
    assert (plan.runs["a"].like, plan.runs["a"].settings) == ("b", {"batch_size": 8})
    assert (plan.runs["b"].like, plan.runs["b"].needs, plan.runs["b"].keep_weights) == (None, (), False)
    assert set(entry_keys()) == {"like", "refine", "needs", "seeds", "vary", "keep_weights"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "runs: required; a table [runs.NAME] for each run"),
        ("[runs]", "runs: {} is not a list with at least one value"),
        ("[run.a]\n[runs.b]", "unknown key 'run'; did you mean 'runs'?"),
        ("runs = 3", "runs: 3 is not a table"),
        ("[runs]\na = 3", "runs.a: 3 is not a table"),
        ("[runs.a]\nlike = 3", "runs.a.like: 3 is not text"),
        ("[runs.a]\nseeds = 3", "runs.a.seeds: 3 is not a list"),
        ("[runs.a]\nseeds = []", "runs.a.seeds: [] is not a list with at least one value"),
        ("[runs.a]\nseeds = [true]", "runs.a.seeds.0: true is not a whole number"),
        ('[runs.a]\nneeds = "b"', "runs.a.needs: 'b' is not a list"),
        ("[runs.a]\nvary = { lr = 3 }", "runs.a.vary.lr: 3 is not a list"),
        ('[runs.a]\nkeep_weights = "yes"', "runs.a.keep_weights: 'yes' is not true or false"),
        ("seeds = [1.5]\n[runs.a]", "seeds.0: 1.5 is not a whole number"),
        ("[runs.a", "not TOML"),
    ],
)
def test_a_wrong_plan_is_refused_with_file_and_key(text: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_plan(file)
    assert str(caught.value).startswith(f"{file}: {line}")
    assert caught.value.exit_code == 2


def test_a_plan_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*gone.toml: no such file"):
        read_plan(tmp_path / "gone.toml")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["runs", "seeds", "settings", *entry_keys(), "lr"]) | st.text(max_size=5)


@given(st.dictionaries(keys, values | st.dictionaries(keys, values | st.dictionaries(keys, values))))
def test_any_table_is_a_plan_or_an_error_that_names_the_file(table: dict[str, Any]) -> None:
    text, runs = "", {}
    try:
        runs = dict(checked_plan(table, "plan.toml").runs)
    except ConfigError as error:
        text = str(error)
    assert bool(runs) != text.startswith("plan.toml: ")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (3, "3"), (Decimal("1e-4"), "0.0001"), (5e-5, "5e-05"), ("half", "half"), (["a", 1], "a-1")],
)
def test_values_as_text(value: object, text: str) -> None:
    assert value_text(value) == text


def test_the_written_form_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    table = {"seeds": [1], "runs": {"a": {"tasks": ["sst"], "vary": {"lr": [0.1, 0.2]}, "keep_weights": True}}}
    file.write_text(tomli_w.dumps(table))
    assert read_plan(file).runs["a"].vary == {"lr": [Decimal("0.1"), Decimal("0.2")]}
