"""Files made to do harm: code in pickles, links that lead out, bombs of depth and size, names and texts that steer."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from commands import ROOT, clean, cli, digests
from safetensors.torch import load_file, save_file
from soak import record

from mtft.encoder.pretrained import load_encoder
from mtft.errors import CheckpointError, ModelError
from mtft.files import MOST, Lock, append_json_line, check_tree, read_json, read_text

PROMISE = "hostile files: code, links, bombs, names"


class Code:
    """What runs when it is unpickled: it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be tampered with."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pretrained model, to be tampered with."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def commands(run: Path, model: Path, out: Path) -> list[list[object]]:
    """Return commands that read everything there is of a run, a mask and a model."""
    small = ["--sample", "--max-steps", "1", "--batches", "1", "--quiet", "--model", model]
    return [
        ["predict", run], ["eval", run, "--sample", "--resamples", "0"], ["compare", f"a={run}", "--resamples", "1"],
        ["report", run, "--out", out / "r.html", "--resamples", "1"], ["count-params", run], ["train", "--resume", run],
        ["refine", run, "--tasks", "sts", "--sample", "--epochs", "1", "--out", out / "refined"],
        ["train", "--tasks", "sts", *small, "--out", out / "new"],
        ["train", "--tasks", "sts", *small, "--out", out / "new", "--mask", run / "model" / "mask.safetensors"],
        ["merge", run, "--out", out / "merged"], ["plan", "--tasks", "sts", *small[:-1], model],
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("kind", ["pickle", "torch", "zipped"])
def test_no_file_of_a_run_or_model_is_ever_unpickled(kind: str, run: Path, model: Path, tmp_path: Path) -> None:
    """Every file, one after the other, is a pickle that leaves a trace when loaded; so are files that may be there."""
    trace = tmp_path / "trace"
    content = tmp_path / "content"
    if kind == "pickle":
        content.write_bytes(pickle.dumps(Code(trace)))
    else:
        torch.save({"w": Code(trace)}, content, _use_new_zipfile_serialization=kind == "zipped")
    state = run / "state"
    state.mkdir(exist_ok=True)
    for name in ("tensors.safetensors", "position.json"):
        (state / name).touch()
    names = [
        "pytorch_model.bin",
        "tokenizer.json",
        "model.safetensors.index.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    places = [path for path in sorted(run.rglob("*")) if path.is_file()]
    places += [run / name for name in ("checkpoint.pt", "model/pytorch_model.bin", "optimizer.bin", "state/rng.pkl")]
    places += [model / name for name in ["config.json", "model.safetensors", *names]]
    for number, place in enumerate(places):
        before = place.read_bytes() if place.exists() else None
        place.write_bytes(content.read_bytes())
        weights = model / "model.safetensors"
        aside = weights.rename(tmp_path / "aside") if place.name in names[:3:2] and place.parent == model else None
        out = tmp_path / f"out{number}"
        out.mkdir()
        for command in commands(run, model, out):
            done = cli(*command, stdin="a\n")
            assert "internal error" not in done.err, (place, command)
            assert not trace.exists(), (place, command)
        if aside:
            aside.rename(weights)
        place.unlink()
        if before is not None:
            place.write_bytes(before)
        record(PROMISE, 1, "faults")
    pickle.loads(content.read_bytes()) if kind == "pickle" else torch.load(content, weights_only=False)
    assert trace.exists()  # it would have run


@pytest.mark.slow
def test_code_in_model_data_and_run_directories_is_never_imported(run: Path, model: Path, tmp_path: Path) -> None:
    """Modules with names that Python or mtft might import lie in every directory, the current one included."""
    data = Path(shutil.copytree(ROOT / "mtft" / "sample", tmp_path / "data"))
    trace = tmp_path / "trace"
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_own.Own"}
    (model / "config.json").write_text(json.dumps(config))
    names = (
        "modeling_own",
        "sitecustomize",
        "conftest",
        "json",
        "torch",
        "numpy",
        "mtft",
        "plugin",
        "setup",
        "__init__",
    )
    for place in (run, run / "model", model, data):
        for name in names:
            (place / f"{name}.py").write_text(f"open({str(trace)!r}, 'w')\n")
        info = place / "evil-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[mtft]\nevil = plugin\n")
    script = f"import sys; sys.path[:] = [p for p in sys.path if p]; sys.path.insert(0, {str(ROOT)!r})\n"
    script += "from mtft.cli.main import run; sys.exit(run(sys.argv[1:]))"
    train = ["train", "--tasks", "sts", "--model", model, "--max-steps", "1", "--batches", "1", "--data-dir", data]
    for folder in (run, model, data):
        for command in (["plugins"], ["predict", run], [*train, "--out", tmp_path / f"new-{folder.name}"]):
            arguments = [sys.executable, "-c", script, *map(str, command)]
            done = subprocess.run(
                arguments, cwd=folder, input="a\n", text=True, capture_output=True, check=False, env=clean()
            )
            assert done.returncode == 0, done.stderr
            assert "evil" not in done.stdout
            assert not trace.exists()


# ---- links and special files


@pytest.mark.parametrize("name", ["model/model.json", "model/heads.safetensors", "predictions", "config.toml", "more"])
def test_links_that_lead_out_of_a_run_are_refused(name: str, run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    place = run / name
    if place.exists():
        place.rename(outside)
    else:
        outside.write_text("private")
    place.symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else digests(outside)
    read = [["report", run, "--resamples", "1"], ["train", "--resume", run]]
    read += [["predict", run], ["eval", run, "--sample"]] if name.startswith("model/") else []
    for command in read:
        done = cli(*command, stdin="a\n")
        assert done.code == 2, command
        assert f"{place}: a link that leads out of {run}" in done.err
    assert (outside.read_bytes() if outside.is_file() else digests(outside)) == before


def test_links_inside_a_run_are_fine(run: Path) -> None:
    (run / "model" / "heads.safetensors").rename(run / "model" / "real")
    (run / "model" / "heads.safetensors").symlink_to("real")
    assert cli("predict", run, stdin="a\n").code == 0


def test_overwriting_a_run_removes_links_and_not_what_they_lead_to(run: Path, tiny_model: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    shutil.rmtree(run / "predictions")
    for name in ("predictions", "state", "more"):
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).symlink_to(outside)
    options = ("--sample", "--max-steps", "1", "--batches", "1", "--model", tiny_model, "--out", run, "--overwrite")
    assert cli("train", "--tasks", "sts", *options).code == 0
    assert (outside / "precious").read_text() == "kept"
    assert len(list(outside.iterdir())) == 1
    assert not any(path.is_symlink() for path in run.rglob("*"))


def test_logs_and_locks_are_not_written_through_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    for name in ("steps.jsonl", ".lock"):
        (tmp_path / name).symlink_to(outside)
    with pytest.raises(OSError, match="symbolic link"):
        append_json_line(tmp_path / "steps.jsonl", {"step": 1})
    with pytest.raises(OSError, match="symbolic link"):
        Lock(tmp_path)
    assert outside.read_text() == "kept"


def test_pipes_and_devices_in_the_place_of_files_are_refused(run: Path, model: Path, tmp_path: Path) -> None:
    """A named pipe without a writer would wait for ever, /dev/zero would never end."""
    for name in ("config.json", "model.safetensors", "vocab.txt", "tokenizer.json"):
        place = model / name
        aside = place.rename(tmp_path / "aside") if place.exists() else None
        for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
            make(place)
            done = cli("train", "--tasks", "sts", "--sample", "--model", model, "--out", tmp_path / "new")
            assert done.code == 2
            assert name in done.err
            place.unlink()
        if aside:
            aside.rename(place)
    (run / "model" / "mask.safetensors").unlink()
    os.mkfifo(run / "model" / "mask.safetensors")
    done = cli("predict", run, stdin="a\n")
    assert (done.code, "mask.safetensors: neither a file nor a directory" in done.err) == (2, True)
    with pytest.raises(CheckpointError, match="not JSON: not a regular file"):
        read_json(Path("/dev/zero"))
    check_tree(model)


def test_texts_beyond_the_limit_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    with path.open("wb") as file:
        file.truncate(MOST + 1)  # a hole that takes no room on the disk
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        read_text(path, 1000)


# ---- bombs


BOMB = """
import resource, sys
from pathlib import Path
import torch
from mtft.errors import MtftError
from mtft.cli.main import run
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (400 << 20),) * 2)
sys.exit(run(sys.argv[1:]))
"""


def header(entries: dict[str, object], payload: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + payload


def wide(model: Path) -> None:
    """Tensors without strides and a configuration to match: 10^12 numbers in a file of a kilobyte."""
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"vocab_size": 1_000_000}))
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    name = next(name for name in weights if "word_embeddings" in name)
    weights[name] = torch.zeros(1).expand(1_000_000, weights[name].shape[1])
    torch.save(weights, model / "pytorch_model.bin")


