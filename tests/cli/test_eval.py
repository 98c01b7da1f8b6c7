"""`mtft eval`: what it prints, its gates, and how it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import FEW, ROOT, clamp, cli, reseal, shell, summary

from mtft.testing.tiny import write_tiny_model

FAST = ("--sample", "--resamples", "50")


def test_json(trained_run: Path) -> None:
    result = cli("eval", trained_run, *FAST, "--json").json
    assert list(result) == ["split", "tasks", "failures", "looks"]
    assert (result["split"], list(result["tasks"]), result["failures"]) == ("dev", ["sst", "quora", "sts"], [])
    for task, found in result["tasks"].items():
        assert list(found) == ["n", "metrics", "labels", "confusion", "calibration", "doubt"]
        assert found["n"] == 60
        assert {name: each["value"] for name, each in found["metrics"].items()} == summary(trained_run)["dev"][task]
        for each in found["metrics"].values():
            assert list(each) == ["value", "low", "high", "baseline"]
            assert each["low"] <= each["high"]
    confusion = result["tasks"]["sst"]["confusion"]
    assert (len(confusion), sum(map(sum, confusion))) == (5, 60)
    assert sum(confusion[i][i] for i in range(5)) / 60 == result["tasks"]["sst"]["metrics"]["accuracy"]["value"]
    assert 0 <= result["tasks"]["quora"]["calibration"]["ece"] <= 1
    assert result["tasks"]["sst"]["labels"] == ["0", "1", "2", "3", "4"]
    assert result["tasks"]["sts"]["confusion"] is None
    assert result["tasks"]["sts"]["calibration"] is None


def test_a_model_that_learnt_nothing_says_so(trained_run: Path) -> None:
    done = cli("eval", trained_run, *FAST, "--json")
    for task, found in done.json["tasks"].items():
        truth = found["confusion"]
        if truth:
            share = max(map(sum, truth)) / found["n"]
            assert found["metrics"]["accuracy"]["baseline"] == pytest.approx(share)
        assert found["doubt"] is None or f"mtft: warning: {found['doubt']}" in done.err
        answers = {column for row in truth or [] for column, count in enumerate(row) if count}
        if len(answers) == 1:
            label = found["labels"][answers.pop()]
            assert found["doubt"] == f"{task}: the model answers {label!r} to each of 60 rows"
    assert any(found["doubt"] for found in done.json["tasks"].values())  # two steps teach a tiny model nothing


def test_what_has_no_value_is_null(trained_run: Path) -> None:
    score = cli("eval", trained_run, "--sample", "--tasks", "sts", "--resamples", "0", "--json").json
    assert score["tasks"]["sts"]["metrics"]["pearson"] == {
        "value": summary(trained_run)["dev"]["sts"]["pearson"],
        "low": None,
        "high": None,
        "baseline": 0.0,
    }


def test_a_table_for_people_and_silence_when_asked(trained_run: Path) -> None:
    done = cli("eval", trained_run, *FAST, "--tasks", "quora,sts", "--quiet")
    assert (done.code, done.err) == (0, "")
    header, *rows = (line.split() for line in done.out.splitlines())
    assert header == ["task", "n", "dev", "metric", "value", "low", "high", "baseline"]
    assert [row[:3] for row in rows] == [
        ["quora", "60", "accuracy"],
        ["quora", "60", "f1"],
        ["sts", "60", "pearson"],
        ["sts", "60", "spearman"],
        ["quora", "60", "calibration"],
    ]
    assert " texts cut " in cli("eval", trained_run, *FAST, "--tasks", "sts").err


def test_the_same_seed_gives_the_same_intervals(trained_run: Path) -> None:
    assert cli("eval", trained_run, *FAST).out == cli("eval", trained_run, *FAST).out


def test_gates(trained_run: Path) -> None:
    options = ("eval", trained_run, *FAST, "--quiet")
    accuracy = summary(trained_run)["dev"]["quora"]["accuracy"]
    done = cli(*options, "--fail-under", f"quora.accuracy={accuracy},sts.pearson=-1")
    assert (done.code, done.err) == (0, "")
    done = cli(*options, "--fail-under", "quora.accuracy=0.99", "--fail-under", "sts.pearson=0.98", "--json")
    assert done.code == 3
    assert json.loads(done.out)["failures"] == [
        f"quora.accuracy is {accuracy:.4f}, below 0.99",
        f"sts.pearson is {summary(trained_run)['dev']['sts']['pearson']:.4f}, below 0.98",
    ]
    assert done.err == f"mtft: error: {'; '.join(json.loads(done.out)['failures'])}\n"


def test_a_gate_holds_without_a_reader(trained_run: Path) -> None:
    done = shell(f"mtft eval {trained_run} {' '.join(FAST)} --quiet --fail-under sst.accuracy=0.99 --json >&-")
    assert done.code == 3
    (line,) = done.err.splitlines()
    assert line.startswith("mtft: error: sst.accuracy is ")


def test_a_score_without_a_value_fails_the_gate(trained_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    clamp(run)
    done = cli("eval", run, *FAST, "--fail-under", "sts.pearson=-1", "--json")
    assert done.code == 3
    assert json.loads(done.out)["tasks"]["sts"]["metrics"]["pearson"]["value"] is None
    assert "sts.pearson is nan" in done.err


def test_work_goes_on_when_nobody_reads_its_messages(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Both streams go into a pipe that is closed before the first message."""
    gate = f"mtft eval {trained_run} {' '.join(FAST)} --fail-under sst.accuracy=0.99"
    train = f"mtft train --tasks sst --model {tiny_model} {' '.join(map(str, FEW))} --out {tmp_path / 'run'}"
    done = shell(f"{{ sleep 0.2; {gate}; echo $? >{tmp_path}/gate; {train}; echo $? >{tmp_path}/train; }} 2>&1 | true")
    assert (tmp_path / "gate").read_text() == "3\n", done.err
    assert (tmp_path / "train").read_text() == "0\n"
    assert (tmp_path / "run" / "summary.json").is_file()


