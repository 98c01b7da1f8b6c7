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
from functools import partial
from pathlib import Path

import pytest
import tomli_w
import torch
from commands import ROOT, clean, cli, digests
from faulty_data import sst, write
from safetensors.torch import load_file, save_file
from soak import SOAK, record

from mtft.encoder.pretrained import check_size, load_encoder
from mtft.errors import CheckpointError, ModelError
from mtft.io.digests import check_tree
from mtft.io.directories import DirectoryLock
from mtft.io.files import MOST, append_json_line, read_json, read_text

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


def pickles(folder: Path, trace: Path) -> list[bytes]:
    """Return files that leave a trace when unpickled: bare, as torch writes them, and as torch wrote them once."""
    bare, zipped, legacy = (folder / name for name in ("bare", "zipped", "legacy"))
    bare.write_bytes(pickle.dumps(Code(trace)))
    torch.save({"w": Code(trace)}, zipped)
    torch.save({"w": Code(trace)}, legacy, _use_new_zipfile_serialization=False)
    for load in (partial(pickle.loads, bare.read_bytes()), partial(torch.load, zipped, weights_only=False)):
        load()
        trace.rmdir()
    return [path.read_bytes() for path in (bare, zipped, legacy)]


def readers(run: Path, model: Path, out: Path) -> tuple[list[list[object]], list[list[object]]]:
    """Return commands that read all there is of a run, and of a pretrained model and a mask."""
    few = ["--sample", "--max-steps", "1", "--batches", "1", "--quiet", "--model", model, "--out", out]
    return [
        ["predict", run],
        ["eval", run, "--sample", "--resamples", "0"],
        ["compare", f"a={run}", "--resamples", "1"],
        ["report", run, "--out", out, "--resamples", "1"],
        ["count-params", run],
        ["train", "--resume", run],
        ["refine", run, "--tasks", "sts", "--sample", "--epochs", "1", "--out", out],
        ["merge", run, "--out", out],
    ], [["train", "--tasks", "sts", *few, "--mask", run / "model" / "mask.safetensors"]]


@pytest.mark.slow
@pytest.mark.soak
def test_no_file_of_a_run_or_model_is_ever_unpickled(run: Path, model: Path, tmp_path: Path) -> None:
    """Every file there is, or may be, in turn is a pickle that leaves a trace when loaded."""
    trace = tmp_path / "trace"
    harm = pickles(tmp_path, trace)
    (run / "state").mkdir(exist_ok=True)
    for name in ("tensors.safetensors", "position.json"):
        (run / "state" / name).touch()
    locations = [path for path in sorted(run.rglob("*")) if path.is_file()]
    locations += [run / name for name in ("checkpoint.pt", "model/pytorch_model.bin", "state/rng.pkl")]
    names = ("config.json", "vocab.txt", "tokenizer.json", "model.safetensors")
    locations += [model / name for name in (*names, "model.safetensors.index.json", "pytorch_model.bin")]
    of_run, of_model = readers(run, model, tmp_path / "out")
    for number, location in enumerate(locations):
        before = location.read_bytes() if location.exists() else None
        weights, aside = model / "model.safetensors", tmp_path / "aside"
        if location.name in ("model.safetensors.index.json", "pytorch_model.bin") and location.parent == model:
            weights.rename(aside)
        for content in harm if SOAK else [harm[number % len(harm)]]:
            location.write_bytes(content)
            for command in of_run if location.is_relative_to(run) and location.suffix != ".toml" else of_model:
                done = cli(*command, stdin="a\n")
                assert "internal error" not in done.err, (location, command, done.err)
                assert not trace.exists(), (location, command)
                if (tmp_path / "out").is_dir():
                    shutil.rmtree(tmp_path / "out")
                else:
                    (tmp_path / "out").unlink(missing_ok=True)
            record(PROMISE, 1, "faults")
        if aside.exists():
            aside.rename(weights)
        location.unlink()
        if before is not None:
            location.write_bytes(before)


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
    for location in (run, run / "model", model, data):
        for name in names:
            (location / f"{name}.py").write_text(f"open({str(trace)!r}, 'w')\n")
        info = location / "evil-1.0.dist-info"
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
    location = run / name
    if location.exists():
        location.rename(outside)
    else:
        outside.write_text("private")
    location.symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else digests(outside)
    read = [["report", run, "--resamples", "1"], ["train", "--resume", run]]
    read += [["predict", run], ["eval", run, "--sample"]] if name.startswith("model/") else []
    for command in read:
        done = cli(*command, stdin="a\n")
        assert done.code == 2, command
        assert f"{location}: a link that leads out of {run}" in done.err
    assert (outside.read_bytes() if outside.is_file() else digests(outside)) == before


