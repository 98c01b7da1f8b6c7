"""Features are what the encoder gives, on disk: gathered exactly, never trusted without proof, taken up where left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import TASKS, packed, toy_model, toy_source, toy_sources
from numpy.typing import NDArray

from mtft.data.packing import pack
from mtft.data.tokenization import TokenTable
from mtft.model import features
from mtft.model.features import feature_bytes, feature_key, remove_features, with_features
from mtft.model.inference import apply
from mtft.model.multitask import MultiTaskModel
from mtft.training.step import Stepper

NAMES = [task.name for task in TASKS]
TABLES = {name: toy_source(name, 20).table for name in ("sst", "quora-consistency")}
CHUNK = 40


def equal(first: NDArray[np.float32] | None, second: NDArray[np.float32] | None) -> bool:
    """Tell whether both are there and the same."""
    return first is not None and second is not None and np.array_equal(first, second)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few texts, which are cut into micro-batches."""
    monkeypatch.setattr(features, "CHUNK", CHUNK)
    monkeypatch.setattr(features, "BUDGET", CHUNK // 2)


def keep(model: MultiTaskModel, table: TokenTable, path: Path, watch: Any = lambda *_: None) -> TokenTable:
    return with_features(model, table, path, feature_key(model, "w", table), watch)


def encoded_texts(model: MultiTaskModel) -> list[int]:
    """Return a list that grows with the texts of each batch that goes through the encoder."""
    seen: list[int] = []
    model.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0].lengths)))
    return seen


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_what_the_encoder_gives_each_text(name: str, tmp_path: Path) -> None:
    model, table = toy_model(0.3)[0].train(), TABLES[name]
    found = keep(model, table, tmp_path / "f").features
    assert found is not None
    assert found.nbytes == feature_bytes(table, model.encoder.config.hidden_size) == (tmp_path / "f").stat().st_size
    single, start = replace(table, per_example=1), 0
    for number, length in enumerate(table.lengths.tolist()):
        with torch.no_grad():
            output = model.eval().encoder(packed((single, np.array([number]))))
        own = found[start : start + 1 + length]
        np.testing.assert_allclose(own, torch.cat([output.pooled, output.packed]).cpu().numpy(), rtol=0, atol=1e-5)
        start += 1 + length
    assert start == len(found)


def test_a_batch_of_several_tables_gathers_its_own_rows(tmp_path: Path) -> None:
    model = toy_model()[0].eval()
    plain = [(table, np.array([7, 0, 7, 3])) for table in TABLES.values()]
    kept = [(keep(model, table, tmp_path / name), plain[0][1]) for name, table in TABLES.items()]
    with torch.no_grad():
        expected, found = model.encode(packed(*plain)), model.encode(packed(*kept))
    torch.testing.assert_close(found.packed, expected.packed, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.pooled, expected.pooled, rtol=0, atol=1e-5)
    assert pack(kept[0], plain[1]).features is None


def test_outputs_from_features_need_no_encoder(tmp_path: Path) -> None:
    model = toy_model()[0]
    table = TABLES["sst"]
    expected = apply(model, table, NAMES)
    kept = keep(model, table, tmp_path / "f")
    seen = encoded_texts(model)
    for name, values in apply(model, kept, NAMES).items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5)
    assert seen == []


def test_heads_train_as_they_do_behind_the_encoder(tmp_path: Path) -> None:
    """With the heads' dropout on, which falls the same way."""
    found = []
    for cached in (False, True):
        model, flat = toy_model(0.4)
        sources = toy_sources({"sst": 20, "sts": 9})
        if cached:
            sources = [replace(source, table=keep(model, source.table, tmp_path / source.name)) for source in sources]
            seen = encoded_texts(model)
        stepper = Stepper(model, flat, sources, None, micro_batch_tokens=60, seed=3)
        result = stepper.step({"sst": np.arange(3, 15), "sts": np.arange(9)}, 1e-2, 7)
        found.append((result, {task: head.grad.clone() for task, head in stepper.heads.items()}))
    assert seen == []
    assert found[0][0].losses == pytest.approx(found[1][0].losses, rel=1e-5)
    assert found[0][0].tokens == found[1][0].tokens
    for task, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][task], gradient, rtol=1e-4, atol=1e-5)


def test_features_and_an_encoder_that_trains_are_refused(tmp_path: Path) -> None:
    model, flat = toy_model()
    source = toy_source("sst", 5)
    source = replace(source, table=keep(model, source.table, tmp_path / "f"))
    with pytest.raises(ValueError, match="frozen encoder"):
        Stepper(model, flat, [source], slice(None))


def test_what_is_there_is_not_encoded_again(tmp_path: Path) -> None:
    model, table = toy_model()[0], TABLES["sst"]
    first = keep(model, table, tmp_path / "f").features
    seen = encoded_texts(model)
    assert equal(keep(model, table, tmp_path / "f").features, first)
    assert seen == []
    remove_features(tmp_path / "f")
    remove_features(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("saved", [1, 2])
def test_it_goes_on_after_what_was_saved(saved: int, tmp_path: Path) -> None:
    """Stopped after a third chunk that nothing vouches for: that one is encoded again, those before it are not."""
    model, table = toy_model()[0], TABLES["sst"]
    whole = keep(model, table, tmp_path / "whole").features
    calls: list[int] = []

    def watch(sequences: int, tokens: int, save: Callable[[], None]) -> None:
        calls.append(sequences)
        assert tokens == table.offsets[sequences]
        if len(calls) <= saved:
            save()
        if len(calls) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        keep(model, table, tmp_path / "f", watch)
    seen = encoded_texts(model)
    assert equal(keep(model, table, tmp_path / "f").features, whole)
    assert sum(seen) == len(table) - calls[saved - 1] > 0


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def say_more(path: Path) -> None:
    facts = path.with_name("f.json")
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "sequences": 10**9}))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one bit": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "facts gone": lambda path: path.with_name("f.json").unlink(),
    "facts no JSON": lambda path: path.with_name("f.json").write_bytes(b"\xff{"),
    "facts of another kind": lambda path: path.with_name("f.json").write_text('{"sequences": "all"}'),
    "more than there are": say_more,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_mended(damage: str, tmp_path: Path) -> None:
    model, table = toy_model()[0], TABLES["sst"]
    before = keep(model, table, tmp_path / "f").features
    expected = np.array(before)
    DAMAGE[damage](tmp_path / "f")
    assert equal(keep(model, table, tmp_path / "f").features, expected)


def test_features_of_something_else_are_made_anew(tmp_path: Path) -> None:
    model, other, table = toy_model()[0], toy_model(seed=1)[0], TABLES["sst"]
    keep(model, table, tmp_path / "f")
    kept = with_features(other, table, tmp_path / "f", feature_key(other, "other", table), lambda *_: None)
    assert equal(kept.features, keep(other, table, tmp_path / "g").features)


def test_the_key_tells_apart_what_gives_other_features() -> None:
    model, table = toy_model()[0], TABLES["sst"]
    halved = toy_model()[0]
    halved.matmul_dtype = torch.bfloat16
    found = {
        feature_key(model, "w", table),
        feature_key(model, "v", table),
        feature_key(halved, "w", table),
        feature_key(model, "w", replace(table, ids=table.ids[::-1].copy())),
        feature_key(model, "w", replace(table, segments=1 - table.segments)),
        feature_key(model, "w", replace(table, offsets=np.delete(table.offsets, 3))),
    }
    assert len(found) == 6
    assert feature_key(model, "w", replace(table, per_example=2)) in found  # the same texts