def packed(model: Path) -> None:
    """A gigabyte of zeros, packed."""
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    torch.save(weights, model / "whole.bin")
    with zipfile.ZipFile(model / "whole.bin") as whole, zipfile.ZipFile(model / "pytorch_model.bin", "w", 8) as bomb:
        for entry in whole.infolist():
            bomb.writestr(entry.filename, whole.read(entry))
        with bomb.open("archive/data/bomb", "w", force_zip64=True) as file:
            for _ in range(1000):
                file.write(bytes(1 << 20))


def layered(model: Path) -> None:
    """A million layers."""
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1_000_000}))


BOMBS: dict[str, Callable[[Path], object]] = {
    "wide": wide,
    "packed": packed,
    "layered": layered,
    "deep config": lambda model: (model / "config.json").write_bytes(b'{"a":' * 100_000),
    "long header": lambda model: (model / "model.safetensors").write_bytes((1 << 50).to_bytes(8, "little") + b"{"),
    "huge shape": lambda model: (model / "model.safetensors").write_bytes(
        header({"a": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 62]}})
    ),
    "deep tokenizer": lambda model: (model / "tokenizer.json").write_bytes(b'{"model":' * 100_000),
    "deep index": lambda model: (
        (model / "model.safetensors").unlink(),
        (model / "model.safetensors.index.json").write_bytes(b"[" * 1_000_000),
    ),
    "huge config": lambda model: (model / "config.json").open("wb").truncate(1 << 34),
    "huge vocabulary": lambda model: (model / "vocab.txt").open("wb").truncate(1 << 34),
}


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by Linux")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_within_400_mib(name: str, model: Path, tmp_path: Path) -> None:
    BOMBS[name](model)
    train = ["train", "--tasks", "sts", "--sample", "--model", model, "--out", tmp_path / "new", "--quiet"]
    arguments = [sys.executable, "-c", BOMB, *map(str, train)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=clean(), timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"mtft: error: {model}"), done.stderr
    record(PROMISE, 1, "faults")


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"[" * 100_000, b"a." * 100_000 + b"b = 1", b'a = "' + b"x" * 999_000, b"tasks = {a = " * 9999],
    ids=["arrays", "dots", "text", "tables"],
)
def test_settings_that_are_bombs_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    done = cli("train", "--config", path)
    assert done.code == 2
    assert done.err.startswith(f"mtft: error: {path}: ")
    assert len(done.err) < 5000


def test_weights_that_are_fewer_than_the_configuration_says_are_refused_before_they_are_read(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file({name: tensor[:1].clone() for name, tensor in weights.items()}, model / "model.safetensors")
    with pytest.raises(ModelError, match=r"cannot hold the .* parameters of config\.json"):
        load_encoder(model)
