"""Whatever the bytes of a file that mtft reads: a clean error, or a right result; never a traceback."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from factories import PLUGINS, REGISTRY, toy_trained
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soak import cases, counted

from mtft.config.load import load
from mtft.config.schema import SCHEMAS, TrainConfig
from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.data.readers import TableReader
from mtft.data.tokenization import load_tokenizer
from mtft.encoder.directory import read_config
from mtft.encoder.pretrained import load_encoder
from mtft.errors import MtftError
from mtft.io.digests import write_digests
from mtft.runs.bundle import unpack, write_bundle
from mtft.runs.checkpoint import load_model, read_tensors, save_model, write_tensors
from mtft.runs.state import load_state, save_state
from mtft.selection.mask import Mask, load_mask, save_mask
from mtft.tasks.sst import SST

PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\t",
    b'"',
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"#",
    b"-",
    b"null",
    b"true",
    b"NaN",
    b"1e999",
    b"-1",
    b"0",
    b"9" * 30,
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"a" * 5000,
    b"\\ud800",
    b"../",
    b"\x1b[2J",
    b"F64",
    b"BOOL",
    b"[0,0]",
)
"""What is put into files: signs with a meaning, numbers and depths beyond all measure, bytes that are no text."""

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 2**70, -1, "../a"]) | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a file: the whole one with up to four damages, or rarely bytes of any kind."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=60))
    found = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(found)))
        end = draw(st.one_of(st.just(start), st.integers(start, min(start + 9, len(found))), st.just(len(found))))
        found[start:end] = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)))
    return bytes(found)


@st.composite
def altered(draw: st.DrawFn, value: Any) -> bytes:
    """Draw a JSON document: a known one in which up to three values are others, gone or doubled."""
    found = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(0, 3))):
        node = found
        while True:
            keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                node = node[key]
                continue
            if draw(st.booleans()):
                node[key] = draw(VALUES)
            else:
                del node[key]
            break
    return json.dumps(found).encode()


def fuzz(
    what: str, files: st.SearchStrategy[bytes], path: Path, read: Callable[[], object], share: float = 1.0
) -> None:
    """Write file after file to a path and read each; every error must be one for the user."""
    with counted(f"hostile bytes: {what}", "cases") as tried:

        @settings(deadline=None, max_examples=round(share * cases()), suppress_health_check=list(HealthCheck))
        @given(files)
        def check(content: bytes) -> None:
            tried.one()
            path.write_bytes(content)
            with suppress(MtftError):
                read()

        check()


@pytest.mark.soak
@pytest.mark.parametrize("coding", ["all", "gaps", "bitmask"])
def test_masks(coding: str, tmp_path: Path) -> None:
    total = 4000
    indices = torch.arange(total)[:: {"all": 1, "gaps": 97, "bitmask": 2}[coding]]
    path = tmp_path / "mask"
    save_mask(path, Mask(indices, total, "0" * 64, {"score": "sum"}))
    whole = path.read_bytes()

    def read() -> None:
        changed = path.read_bytes() != whole
        found = load_mask(path, total=total)
        assert not changed
        assert torch.equal(found.indices, indices)

    fuzz(f"mask ({coding})", damaged(whole), path, read)


@pytest.mark.soak
def test_headers_of_tensors(tmp_path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {"a.weight": (2, 3), "a.bias": (3,)}
    path = tmp_path / "heads.safetensors"
    write_tensors(path, {name: torch.ones(shape) for name, shape in shapes.items()})
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header, payload = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    headers = altered(header).map(lambda text: len(text).to_bytes(8, "little") + text + payload)

    def read() -> None:
        found = read_tensors(path, shapes)
        assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes

    fuzz("safetensors", damaged(whole) | headers, path, read)


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny pretrained model, to be damaged and mended."""
    return Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("damaged") / "tiny"))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_pretrained_models(name: str, model: Path) -> None:
    path = model / name
    whole = path.read_bytes()
    files = damaged(whole) | altered(json.loads(whole)) if name == "config.json" else damaged(whole)

    def read() -> None:
        config = read_config(model)
        assert load_encoder(model).config == config

    fuzz(name, files, path, read)
    path.write_bytes(whole)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt"])
