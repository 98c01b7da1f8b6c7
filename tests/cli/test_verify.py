"""`mtft verify`: every kind of damage in every file of a real run is found and the file named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from commands import FEW, clean, cli, digests, reseal
from safetensors.torch import load_file, save_file
from soak import counted

from mtft.testing.tiny import write_tiny_model

FILES = (
    "config.toml",
    "environment.json",
    "mask.safetensors",
    "summary.json",
    "digests.json",
    "steps.jsonl",
    "metrics.jsonl",
    "conflicts.jsonl",
    "times.jsonl",
    "model/model.json",
    "model/mask.safetensors",
    "model/encoder.safetensors",
    "model/heads.safetensors",
    "model/probe.safetensors",
    "model/digests.json",
    "state/position.json",
    "state/tensors.safetensors",
    "state/digests.json",
    "predictions/sst.dev.jsonl",
    "predictions/digests.json",
)


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained_run, tmp_path / "run")


def flip(path: Path, _: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def truncate(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def swap(path: Path, other: Path) -> None:
    shutil.copy(other, path)


def remove(path: Path, _: Path) -> None:
    path.unlink()


@pytest.fixture(scope="module")
def other_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with another seed."""
    path = tmp_path_factory.mktemp("other") / "run"
    given = ("train", "--tasks", "sst,quora,sts", *FEW, "--seed", "7", "--model", tiny_model, "--out", path)
    with mock.patch("sys.argv", ["mtft", *map(str, given)]):  # in environment.json, if it was made in the same second
        assert cli(*given).code == 0
    return path


def test_a_sound_run_passes_and_says_what_was_checked(trained_run: Path, tiny_model: Path) -> None:
    before = digests(trained_run)
    found = cli("verify", trained_run, "--json").json
    assert (found["ok"], found["finished"], found["problems"], found["notes"]) == (True, True, [], [])
    assert (found["kind"], found["probe"], found["base"]) == ("run", "the same bits", str(tiny_model))
    assert found["files"] == len(before) - 1  # all but the list itself
    assert digests(trained_run) == before
    done = cli("verify", trained_run)
    assert done.out == ""
    assert done.err.endswith(f"are as written; probe: the same bits; base model: {tiny_model}\n")


@pytest.mark.soak
@pytest.mark.parametrize("damage", [flip, truncate, swap, remove])
def test_each_damage_in_each_file_is_named(damage: Callable[[Path, Path], None], run: Path, other_run: Path) -> None:
    with counted("a truncated, flipped, swapped or missing file of a run is named", "faults") as tried:
        for name in FILES:
            before = (run / name).read_bytes()
            if damage is swap and (other_run / name).read_bytes() == before:
                continue  # model.json has no number that a seed changes
            damage(run / name, other_run / name)
            assert before != ((run / name).read_bytes() if (run / name).exists() else None), name
            done = cli("verify", run)
            assert done.code == 2, name
            named = [line.split("  ")[0] for line in done.out.splitlines()]
            assert name in named, done.out
            (run / name).write_bytes(before)
            tried.one()
    assert cli("verify", run).code == 0


@pytest.mark.soak
@pytest.mark.parametrize(
    "name", ["stray.bin", "model/extra.safetensors", "predictions/nli.dev.jsonl", "state/x", "folder/"]
)
def test_a_foreign_file_is_named(name: str, run: Path) -> None:
    with counted("a file that is none of the run is named", "faults") as tried:
        if name.endswith("/"):
            (run / name).mkdir()
        else:
            (run / name).write_bytes(b"?")
        done = cli("verify", run)
        assert done.code == 2
        assert [name.strip("/"), "is", "not"] == done.out.splitlines()[-1].split()[:3]
        tried.one()


def test_a_link_is_named(run: Path, tmp_path: Path) -> None:
    (run / "summary.json").rename(tmp_path / "elsewhere.json")
    (run / "summary.json").symlink_to(tmp_path / "elsewhere.json")
    done = cli("verify", run)
    assert done.code == 2
    assert "summary.json  is a link" in done.out


@pytest.mark.parametrize("part", ["model", "state", "predictions"])
def test_a_whole_part_of_another_run_is_found(part: str, run: Path, other_run: Path) -> None:
    shutil.rmtree(run / part)
    shutil.copytree(other_run / part, run / part)
    done = cli("verify", run)
    assert done.code == 2
    assert f"{part}/digests.json" in done.out


def test_a_part_put_back_from_another_run_with_new_digests_fails_the_probe(run: Path) -> None:
    heads = load_file(run / "model/heads.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in heads.items()}, run / "model/heads.safetensors")
    reseal(run / "model/heads.safetensors")
    reseal(run / "config.toml")
    done = cli("verify", run)
    assert done.code == 2
    assert "model/probe.safetensors  the model gives other outputs for sst, quora, sts (off by " in done.out


def test_a_report_in_the_run_is_no_foreign_file(run: Path) -> None:
    assert cli("report", run, "--resamples", "2", "--quiet").code == 0
    assert cli("verify", run).code == 0


def test_a_base_model_that_is_gone_is_a_note_and_another_one_a_problem(
    run: Path, tiny_model: Path, tmp_path: Path
) -> None:
    path = run / "model" / "model.json"
    path.write_text(path.read_text().replace(str(tiny_model), "/no/such/place"))
    reseal(path)
    found = cli("verify", run, "--json")
    assert found.code == 2  # the list of the run knows that the model was changed
    shutil.copy(path, tmp_path / "edited.json")
    reseal(run / "config.toml")
    other = write_tiny_model(tmp_path / "other", seed=3)
    done = cli("verify", run, "--model", other)
    assert done.code == 2
    assert "model  " in done.out
    assert "is not the one this run was trained from" in done.out
    assert cli("verify", run, "--model", tmp_path / "nothing").code == 2


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert "no such run directory" in cli("verify", tmp_path / "nothing").err
    done = cli("verify", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "not an mtft run (no digests.json, config.toml or environment.json)" in done.err


def test_a_mask_file_is_checked_too(trained_run: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.safetensors"
    shutil.copy(trained_run / "mask.safetensors", mask)
    assert cli("verify", mask, "--json").json["kind"] == "mask"
    flip(mask, mask)
    done = cli("verify", mask)
    assert done.code == 2
    assert str(mask) in done.err


def test_a_run_in_use_is_not_judged(run: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from mtft.io.directories import DirectoryLock\n"
        "lock = DirectoryLock(Path(sys.argv[1])); print(1, flush=True); input(); lock.release()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(run)], env=clean(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = cli("verify", run)
        assert done.code == 2
        assert f"in use by another process ({process.pid}); its files may change" in done.err
        process.communicate(b"\n")
    assert cli("verify", run).code == 0
