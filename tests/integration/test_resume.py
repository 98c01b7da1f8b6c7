"""Resuming a run: what may change, what is refused, and the clock."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from commands import FEW, Done, cli, contents
from crashes import TRAIN, forked

from mtft.config.load import FORMER, dump
from mtft.config.schema import TrainConfig
from mtft.data.dataset import sample_dir
from mtft.io import toml_parser
from mtft.runs import run_directory
from mtft.runs.fingerprints import LOCATION, MAY_CHANGE, settings_digest
from mtft.testing.tiny import write_tiny_model


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_else_training_keeps_survives_a_kill(tiny_model: Path, here: Path) -> None:
    train = (
        *TRAIN,
        "--average",
        "ema:0.9",
        "--sampling",
        "annealed",
        "--loss-scale",
        "log",
        "--task-weights",
        "sst=2",
        "--train-share",
        "0.9",
        "--dev-split",
        "half",
        "--model",
        tiny_model,
    )
    code, operations = forked((*train, "--out", "whole"))
    assert code == 0
    assert forked((*train, "--out", "killed"), die_at=operations // 2)[0] is None
    assert (here / "killed/state").exists()
    assert cli("train", "--resume", "killed").code == 0
    found, expected = contents(here / "killed"), contents(here / "whole")
    assert [name for name in expected if found.get(name) != expected[name]] == []


def test_a_run_from_before_epsilon_was_a_setting_goes_on_with_its_own(
    tiny_model: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the rule of the handout too it was 1e-8 then; new runs have another, which is no reason to change it."""
    train = (*TRAIN, "--optimizer-rule", "cs224n", "--eps", "1e-8", "--model", tiny_model)
    code, operations = forked((*train, "--out", "whole"))
    assert code == 0
    with monkeypatch.context() as patch:
        patch.setattr(run_directory, "dump", partial(dump, exclude={"eps"}))
        assert forked((*train, "--out", "killed"), die_at=operations // 2)[0] is None
    assert (here / "killed/state").exists()
    assert "\neps" not in (here / "killed/config.toml").read_text(encoding="utf-8")
    done = cli("train", "--resume", "killed", "--eps", "1e-6")
    assert (done.code, "--resume: --eps: 1e-08 -> 1e-06: cannot change" in done.err) == (2, True)
    assert cli("train", "--resume", "killed").code == 0
    found, expected = contents(here / "killed"), contents(here / "whole")
    assert [name for name in expected if found.get(name) != expected[name]] == []


def test_a_state_from_before_some_settings_were_there_fits_its_run() -> None:
    config = TrainConfig(tasks=("sst",))
    text = dump(config, exclude={*MAY_CHANGE, *LOCATION, *FORMER} & {*TrainConfig.settings()})
    assert settings_digest(config) == hashlib.sha256(text.encode()).hexdigest()
    assert settings_digest(config) != settings_digest(config.model_copy(update={"eps": 1e-6}))


@pytest.fixture(scope="module")
def stopped_once(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("stopped") / "run"
    code, operations = forked((*TRAIN, "--model", tiny_model, "--out", run.with_name("whole")))
    assert code == 0
    assert forked((*TRAIN, "--model", tiny_model, "--out", run), die_at=operations // 2)[0] is None
    return run


@pytest.fixture
def stopped(stopped_once: Path, here: Path) -> Path:
    """A run that was killed half-way."""
    run = shutil.copytree(stopped_once, here / "run")
    assert (run / "state").exists()
    assert not (run / "summary.json").exists()
    return run


def test_a_finished_run_stays_as_it_is_and_says_so(tiny_model: Path, here: Path) -> None:
    first = cli("train", "--tasks", "sts", "--model", tiny_model, *FEW, "--out", "run", "--json")
    before = contents(here / "run")
    (here / "run" / ".lock").write_text("1\n")  # it was killed when all was done
    again = cli("train", "--resume", "run", "--json")
    assert again.json == first.json
    assert "run has finished: nothing is left to do" in again.err
    assert contents(here / "run") == before


def test_a_finished_run_goes_on_with_more_epochs(tiny_model: Path, here: Path) -> None:
    given = (
        "train",
        "--tasks",
        "sts",
        "--model",
        tiny_model,
        "--sample",
        "--batches",
        "2",
        "--schedule",
        "constant",
        "--warmup",
        "0",
    )
    assert cli(*given, "--epochs", "1", "--out", "run").code == 0
    done = cli("train", "--resume", "run", "--epochs", "2")
    assert "resuming with --epochs: 1 -> 2" in done.err
    assert cli(*given, "--epochs", "2", "--out", "whole").code == 0
    assert contents(here / "run") == contents(here / "whole")


def test_what_cannot_change_is_refused_by_name(stopped: Path) -> None:
    before = contents(stopped)
    done = cli("train", "--resume", stopped, "--batch-size", "32", "--lr", "1", "--epochs", "4")
    assert done.code == 2
    assert "--resume: --lr: 0.0001 -> 1.0: cannot change (may change: " in done.err
    assert "--resume: --batch-size: 128 -> 32: cannot change" in done.err
    assert contents(stopped) == before


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize(
    ("file", "what"), [("sts-train.csv", "the data of sts"), ("sts-dev.csv", "the dev data of sts")]
)
def test_other_data_are_refused_by_name(file: str, what: str, saved: bool, tiny_model: Path, here: Path) -> None:
    """Also after the selection, before training has saved anything."""
    shutil.copytree(sample_dir(), here / "data")
    options = [option for option in TRAIN if option != "--sample"]
    given = (*options, "--data-dir", "data", "--model", tiny_model, "--out", "run")
    assert cli(*given, "--max-time", "0.001s").code == 4
    if not saved:
        shutil.rmtree(here / "run" / "state")
    before = contents(here / "run")
    rows = (here / "data" / file).read_text(encoding="utf-8").splitlines(keepends=True)
    (here / "data" / file).write_text("".join(rows[:-1]), encoding="utf-8")
    done = cli("train", "--resume", "run", "--max-time", "1h")
    assert done.code == 2
    assert f"--resume: run: {what}" in done.err
    assert "differ from those that it started with" in done.err
    assert contents(here / "run") == before
    (here / "data" / file).write_text("".join(rows), encoding="utf-8")
    assert cli("train", "--resume", "run", "--max-time", "1h").code == 0


@pytest.mark.parametrize(
    "name", ["state/tensors.safetensors", "state/position.json", "config.toml", "mask.safetensors"]
)
def test_a_damaged_file_is_named(name: str, stopped: Path) -> None:
    (stopped / name).write_bytes(b"\x00\x01")
    done = cli("train", "--resume", stopped)
    assert done.code == 2
    assert Path(name).name in done.err


@pytest.mark.parametrize("part", ["model", "state", "predictions"])
def test_a_crash_between_two_renames_loses_nothing(part: str, stopped: Path, tiny_model: Path, here: Path) -> None:
    """The former part has another name then: it is read all the same, and a resume puts it back."""
    (stopped / part).rename(stopped / f".{part}.old")
    shutil.copytree(stopped / f".{part}.old", stopped / f".{part}.new")
    assert cli("verify", stopped).code == 0
    assert cli("eval", stopped, "--sample").code == 0
    assert cli("train", "--resume", stopped).code == 0
    assert cli(*TRAIN, "--model", tiny_model, "--out", here / "whole").code == 0
    assert contents(stopped) == contents(here / "whole")


def test_what_is_no_run_is_refused(here: Path) -> None:
    done = cli("train", "--resume", "nothing")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "mtft: error: --resume: nothing is not an mtft run (no config.toml)",
    )
    done = cli("train", "--resume", "nothing", "--preset", "report")
    assert done.code == 2
    assert "leave --config and --preset out" in done.err


def test_time_that_is_over_saves_and_stops(tiny_model: Path, here: Path) -> None:
    done = cli(*TRAIN, "--model", tiny_model, "--out", "run", "--max-time", "0.001s")
    assert done.code == 4
    assert "stopped by --max-time after step 1; go on with mtft train --resume run" in done.err
    assert cli("train", "--resume", "run", "--max-time", "1h").code == 0
    assert cli(*TRAIN, "--model", tiny_model, "--out", "whole").code == 0
    found, expected = contents(here / "run"), contents(here / "whole")
    assert found.pop("settings") != expected.pop("settings")  # --max-time
    assert found == expected


def test_steps_that_break_are_skipped_named_and_counted(
    tiny_model: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that is infinite for one row of the data breaks one step of each epoch."""
    import torch

    from mtft.training import preparation

    whole = preparation.training_source

    def broken(*args: object, **options: object) -> object:
        source = whole(*args, **options)  # type: ignore[arg-type]
        targets = source.targets.clone()
        targets[7] = torch.inf
        return type(source)(**{**vars(source), "targets": targets})

    monkeypatch.setattr(preparation, "training_source", broken)
    given = ("train", "--tasks", "sts", "--model", tiny_model, "--sample", "--score", "random", "--batch-size", "64")
    done: Done = cli(*given, "--epochs", "2", "--out", "run")
    assert done.code == 0, done.err
    assert done.err.count("warning: step ") == 2
    assert "the loss of task 'sts' is inf (examples sts " in done.err
    skipped = [json.loads(line) for line in (here / "run" / "steps.jsonl").read_text().splitlines()]
    assert sum("skipped" in record for record in skipped) == 2
    done = cli(*given, "--epochs", "9", "--max-bad-steps", "1", "--out", "other")
    assert done.code == 1
    assert "--max-bad-steps allows 1 such steps; go on with mtft train --resume other" in done.err
    assert cli("eval", "other", "--sample").code == 0


REFINE = ("--tasks", "sts", "--sample", "--epochs", "2", "--lr", "1e-3", "--feature-cache", "off")


def test_only_the_command_that_made_a_run_goes_on_with_it(stopped: Path, trained_run: Path, here: Path) -> None:
    refined = here / "refined"
    assert cli("refine", trained_run, *REFINE, "--out", refined, "--max-time", "0.001s").code == 4
    before = contents(refined), contents(stopped)
    for command, run, right in (("train", refined, "refine"), ("refine", stopped, "train")):
        done = cli(command, "--resume", run)
        assert done.code == 2
        assert f"{run} was made by mtft {right}, not mtft {command}; go on with mtft {right} --resume" in done.err
    assert (contents(refined), contents(stopped)) == before
    assert cli("refine", "--resume", refined, "--max-time", "1h").code == 0
    assert "was made by mtft refine" in cli("train", "--resume", refined).err
    assert "was made by mtft train" in cli("refine", "--resume", trained_run).err


def test_a_refinement_of_a_run_that_was_trained_anew_is_refused(tiny_model: Path, here: Path) -> None:
    train = ("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", "run")
    assert cli(*train).code == 0
    assert cli("refine", "run", *REFINE, "--out", "refined", "--max-time", "0.001s").code == 4
    assert cli(*train, "--seed", "1", "--overwrite").code == 0
    done = cli("refine", "--resume", "refined")
    assert done.code == 2
    assert "the weights of the run that is refined differ from those that it started with" in done.err
    assert cli(*train, "--overwrite").code == 0  # the same run again
    assert cli("refine", "--resume", "refined", "--max-time", "1h").code == 0


@pytest.mark.parametrize("command", [("select",), ("train", "--head-epochs", "1")], ids=lambda command: command[0])
def test_other_pretrained_weights_are_refused(command: tuple[str, ...], tiny_model: Path, here: Path) -> None:
    other = write_tiny_model(here / "other", seed=1)
    given = (*command, "--tasks", "sts", "--sample", "--batches", "4", "--batch-size", "16", "--model", tiny_model)
    assert cli(*given, "--out", "it", "--max-time", "0.001s").code == 4
    done = cli(command[0], "--resume", "it", "--model", other)
    assert done.code == 2
    assert "the pretrained weights differ from those that it started with" in done.err
    assert cli(command[0], "--resume", "it", "--model", tiny_model, "--max-time", "1h").code == 0


def test_a_selection_that_was_stopped_is_not_thrown_away(tiny_model: Path, here: Path) -> None:
    given = ("select", "--tasks", "sts", "--sample", "--batches", "4", "--batch-size", "16", "--model", tiny_model)
    assert cli(*given, "--out", "mask", "--max-time", "0.001s").code == 4
    before = contents(here / "mask.part")
    done = cli(*given, "--out", "mask")
    assert done.code == 2
    assert "--out: mask is unfinished; go on with mtft select --resume mask, or give --overwrite" in done.err
    assert contents(here / "mask.part") == before
    assert cli(*given, "--out", "mask", "--overwrite").code == 0
    assert not (here / "mask.part").exists()


def test_what_says_nothing_to_a_run_that_goes_on_is_refused(stopped: Path) -> None:
    before = contents(stopped)
    for options, said in (
        (("--out", "elsewhere"), "stays where it is; leave --out out"),
        (("--set", "out=elsewhere"), "stays where it is; leave --out out"),
        (("--dry-run",), "--dry-run plans a new run; leave --resume out"),
        (("--max-memory", "1G"), "--max-memory: null -> 1073741824: cannot change"),
    ):
        done = cli("train", "--resume", stopped, *options)
        assert done.code == 2
        assert said in done.err
    assert contents(stopped) == before


def test_a_run_goes_on_from_within(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stopped)
    assert cli("train", "--resume", ".").code == 0
    done = cli(*TRAIN, "--out", ".", "--overwrite")
    assert done.code == 2
    assert "--out: . is or holds the working directory; it is not replaced" in done.err
    assert cli("train", "--resume", "/").code == 2


def test_a_run_behind_a_link_is_replaced_there(tiny_model: Path, here: Path) -> None:
    (here / "disk").mkdir()
    (here / "link").symlink_to(here / "disk" / "run")
    for _ in range(3):
        done = cli("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", "link", "--overwrite")
        assert done.code == 0, done.err
    assert (here / "link").is_symlink()
    assert [path.name for path in (here / "disk").iterdir()] == ["run"]
    assert sorted(path.name for path in here.iterdir()) == ["disk", "link"]


def test_a_loop_of_links_is_no_place(tiny_model: Path, here: Path) -> None:
    (here / "loop").symlink_to(here / "loop")
    done = cli("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", "loop")
    assert done.code == 2
    assert "--out: loop cannot be" in done.err


def test_processes_started_anew_keep_the_micro_batches_that_fit(tiny_model: Path, here: Path) -> None:
    large = ("--batches", 1, "--batch-size", 2048, "--micro-batch-tokens", 65536)
    given: tuple[object, ...]
    given = ("--tasks", "sst,quora,sts", "--sample", *large, "--checkpoint-every", 1, "--model", tiny_model)
    memory = cli("plan", *given, "--json").json["memory_bytes"]
    given = ("train", *given, "--max-memory", memory["train"] - (memory["train"] - memory["load"]) // 2, "--out", "run")
    assert cli(*given, "--max-time", "0.001s").code == 4
    before = toml_parser.loads((here / "run" / "config.toml").read_text())["micro_batch_tokens"]
    assert before < 65536
    assert cli(*given, "--max-time", "1h", TORCHELASTIC_RESTART_COUNT="1").code == 0
    assert toml_parser.loads((here / "run" / "config.toml").read_text())["micro_batch_tokens"] == before
