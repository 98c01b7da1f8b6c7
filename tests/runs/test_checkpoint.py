"""A saved model comes back bit for bit, on its own base only, and damage is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import reseal
from factories import PLUGINS, REGISTRY, TASKS, toy_trained
from safetensors.torch import load_file, save_file

from mtft.errors import CheckpointError, ModelError, MtftError
from mtft.model.flat import FlatParameters
from mtft.outputs import Categorical
from mtft.runs.checkpoint import FILES, TrainedModel, load_model, read_tensors, save_model
from mtft.runs.manifest import read_manifest
from mtft.runs.probe import check_saved, probe, save_with_probe
from mtft.tasks.registry import Contribution, Registry, assemble
from mtft.testing import tiny
from mtft.testing.tiny import write_tiny_model


@pytest.fixture(scope="module")
def trained(tiny_model: Path) -> TrainedModel:
    return toy_trained(tiny_model)


@pytest.fixture(scope="module")
def saved(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory that no test changes."""
    directory = tmp_path_factory.mktemp("saved") / "model"
    save_with_probe(directory, trained, PLUGINS)
    return directory


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A model directory to damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit a JSON or safetensors file in place."""
    if path.suffix == ".json":
        manifest = json.loads(path.read_text(encoding="utf-8"))
        edit(manifest)
        path.write_text(json.dumps(manifest), encoding="utf-8")
    else:
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        edit(tensors)
        save_file(tensors, path)
    reseal(path)


# ---- Round trips


@pytest.mark.parametrize("full", [False, True], ids=["part", "all"])
def test_a_fresh_object_has_the_same_bits(full: bool, tiny_model: Path, tmp_path: Path) -> None:
    trained = toy_trained(tiny_model, full=full)
    save_model(tmp_path / "model", trained, PLUGINS)
    found = load_model(tmp_path / "model", REGISTRY)
    assert torch.equal(found.encoder.theta, trained.encoder.theta)
    assert torch.equal(found.mask.indices, trained.mask.indices)
    assert (found.selection == slice(None)) is full
    for (name, tensor), (other, expected) in zip(
        found.model.state_dict().items(), trained.model.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(tensor, expected)
    expected_outputs, outputs = probe(trained), probe(found)
    assert all(torch.equal(outputs[task.name], expected_outputs[task.name]) for task in TASKS)
    assert found.tasks == TASKS
    assert (found.max_length, found.base) == (trained.max_length, trained.base)
    assert found.model.encoder.config == trained.model.encoder.config
    assert found.parameters() == trained.parameters()


@pytest.mark.parametrize("hidden", [10, 12, 20])
def test_heads_lie_in_memory_as_in_training(hidden: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of products differ in their last bits where matrices begin at other fractions of a register's width."""
    monkeypatch.setattr(tiny, "TINY", replace(tiny.TINY, hidden_size=hidden))
    trained = toy_trained(write_tiny_model(tmp_path / "base"))
    vectors = [FlatParameters(head).theta for head in trained.model.heads.values()]
    save_with_probe(tmp_path / "model", trained, PLUGINS)
    check_saved(tmp_path / "model", REGISTRY, str(tmp_path / "base"))
    found = load_model(tmp_path / "model", REGISTRY)
    for vector, (name, head) in zip(vectors, trained.model.heads.items(), strict=True):
        first = next(found.model.heads[name].parameters()).data_ptr()
        assert first % 64 == vector.data_ptr() % 64
        for own, other in zip(head.parameters(), found.model.heads[name].parameters(), strict=True):
            assert other.data_ptr() - first == own.data_ptr() - vector.data_ptr()