def test_links_inside_a_run_are_fine(run: Path) -> None:
    (run / "latest").symlink_to("model")
    assert cli("report", run, "--resamples", "1").code == 0
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
        DirectoryLock(tmp_path)
    assert outside.read_text() == "kept"


def test_pipes_and_devices_in_the_place_of_files_are_refused(run: Path, model: Path, tmp_path: Path) -> None:
    """A named pipe without a writer would wait for ever, /dev/zero would never end."""
    for name in ("config.json", "model.safetensors", "vocab.txt", "tokenizer.json"):
        location = model / name
        aside = location.rename(tmp_path / "aside") if location.exists() else None
        for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
            make(location)
            done = cli("train", "--tasks", "sts", "--sample", "--model", model, "--out", tmp_path / "new")
            assert done.code == 2
            assert name in done.err
            location.unlink()
        if aside:
            aside.rename(location)
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
    "huge config": lambda model: os.truncate(model / "config.json", 1 << 34),
    "huge vocabulary": lambda model: os.truncate(model / "vocab.txt", 1 << 34),
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


def test_weights_that_are_fewer_than_the_configuration_says_are_refused(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file({name: tensor[:1].clone() for name, tensor in weights.items()}, model / "model.safetensors")
    with pytest.raises(ModelError, match=r"tensor .* has shape \[1, .*\], not"):
        load_encoder(model)
    with pytest.raises(ModelError, match=r"cannot hold the 6,576 parameters of config\.json"):
        check_size(model, 6576)


# ---- names and texts

STEER = "\x1b]0;pwned\x07\x1b[2J\u202e<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_what_is_shown_steers_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """Texts, labels, ids, columns and file names with escape sequences and HTML: on the terminal and in the report."""
    rows = [(f"{STEER} {number}", number % 5) for number in range(20)]
    data = tmp_path / "data"
    write(data, sst_train=sst(*rows, ("x", STEER)), sst_dev=sst(*rows[:9]), sst_test=f"\tid\t{STEER}\n1\t2\t3\n")
    (data / f"{STEER[:16]}.csv").write_text("a,b\n1,2\n")
    train = ["train", "--tasks", "sst", "--model", tiny_model, "--data-dir", data, "--max-steps", "1", "--batches", "1"]
    run = tmp_path / "run"
    found = [
        cli("data", "check", "--tasks", "sst", "--data-dir", data),
        cli("data", "check", "--tasks", "sst", "--data-dir", data, "--json"),
        cli(*train, "--out", tmp_path / "no"),
        cli(*train, "--out", run, "--skip-bad-rows"),
        cli("eval", run, "--data-dir", data),
        cli("predict", run, stdin=json.dumps({"id": STEER, "sentence": STEER}) + "\n"),
        cli("predict", run, "--output-format", "tsv", stdin=json.dumps({"id": STEER, "sentence": STEER}) + "\n"),
        cli("predict", run, stdin=json.dumps({"id": STEER, "sentence": 7, "x": STEER}) + "\n"),
        cli("report", run, "--resamples", "1"),
        cli("train", "--tasks", STEER),
        cli("train", "--config", tmp_path / STEER.replace("/", "")),
        cli("init", data, "--out", tmp_path / "init.toml"),
    ]
    assert [done.code for done in found[:10]] == [2, 2, 2, 0, 0, 0, 0, 2, 0, 2]
    for done in found:
        assert not any(letter in done.out + done.err for letter in ("\x1b", "\x07", "\u202e"))
    page = (run / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert not any(each in page for each in ("<script", "<img src", "\x1b", "\u202e"))


@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out", "a/b", "..", ".", "", "A", "con:", "a\0b", "-x", "x" * 300 + "/y"]
)
def test_names_that_are_paths_are_refused(name: str, run: Path, tmp_path: Path) -> None:
    """In settings, on the command line and in a run that came from elsewhere."""
    before = sorted(tmp_path.rglob("*"))
    path = tmp_path / "run.toml"
    table = {"kind": "binary", "text": "a", "label": "b", "names": ["0", "1"], "train": "x.csv", "dev": 0.5}
    path.write_text(tomli_w.dumps({"tasks": {name: table}}))
    done = cli("train", "--config", path, "--out", tmp_path / "new")
    assert (done.code, "internal" in done.err) == (2, False)
    path.unlink()
    manifest = json.loads((run / "model" / "model.json").read_text())
    manifest["tasks"][0] |= {"name": name, "declaration": table}
    (run / "model" / "model.json").write_text(json.dumps(manifest))
    done = cli("predict", run, stdin="a\n")
    assert (done.code, done.out, "internal" in done.err) == (2, "", False)
    shutil.rmtree(tmp_path / "report", ignore_errors=True)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"tasks": {name: "f1"}}))
    assert cli("report", run, "--resamples", "1").code in (0, 2)
    (run / "report.html").unlink(missing_ok=True)
    assert sorted(tmp_path.rglob("*")) == before
