"""Bundles: one file that answers as its run does, of known size, and strict about what it holds."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import FEW, cli, digests
from safetensors.torch import load_file

from mtft.errors import CheckpointError
from mtft.io.digests import check_digests
from mtft.plugin.context import new_context
from mtft.predictor import Model
from mtft.runs.bundle import REQUIRED, unpack
from mtft.runs.checkpoint import load_model
from mtft.runs.probe import probe

TEXTS = "A joy.\nNo, not that again.\n"


@pytest.fixture(scope="module")
def bundle(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run as one file; not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "model.mtft"
    done = cli("export", trained_run, "--format", "bundle", "--out", path)
    assert (done.code, done.out) == (0, f"{path}\n"), done.err
    return path


def test_it_holds_the_files_of_the_model_bit_for_bit(bundle: Path, trained_run: Path, tmp_path: Path) -> None:
    unpack(bundle, tmp_path / "model")
    assert digests(tmp_path / "model") == digests(trained_run / "model")
    assert cli("export", trained_run, "--format", "bundle", "--out", tmp_path / "again").code == 0
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_commands_take_it_in_place_of_a_run(bundle: Path, trained_run: Path) -> None:
    options = ("--sample", "--resamples", "20", "--json")
    assert cli("eval", bundle, *options).json == cli("eval", trained_run, *options).json
    ours, theirs = (cli("predict", run, "--tasks", "sst", stdin=TEXTS) for run in (bundle, trained_run))
    assert ours.lines == theirs.lines
    model = Model(bundle, tasks=["sst"])
    assert model.predict(TEXTS.splitlines()) == theirs.lines
    assert cli("count-params", bundle, "--json").json == cli("count-params", trained_run, "--json").json


def test_other_files_are_made_from_it(bundle: Path, trained_run: Path, tmp_path: Path) -> None:
    for run, name in ((bundle, "ours"), (trained_run, "theirs")):
        assert cli("merge", run, "--out", tmp_path / name, "--quiet").code == 0
    assert digests(tmp_path / "ours") == digests(tmp_path / "theirs")
    assert cli("export", bundle, "--format", "bundle", "--out", tmp_path / "copy").code == 0
    assert (tmp_path / "copy").read_bytes() == bundle.read_bytes()


def test_its_size_is_that_of_values_mask_and_heads(bundle: Path, trained_run: Path) -> None:
    manifest = json.loads((trained_run / "model" / "model.json").read_text())
    values = 4 * manifest["selected"]
    mask = (trained_run / "model" / "mask.safetensors").stat().st_size
    heads = 4 * sum(entry["parameters"] for entry in manifest["tasks"])
    assert mask < manifest["total"] / 8 + 2000
    assert 0 < bundle.stat().st_size - (values + mask + heads) < 32 * 1024


def test_a_model_of_rounded_products_is_compared_as_such(tiny_model: Path, tmp_path: Path) -> None:
    given: tuple[object, ...] = (
        "--tasks",
        "sst",
        "--model",
        tiny_model,
        *FEW,
        "--augment",
        "none",
        "--lr",
        "0.02",
        "--keep",
        "1",
    )
    given = (*given, "--precision", "bf16", "--max-steps", "20")
    assert cli("train", *given, "--out", tmp_path / "run").code == 0
    found = cli("verify", tmp_path / "run", "--json").json
    assert (found["probe"], found["problems"]) == ("the same bits", [])
    off = apply_probe(tmp_path / "run/model")
    assert off > 1e-4  # more than float32 may be off by
    done = cli("export", tmp_path / "run", "--out", tmp_path / "m.mtft")
    assert done.code == 0, done.err
    assert cli("verify", tmp_path / "m.mtft", "--json").json["probe"] == "the same bits"
    assert cli("verify", tmp_path / "run", "--precision", "bf16").code == 2  # a run knows its own


def apply_probe(directory: Path) -> float:
    """Return how far outputs at float32 are from those kept."""
    now, kept = probe(load_model(directory, new_context().registry)), load_file(directory / "probe.safetensors")
    return max(float((now[name] - kept[name]).abs().max()) for name in now)


def test_verify_checks_digests_and_runs_the_probe(bundle: Path, tmp_path: Path) -> None:
    found = cli("verify", bundle, "--json").json
    assert (found["kind"], found["probe"], found["problems"]) == ("bundle", "the same bits", [])
    assert found["files"] == len(REQUIRED) + 1
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    done = cli("verify", tmp_path / "damaged")
    assert done.code == 2
    assert str(tmp_path / "damaged") in done.err
    assert "/tmp/mtft-" not in done.err


def test_a_bundle_without_its_base_model_says_so(bundle: Path, tmp_path: Path) -> None:
    done = cli("predict", bundle, "--model", tmp_path / "gone", stdin=TEXTS)
    assert done.code == 2
    assert f"{bundle}: its base model was not found" in done.err
    assert cli("verify", bundle, "--model", tmp_path / "gone").code == 2


def test_verify_of_a_bundle_whose_base_model_has_gone_checks_the_rest(tiny_model: Path, tmp_path: Path) -> None:
    base, out = shutil.copytree(tiny_model, tmp_path / "base"), tmp_path / "model.mtft"
    assert cli("train", "--tasks", "sts", *FEW, "--model", base, "--out", tmp_path / "run").code == 0
    assert cli("export", tmp_path / "run", "--format", "bundle", "--out", out).code == 0
    shutil.rmtree(base)
    found = cli("verify", out, "--json").json
    assert (found["ok"], found["base"], found["probe"]) == (True, None, "not run")
    (note,) = found["notes"]
    assert note.startswith(f"{out}: its base model was not found")
    if not torch.cuda.is_available():
        assert cli("verify", out, "--device", "cuda").code == 2


Edit = Callable[[Path, Path], object]


def rezip(change: Callable[[dict[str, bytes]], object], compression: int = zipfile.ZIP_STORED) -> Edit:
    """Write the files of a bundle anew, changed."""

    def edit(source: Path, target: Path) -> None:
        with zipfile.ZipFile(source) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        change(files)
        with zipfile.ZipFile(target, "w", compression) as archive:
            for name, data in files.items():
                archive.writestr(name, data)

    return edit


def twice(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(target, "a") as archive:
        archive.writestr("model.json", "{}")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda source, target: target.write_bytes(b"PK"), "not a bundle of mtft, or damaged"),
        (lambda source, target: target.write_bytes(source.read_bytes()[:-100]), "not a bundle of mtft, or damaged"),
        (rezip(lambda files: files.pop("heads.safetensors")), "no file 'heads.safetensors'"),
        (rezip(lambda files: files.update({"../evil": b""})), "unexpected file '../evil'"),
        (rezip(lambda files: files.update({"/etc/evil": b""})), "unexpected file '/etc/evil'"),
        (rezip(lambda files: files.update({"model.json": b"{}"})), "model.json: was truncated or replaced"),
        (rezip(lambda files: None, zipfile.ZIP_DEFLATED), "a file is compressed or encrypted"),
        (twice, "a file appears twice"),
    ],
    ids=["stump", "cut", "missing", "above", "absolute", "changed", "compressed", "twice"],
)
def test_what_is_not_a_bundle_is_refused(edit: Edit, said: str, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "other.mtft"
    edit(bundle, target)
    with pytest.raises(CheckpointError, match=r"other\.mtft|model\.json") as caught:
        unpack(target, tmp_path / "deep" / "model")
    assert said in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "deep") == ["other.mtft"]
    done = cli("eval", target, "--sample")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert str(target) in done.err


def test_any_damage_is_an_error_that_names_the_file(bundle: Path, tmp_path: Path) -> None:
    whole, target = bundle.read_bytes(), tmp_path / "damaged.mtft"
    generator = random.Random(0)
    ends = [*range(200), *range(len(whole) - 900, len(whole))]  # most of what zip itself needs
    for number in range(150):
        data = bytearray(whole)
        for place in generator.sample(ends, generator.randint(1, 4)):
            data[place] = generator.randrange(256)
        target.write_bytes(data[: generator.randrange(len(whole))] if number % 5 == 0 else data)
        shutil.rmtree(tmp_path / "model", ignore_errors=True)
        refused = ""
        try:
            unpack(target, tmp_path / "model")
        except CheckpointError as error:
            refused = str(error)
        if refused:
            assert str(tmp_path) in refused
        else:
            check_digests(tmp_path / "model")


def test_a_damaged_run_becomes_no_bundle(trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "run"))
    with (run / "model" / "probe.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    done = cli("export", run, "--format", "bundle", "--out", tmp_path / "out")
    assert done.code == 2
    assert f"{run}: the model gives other outputs for " in done.err
    (run / "model" / "probe.safetensors").write_bytes((trained_run / "model" / "probe.safetensors").read_bytes())
    (run / "model" / "digests.json").write_text("{}")
    done = cli("export", run, "--format", "bundle", "--out", tmp_path / "out")
    assert done.code == 2
    assert "digests.json" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
