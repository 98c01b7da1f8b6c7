"""`mtft count-params`: the report's numbers, offline, and how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli, summary

BERT = ("count-params", "--model", "bert-base-uncased", "--tasks", "sst,quora,sts", "--keep", "0.3")


def test_the_numbers_of_the_report() -> None:
    found = cli(*BERT, "--json").json
    assert (found["stored"], found["tunable"]) == (137_839_111, 61_201_543)
    assert found["encoder"] == {"stored": 109_482_240, "tunable": 32_844_672}
    assert found["heads"] == {"sst": 9_456_389, "quora": 9_450_241, "sts": 9_450_241}
    assert found["ratios"] == pytest.approx(
        {
            "stored_to_individuals_with_same_heads": 137_839_111 / (3 * 109_482_240 + 28_356_871),
            "stored_to_bare_encoders": 137_839_111 / (3 * 109_482_240),
            "tunable_to_individuals_with_same_heads": 61_201_543 / (3 * 109_482_240 + 28_356_871),
            "tunable_to_bare_encoders": 61_201_543 / (3 * 109_482_240),
        }
    )


def test_tables_for_people() -> None:
    parts, ratios = cli(*BERT).out.split("\n\n")
    assert [line.split() for line in parts.splitlines()] == [
        ["part", "stored", "tunable"],
        ["encoder", "109,482,240", "32,844,672"],
        ["head", "sst", "9,456,389", "9,456,389"],
        ["head", "quora", "9,450,241", "9,450,241"],
        ["head", "sts", "9,450,241", "9,450,241"],
        ["all", "137,839,111", "61,201,543"],
    ]
    assert ratios.splitlines()[0].startswith("share of 3")
    assert ratios.splitlines()[2].split() == ["bare", "encoders", "42.0%", "18.6%"]


def test_a_run_knows_its_numbers(trained_run: Path) -> None:
    done = cli("count-params", trained_run, "--json")
    assert done.json == summary(trained_run)["parameters"]
    assert done.err == ""
    one = cli("count-params", trained_run, "--tasks", "sts", "--json").json
    assert one["heads"] == {"sts": done.json["heads"]["sts"]}
    assert one["encoder"] == done.json["encoder"]


def test_a_plan_equals_the_run_that_follows_it(trained_run: Path, tiny_model: Path) -> None:
    options = ("--model", tiny_model, "--tasks", "sst,quora,sts", "--keep", "0.3", "--json")
    assert cli("count-params", *options).json == summary(trained_run)["parameters"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ([], ["--tasks: name the tasks to count, or give a run"]),
        (["--tasks", "sstt"], ["unknown task 'sstt'; did you mean 'sst'?"]),
        (["--tasks", "sst", "--model", "/no/such"], ["/no/such: not a directory with config.json"]),
        (["--tasks", "sst", "--keep", "2"], ["flag --keep: "]),
        (["/no/such"], ["/no/such/model: holds no trained model"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named(options: list[str], parts: list[str]) -> None:
    done = cli("count-params", *options)
    assert (done.code, done.out) == (2, "")
    for part in parts:
        assert part.lower() in done.err.lower()


def test_a_run_is_not_asked_what_if(trained_run: Path) -> None:
    done = cli("count-params", trained_run, "--keep", "0.1", "--model", "minilm")
    assert done.code == 2
    assert f"--keep, --model: {trained_run} has its own" in done.err
    done = cli("count-params", trained_run, "--tasks", "stss")
    assert f"{trained_run}: unknown task of this run 'stss'; did you mean 'sts'?" in done.err
