"""Tasks and sources by name, and what keeps a plugin's values out."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtft.data.example import Example
from mtft.errors import ConfigError
from mtft.outputs import Binary, Categorical
from mtft.tasks.registry import Contribution, assemble
from mtft.tasks.task import Source, Task


def no_reader(split: str, data_dir: Path) -> list[Example]:
    return []


OWN = Source("red", no_reader, "single", "package.losses:loss")
RED = Task("red", Binary(), OWN)
MORE = Source("more-red", no_reader, "apart", print, task="red")

wrong: Any = replace
"""`replace` with a value of a type that is refused."""


def named(name: str) -> Task:
    return replace(RED, name=name, source=replace(OWN, name=name))


def fault(*contributions: Contribution) -> str:
    registry, faults = assemble(contributions)
    assert set(faults) == {contributions[-1].owner}, faults
    assert contributions[-1].owner not in registry.owners.values()
    return str(faults[contributions[-1].owner])


def test_finds_tasks_sources_and_owners() -> None:
    registry, faults = assemble([Contribution("a", (RED,), (MORE,)), Contribution("b", (named("blue"),))])
    assert faults == {}
    assert registry.task("red") is RED
    assert registry.sources_for("red") == (MORE,)
    assert registry.sources_for("blue") == ()
    assert [registry.owner(name) for name in ("red", "more-red", "blue")] == ["a", "a", "b"]


def test_of_nothing_is_empty() -> None:
    registry, faults = assemble([])
    assert (dict(registry.tasks), dict(registry.sources), faults) == ({}, {}, {})


def test_cannot_be_changed() -> None:
    registry, _ = assemble([Contribution("a", (RED,))])
    tasks: Any = registry.tasks
    with pytest.raises(TypeError):
        tasks["green"] = RED
    with pytest.raises(dataclasses.FrozenInstanceError):
        registry.tasks = {}  # type: ignore[misc]


def test_unknown_names_come_with_near_matches_and_what_is_absent() -> None:
    registry, _ = assemble([Contribution("a", (RED,))])
    registry = replace(registry, absent=("plugin 'b' failed to load: why",))
    with pytest.raises(ConfigError, match="unknown task 'rad'; did you mean 'red'") as caught:
        registry.task("rad")
    assert str(caught.value).endswith("(allowed: red); plugin 'b' failed to load: why")
    assert caught.value.exit_code == 2
    for look_up in (registry.sources_for, registry.owner):
        with pytest.raises(ConfigError, match="plugin 'b' failed to load"):
            look_up("blue")
    with pytest.raises(ConfigError) as caught:
        registry.task("blue")
    assert caught.value.setting == "tasks"
    assert "no installed plugin gives it, and no settings file declares it in [tasks.blue]" in str(caught.value)


def test_the_first_to_claim_a_name_keeps_it() -> None:
    for late in (
        Contribution("late", (RED,)),
        Contribution("late", (), (replace(MORE, name="red"),)),
        Contribution("late", (replace(named("blue"), source=OWN),)),
    ):
        assert (
            fault(Contribution("early", (RED,)), late) == "plugin 'late' gives 'red', which plugin 'early' gave before"
        )
    assert "gives 'red', which plugin 'a' gave before" in fault(Contribution("a", (RED, RED)))


def test_a_plugin_is_taken_whole_or_not_at_all() -> None:
    registry, faults = assemble([Contribution("a", (RED, named("Bad!"))), Contribution("b", (RED,))])
    assert set(faults) == {"a"}
    assert registry.owner("red") == "b"


def test_sources_may_attach_to_a_task_of_a_later_plugin() -> None:
    registry, faults = assemble([Contribution("a", (), (MORE,)), Contribution("b", (RED,))])
    assert not faults
    assert registry.sources_for("red") == (MORE,)


def test_sources_without_their_task_fall_with_their_plugin_and_free_its_names() -> None:
    orphan = replace(MORE, name="lost", task="rde")
    chain = replace(MORE, name="chain", task="green")
    contributions = [
        Contribution("a", (RED, named("green")), (orphan,)),
        Contribution("b", (RED,)),
        Contribution("c", (), (chain,)),
    ]
    registry, faults = assemble(contributions)
    assert set(faults) == {"a", "c"}
    assert "source 'lost': unknown task 'rde'; did you mean 'red'" in str(faults["a"])
    assert registry.owner("red") == "b"


@pytest.mark.parametrize(
    "name", ["", "Red", "re d", "../red", "red/blue", ".red", "-red", "_red", "red\n", "röt", "all", "none", None, 3]
)
def test_names_that_are_refused(name: str) -> None:
    assert "name" in fault(Contribution("a", (named(name),)))
    assert "name" in fault(Contribution("a", (RED,), (replace(MORE, name=name),)))


class Nameless(Binary):
    def describe(self) -> dict[str, object]:
        return {}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (None, "found NoneType where a Task is needed"),
        (OWN, "found Source where a Task is needed"),
        (wrong(RED, source=RED), "found Task where a Source is needed"),
        (replace(RED, source=replace(OWN, input="apart")), "its own source has the input 'apart'"),
        (replace(RED, source=replace(OWN, task="blue")), "its own source names another task, 'blue'"),
        (wrong(RED, output="binary"), "its output, str, has no method 'parse'"),
        (replace(RED, output=Binary(width=0)), "the width of its output is 0, not 1 or more"),
        (replace(RED, output=Categorical(())), "the width of its output is 0"),
        (replace(RED, output=Nameless()), "its output's description does not give its kind, 'binary'"),
        (replace(RED, metrics=("accurcy",)), "unknown metric 'accurcy'; did you mean 'accuracy'"),
        (replace(RED, output=Binary(metrics=())), "no metrics"),
        (wrong(RED, metrics=7), "not iterable"),
        (replace(RED, head="package.heads"), "head 'package.heads' is neither callable nor a name"),
        (wrong(RED, head=None), "head None is neither"),
    ],
)
def test_tasks_that_are_refused(task: Any, reason: str) -> None:
    assert reason in fault(Contribution("a", (task,)))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (RED, "found Task where a Source is needed"),
        (replace(MORE, task=""), "names no task to attach to"),
        (wrong(MORE, task=["red"]), "task ['red'] is not the name of a task"),
        (replace(MORE, task="blue"), "unknown task 'blue'"),
        (wrong(MORE, input="pairs"), "unknown input 'pairs'; did you mean 'pair'"),
        (wrong(MORE, reader="file.csv"), "reader 'file.csv' cannot be called"),
        (replace(MORE, loss="losses.loss"), "loss 'losses.loss' is neither callable nor a name"),
        *((wrong(MORE, weight=w), "not a positive, finite number") for w in (0, -1, math.inf, math.nan, "1", None)),
    ],
)
def test_sources_that_are_refused(source: Any, reason: str) -> None:
    assert reason in fault(Contribution("a", (RED,), (source,)))