def test_tokenizers(name: str, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    vocabulary = (tiny_model / "vocab.txt").read_bytes()
    (tmp_path / "vocab.txt").write_bytes(vocabulary)
    full = load_tokenizer(tmp_path)._fast.to_str().encode()
    (tmp_path / "vocab.txt").unlink()
    whole = {"tokenizer.json": full, "vocab.txt": vocabulary}[name]
    files = damaged(whole) | altered(json.loads(whole)) if name == "tokenizer.json" else damaged(whole)

    def read() -> None:
        found = load_tokenizer(tmp_path)
        (ids,) = found.encode(["a film"])
        assert all(0 <= number < found.size for number in ids)
        found.digest()

    fuzz(name, files, path, read)


TOKENIZER_FILES: dict[str, dict[str, Any]] = {
    "tokenizer_config.json": {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": False,
        "strip_accents": None,
        "cls_token": "[CLS]",
        "sep_token": {"content": "[SEP]", "lstrip": False},
        "extra_special_tokens": ["[e1]"],
        "entity_token": "[e2]",
        "model_input_names": ["input_ids"],
        "added_tokens_decoder": {"64": {"content": "[e3]", "special": True}},
    },
    "special_tokens_map.json": {"cls_token": {"content": "[CLS]"}, "additional_special_tokens": ["[e1]"]},
    "added_tokens.json": {"[e1]": 64},
    "config.json": {"model_type": "bert", "vocab_size": 70, "tokenizer_class": "BertTokenizerFast"},
    "tokenizer.json": {},
}


@pytest.mark.soak
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", TOKENIZER_FILES)
def test_files_around_a_tokenizer(name: str, full: bool, tiny_model: Path, tmp_path: Path) -> None:
    """Each of them altered together with a vocabulary or a whole ``tokenizer.json``."""
    shutil.copy(tiny_model / "vocab.txt", tmp_path)
    whole = json.loads(load_tokenizer(tmp_path)._fast.to_str())
    if full or name == "tokenizer.json":
        (tmp_path / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    others = {"config.json": TOKENIZER_FILES["config.json"]}
    for other, content in (others | {name: TOKENIZER_FILES[name] or whole}).items():
        (tmp_path / other).write_text(json.dumps(content), encoding="utf-8")
    files = damaged((tmp_path / name).read_bytes()) | altered(TOKENIZER_FILES[name] or whole)

    def read() -> None:
        found = load_tokenizer(tmp_path)
        table, _ = found.table([("a [e1] film",), ("a", "b")], apart=False, max_length=40)
        assert int(table.ids.max()) < found.size
        assert int(table.segments.max()) < found.segments(2)
        found.digest()

    fuzz(name, files, tmp_path / name, read, share=0.25)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["model.json", "mask.safetensors", "encoder.safetensors", "heads.safetensors"])
def test_trained_models(name: str, tiny_model: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "model", toy_trained(tiny_model), PLUGINS)
    path = tmp_path / "model" / name
    whole = path.read_bytes()
    files = damaged(whole) | altered(json.loads(whole)) if name == "model.json" else damaged(whole)

    def read() -> None:
        write_digests(path.parent)  # as whoever made the file would
        load_model(path.parent, REGISTRY, str(tiny_model))

    fuzz(f"{name} of a run", files, path, read, 0.2)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["position.json", "tensors.safetensors"])
def test_saved_states(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "state"
    save_state(directory, {"theta": torch.ones(7)}, {"step": 3, "best": None, "losses": {"sst": [1.0]}})
    path = directory / name
    whole = path.read_bytes()
    files = damaged(whole) | altered(json.loads(whole)) if name == "position.json" else damaged(whole)

    def read() -> None:
        write_digests(directory)
        load_state(directory)

    fuzz(f"{name} of a stopped run", files, path, read)


@pytest.mark.soak
def test_bundles(trained_run: Path, tmp_path: Path) -> None:
    path, model = tmp_path / "bundle", tmp_path / "model"
    write_bundle(path, trained_run / "model")
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}

    def read() -> None:
        shutil.rmtree(model, ignore_errors=True)
        unpack(path, model)
        assert {file.name: file.read_bytes() for file in model.iterdir() if file.name in before} == before
        assert sorted(file.name for file in tmp_path.iterdir()) == ["bundle", "model"]

    fuzz("bundle", damaged(whole), path, read, 0.2)


TOML = b"""# a run
tasks = ["sst", "sts"]
model = "minilm"
lr = 1e-4
keep = 0.3
augment = "none"
max-time = "8h"
best = "sts.pearson"

[task-lr]
sst = 5e-8
"""
DECLARED = b"""
[tasks.mood]
kind = "ordinal"
text = ["a", "b"]
label = "c"
names = ["low", "high"]
train = "x.csv"
dev = 0.2
metrics = ["kappa"]
"""


@pytest.mark.soak
def test_settings(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"

    def read() -> None:
        for schema in SCHEMAS:
            try:
                load(schema, file=path)
            except MtftError:
                if schema is TrainConfig:
                    raise

    fuzz("settings", damaged(TOML) | damaged(TOML.replace(b'tasks = ["sst", "sts"]', b"") + DECLARED), path, read)


ROWS = b'\tid\tsentence\tsentiment\n0\tx\tA "film".\t3\n1\ty\t"Two ""words"""\t\n2\tz\t\xc3\xa9t\xc3\xa9\t0\n'
LINES = b'{"id": "x", "sentence": "a", "sentiment": 3}\n\n{"sentence": "b", "sentiment": null, "more": [1]}\n'


@pytest.mark.soak
@pytest.mark.parametrize(("suffix", "whole"), [(".csv", ROWS), (".jsonl", LINES)])
def test_data_files(suffix: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"ids-sst-train{suffix}"
    reader = TableReader(f"ids-sst-{{split}}{suffix}", ("sentence",), "sentiment", SST.output)

    def read() -> None:
        found = read_split("sst", "train", reader, tmp_path, 1)  # never an error: all that is wrong is listed
        assert all(str(path) in problem.origin or problem.whole for problem in found.problems)
        try:
            usable_examples(found, skip_bad_rows=True)
            rows = list(reader("train", tmp_path))
        except MtftError:
            return
        if b"\0" not in path.read_bytes():  # which csv refuses or takes, depending on the version of Python
            assert rows == list(found.examples)

    fuzz(f"data ({suffix})", damaged(whole), path, read)


def test_the_files_that_are_damaged_are_right_before(tmp_path: Path) -> None:
    """A target whose whole file is refused would prove nothing."""
    path = tmp_path / "run.toml"
    path.write_bytes(TOML)
    assert load(TrainConfig, file=path).config.tasks == ("sst", "sts")
    path.write_bytes(DECLARED)
    assert list(load(TrainConfig, file=path).config.declared) == ["mood"]