def test_a_gate_survives_a_pipe_that_breaks_while_printing(trained_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("mtft.cli.eval.print_json", broken)
    assert cli("eval", trained_run, *FAST, "--json", "--fail-under", "sst.accuracy=0.99").code == 3


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--tasks", "ssst"], ["unknown task of this run 'ssst'; did you mean 'sst'?"]),
        (["--fail-under", "sst.acc=0.5"], ["--fail-under: unknown metric 'sst.acc'", "sst.accuracy"]),
        (["--fail-under", "sts.pearson=0.5", "--tasks", "sst"], ["--fail-under: unknown metric 'sts.pearson'"]),
        (["--fail-under", "sst=0.5"], ["flag --fail-under: 'sst' is not task.metric"]),
        (["--fail-under", "sst.f1=high"], ["flag --fail-under: ", "sts.pearson=0.8"]),
        (["--split", "tset"], ["--split: 'tset' is not one of dev, test, train; did you mean 'test'?"]),
        (["--split", "test"], ["sst: ", "ids-sst-test.csv: no such file"]),
        (["--no-sample", "--data-dir", "/no/such"], ["--data-dir: /no/such is not a directory"]),
        (["--resamples", "-1"], ["flag --resamples"]),
        (["--model", "/no/such"], ["its base model was not found"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named(options: list[str], parts: list[str], trained_run: Path) -> None:
    done = cli("eval", trained_run, "--sample", *options)
    assert (done.code, done.out) == (2, "")
    for part in parts:
        assert part.lower() in done.err.lower()


def test_the_test_split(trained_run: Path, tmp_path: Path) -> None:
    """The test files have the columns of the dev files: the same rows score the same."""
    for path in (ROOT / "mtft" / "sample").glob("*-dev.csv"):
        shutil.copy(path, tmp_path / path.name.replace("-dev", "-test"))
    run = shutil.copytree(trained_run, tmp_path / "run")  # looks at test are counted in it
    test = cli("eval", run, "--split", "test", "--data-dir", tmp_path, "--resamples", "50", "--json").json
    dev = cli("eval", trained_run, *FAST, "--json").json
    assert (test["split"], test["tasks"]) == ("test", dev["tasks"])


def test_the_base_model_may_have_moved(tiny_model: Path, trained_run: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny_model, tmp_path / "moved")
    run = shutil.copytree(trained_run, tmp_path / "run")
    path = run / "model" / "model.json"
    path.write_text(path.read_text().replace(str(tiny_model), "/no/such/place"))
    reseal(path)
    done = cli("eval", run, *FAST)
    assert done.code == 2
    assert "its base model was not found: /no/such/place: not a directory" in done.err
    assert cli("eval", run, *FAST, "--model", moved).out == cli("eval", trained_run, *FAST).out
    other = write_tiny_model(tmp_path / "other", seed=3)
    done = cli("eval", run, *FAST, "--model", other)
    assert done.code == 2
    assert f"the base model '{other}' ({other}) is not the one this run was trained from" in done.err


def test_no_run_and_a_run_of_the_future(trained_run: Path, tmp_path: Path) -> None:
    done = cli("eval", tmp_path / "gone", "--sample")
    assert done.code == 2
    assert f"{tmp_path}/gone" in done.err
    run = shutil.copytree(trained_run, tmp_path / "run")
    path = run / "model" / "model.json"
    path.write_text(path.read_text().replace('"version": 1,', '"version": 99,', 1))
    done = cli("eval", run, "--sample")
    assert done.code == 2
    assert f"{path}: format version is 99; this mtft reads version 1 only" in done.err


def test_data_are_read_where_the_run_found_them(trained_run: Path, tmp_path: Path) -> None:
    assert (
        cli("eval", trained_run, "--resamples", "0").out == cli("eval", trained_run, "--sample", "--resamples", "0").out
    )
    elsewhere = cli("eval", trained_run, MTFT_DATA_DIR=str(tmp_path))
    assert (elsewhere.code, str(tmp_path) in elsewhere.err) == (2, True)