def test_a_fresh_process_has_the_same_bits(saved: Path, tiny_model: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from mtft.runs.probe import check_saved; from factories import REGISTRY\n"
        "check_saved(Path(sys.argv[1]), REGISTRY, sys.argv[2]); print('the same')"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", script, str(saved), str(tiny_model)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("the same\n", 0), done.stderr


def test_what_is_saved_is_checked(copy: Path, tiny_model: Path) -> None:
    check_saved(copy, REGISTRY, str(tiny_model))
    change(copy / "heads.safetensors", lambda tensors: tensors["sts.projection.bias"].add_(1e-6))
    with pytest.raises(CheckpointError, match="reloaded, the model gives other outputs for sts"):
        check_saved(copy, REGISTRY, str(tiny_model))


def test_what_another_machine_saved_may_differ_as_floating_point_does(copy: Path, tiny_model: Path) -> None:
    change(copy / "heads.safetensors", lambda tensors: tensors["sts.projection.bias"].add_(1e-6))
    check_saved(copy, REGISTRY, str(tiny_model), here=False)
    change(copy / "heads.safetensors", lambda tensors: tensors["sts.projection.bias"].add_(1e-2))
    with pytest.raises(CheckpointError, match="reloaded, the model gives other outputs for sts"):
        check_saved(copy, REGISTRY, str(tiny_model), here=False)


def test_equal_models_give_equal_files(saved: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "again", load_model(saved, REGISTRY), PLUGINS)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_only_what_training_changed_is_stored(saved: Path, trained: TrainedModel) -> None:
    encoder = load_file(saved / "encoder.safetensors")
    assert {name: tensor.shape for name, tensor in encoder.items()} == {"values": trained.mask.indices.shape}
    assert torch.equal(encoder["values"], trained.encoder.theta[trained.mask.indices])
    heads = load_file(saved / "heads.safetensors")
    assert sum(tensor.numel() for tensor in heads.values()) == sum(trained.parameters().heads.values())
    assert {name.partition(".")[0] for name in heads} == {"sst", "quora", "sts"}


def test_saving_again_replaces_the_directory(copy: Path, tiny_model: Path) -> None:
    other = toy_trained(tiny_model, full=True, seed=1)
    save_model(copy, other, PLUGINS)
    assert torch.equal(load_model(copy, REGISTRY).encoder.theta, other.encoder.theta)
    assert sorted(path.name for path in copy.iterdir()) == sorted([*FILES, "digests.json"])


# ---- Strict loading


@pytest.mark.parametrize("name", ["encoder", "heads"])
def test_a_model_replaced_while_it_is_read_is_read_whole(
    name: str, copy: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process saves a better model just before one of the files is opened."""
    better, read = toy_trained(tiny_model, seed=7), []

    def late(path: Path, *given: Any) -> Any:
        if path.stem == name and name not in read:
            save_model(copy, better, PLUGINS)
        read.append(path.stem)
        return read_tensors(path, *given)

    monkeypatch.setattr("mtft.runs.checkpoint.read_tensors", late)
    found = load_model(copy, REGISTRY)
    assert read == ["encoder", "heads"] * 2
    assert all(map(torch.equal, found.model.state_dict().values(), better.model.state_dict().values()))


@pytest.mark.parametrize(
    ("file", "edit", "problem"),
    [
        ("heads", lambda t: t.pop("sst.projection.bias"), "missing tensor sst.projection.bias"),
        ("heads", lambda t: t.update(extra=torch.zeros(2)), "unexpected tensor extra"),
        (
            "heads",
            lambda t: t.update({"sts.projection.bias": torch.zeros(2)}),
            r"tensor sts.projection.bias is torch.float32 \[2\], not float32 \[1\]",
        ),
        (
            "heads",
            lambda t: t.update({"sts.projection.bias": torch.zeros(1).half()}),
            r"tensor sts.projection.bias is torch.float16 \[1\], not float32 \[1\]",
        ),
        ("encoder", lambda t: t.update(values=t["values"][1:].clone()), r"tensor values is torch.float32 \[\d+\], not"),
        ("encoder", lambda t: t.update(weights=t.pop("values")), "missing tensor values.*unexpected tensor weights"),
    ],
)
def test_every_misfit_is_named(copy: Path, file: str, edit: Callable[[dict[str, Any]], object], problem: str) -> None:
    change(copy / f"{file}.safetensors", edit)
    with pytest.raises(CheckpointError, match=rf"(?s){file}.safetensors: does not fit the model:.*{problem}"):
        load_model(copy, REGISTRY)


def test_all_misfits_are_named_at_once(copy: Path) -> None:
    def edit(tensors: dict[str, Any]) -> None:
        for name in ("sst.projection.bias", "quora.projection.bias"):
            tensors.pop(name)

    change(copy / "heads.safetensors", edit)
    with pytest.raises(CheckpointError) as caught:
        load_model(copy, REGISTRY)
    assert str(caught.value).count("missing tensor") == 2


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("version", 2, "format version is 2; this mtft reads version 1 only"),
        ("version", None, "format version is None"),
        ("format", "pytorch", "format is 'pytorch', not 'mtft-model'"),
        ("max_length", 49, "max_length is 49, not an integer from 3 to 48"),
        ("max_length", -1, "max_length is -1"),
        ("max_length", True, "missing or malformed: max_length"),
        ("tasks", {"sst": 1}, "missing or malformed: tasks"),
        ("tasks", [1], r"missing or malformed: tasks\[0\]"),
        ("tasks", [{"name": "sst", "plugin": [], "parameters": 1}], r"tasks\[0\].output, tasks\[0\].plugin"),
        ("base", [1], "missing or malformed: base"),
        ("base", {}, "base.name, base.weights, base.tokenizer, base.encoder"),
        ("base", {"name": 1, "weights": "", "tokenizer": "", "encoder": {}}, "base.name, base.encoder"),
    ],
)
def test_a_manifest_of_another_form_is_refused(copy: Path, key: str, value: object, problem: str) -> None:
    change(copy / "model.json", lambda manifest: manifest.update({key: value}))
    with pytest.raises(CheckpointError, match=problem):
        load_model(copy, REGISTRY)


def test_any_value_of_another_type_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "model.json").read_text(encoding="utf-8"))
    for key in set(manifest) - {"format", "version"}:
        values: tuple[Any, ...] = (None, [], {}, "x", 1.5, [[]], {"a": 1})
        for value in values:
            if key == "tasks" and value == []:
                continue
            (copy / "model.json").write_text(json.dumps({**manifest, key: value}), encoding="utf-8")
            reseal(copy / "model.json")
            with pytest.raises(CheckpointError):
                load_model(copy, REGISTRY)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_model(copy, REGISTRY)


def test_what_is_no_model_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no trained model \(no model.json\)"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_foreign_file_is_refused(copy: Path, name: str) -> None:
    for data in (b"", b"PK\x03\x04 a zip archive", b"\x00" * 100, b"\xff" * 100, b"{}"):
        (copy / name).write_bytes(data)
        with pytest.raises(CheckpointError, match=name):
            load_model(copy, REGISTRY)


def test_another_runs_file_is_refused(copy: Path, tiny_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "other", toy_trained(tiny_model, full=True), PLUGINS)
    for name in ("mask.safetensors", "encoder.safetensors"):
        mine = (copy / name).read_bytes()
        shutil.copy(tmp_path / "other" / name, copy / name)
        with pytest.raises(CheckpointError, match=rf"{name}: was (truncated or )?replaced"):
            load_model(copy, REGISTRY)
        reseal(copy / name)
        with pytest.raises(CheckpointError, match="does not fit the model"):
            load_model(copy, REGISTRY)
        (copy / name).write_bytes(mine)
        reseal(copy / name)


# ---- Tasks and base


def test_a_task_that_is_not_installed_is_named_with_its_origin(saved: Path) -> None:
    registry = assemble([Contribution("test", TASKS[:2])])[0]
    with pytest.raises(CheckpointError, match="task 'sts' came from multitask-finetuning 0, which is not installed"):
        load_model(saved, registry)


def test_changed_labels_are_refused(saved: Path) -> None:
    other = replace(TASKS[0], output=Categorical(("a", "b", "c", "d", "e")))
    registry: Registry = assemble([Contribution("test", (other, *TASKS[1:]))])[0]
    with pytest.raises(CheckpointError, match=r"task 'sst' was trained with .*'0', '1'.* but the installed .*'a', 'b'"):
        load_model(saved, registry)


def test_a_base_that_moved_is_found_where_it_is_said_to_be(copy: Path, tiny_model: Path, tmp_path: Path) -> None:
    change(copy / "model.json", lambda manifest: manifest["base"].update(name=str(tmp_path / "gone")))
    with pytest.raises(ModelError, match=r"model: its base model was not found.*; model says where it is now"):
        load_model(copy, REGISTRY)
    moved = Path(shutil.copytree(tiny_model, tmp_path / "moved"))
    found = load_model(copy, REGISTRY, str(moved))
    assert found.base == str(moved)
    check_saved(copy, REGISTRY, str(moved))


def test_other_base_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(CheckpointError, match=r"is not the one this run was trained from .*; model says"):
        load_model(saved, REGISTRY, str(other))


def test_another_tokenizer_on_the_same_weights_is_refused(saved: Path, tiny_model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny_model, tmp_path / "other"))
    pieces = (other / "vocab.txt").read_text(encoding="utf-8").splitlines()
    pieces[-1], pieces[-2] = pieces[-2], pieces[-1]
    (other / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not the one this run was trained from"):
        load_model(saved, REGISTRY, str(other))


# ---- Damage


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(copy: Path, tiny_model: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    for size in {0, 1, 7, 8, 9, 40, len(data) // 3, len(data) // 2, len(data) - 2}:
        (copy / name).write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=name):
            load_model(copy, REGISTRY, str(tiny_model))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_gives_no_other_error(copy: Path, tiny_model: Path, name: str) -> None:
    """Most flips lie in what the format or the model checks; the values of weights are not covered by a checksum."""
    data = (copy / name).read_bytes()
    generator = np.random.default_rng(0)
    header = min(len(data), 3000)
    refused = 0
    for index in {0, 7, *generator.integers(0, header, 60).tolist(), *generator.integers(0, len(data), 10).tolist()}:
        flipped = bytearray(data)
        flipped[index] ^= 1 << int(generator.integers(8))
        (copy / name).write_bytes(bytes(flipped))
        try:
            load_model(copy, REGISTRY, str(tiny_model))
        except CheckpointError:
            refused += 1
    assert refused > 0
    (copy / name).write_bytes(data)
    load_model(copy, REGISTRY, str(tiny_model))


def test_a_directory_in_place_of_a_file_is_an_error_for_the_user(copy: Path) -> None:
    for name in FILES:
        (copy / name).unlink()
        (copy / name).mkdir()
        with pytest.raises(MtftError):
            load_model(copy, REGISTRY)
        with pytest.raises(CheckpointError, match="not a readable safetensors file"):
            read_tensors(copy / name, {})
