"""Bytes that a training needs: by formula, and by micro-batches of shapes without numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtft.encoder.bert import EncoderConfig
from mtft.heads import ReportHead
from mtft.model.multitask import MultiTaskModel
from mtft.model.parameters import ParameterCount
from mtft.plugin.manager import build_registry, load_plugins
from mtft.testing.tiny import TINY, tiny_batch, tiny_encoder, tiny_table
from mtft.training.activation_memory import HEAP, activation_bytes, heaviest, phases

SST = build_registry(load_plugins()).task("sst")
COUNTS = ParameterCount(1000, 300, {"a": 50, "b": 70})


def saved_bytes(lengths: list[int]) -> int:
    """Bytes that autograd keeps for the backward pass of a real micro-batch, weights aside."""
    model = MultiTaskModel(tiny_encoder(), {"sst": ReportHead(TINY, 5)}, {"sst": 5}).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model(tiny_batch(model.encoder, lengths), ["sst"])
    assert outputs["sst"].requires_grad
    return sum(found.values())


@pytest.mark.parametrize("lengths", [[20] * 8, [5, 6, 9, 30, 31, 48], [48] * 20], ids=["equal", "mixed", "long"])
def test_activations_are_what_autograd_keeps_and_a_little_more(lengths: list[int]) -> None:
    kept = saved_bytes(lengths)
    assert kept <= activation_bytes(TINY, SST, lengths) <= 1.35 * kept


def test_activations_by_hand() -> None:
    """Of one long text attention is all: weights of the layer and of the head's, then gradients of one's two steps."""
    config = EncoderConfig(64, 2, 1, 1, 2, 4096)
    assert activation_bytes(config, SST, [4000], dropout=False) == pytest.approx(4 * 4 * 4000**2, rel=0.02)
    kept = activation_bytes(config, SST, [4000])  # and what is dropped, and what is left then
    assert kept == pytest.approx(6 * 4 * 4000**2, rel=0.2)


def test_activations_grow_with_tokens_and_shrink_without_gradient() -> None:
    one, two = (activation_bytes(TINY, SST, [24] * count) for count in (16, 32))
    assert two == pytest.approx(2 * one, rel=0.02)
    assert activation_bytes(TINY, SST, [24] * 16, dropout=False) < one
    assert activation_bytes(TINY, SST, [24] * 16, dropout=False, backward=False) < 0.5 * one


def test_nothing_random_is_drawn() -> None:
    before = torch.get_rng_state()
    activation_bytes(TINY, SST, [4, 5])
    assert torch.equal(torch.get_rng_state(), before)


def test_the_heaviest_micro_batch_is_that_of_the_longest_texts() -> None:
    encoder = tiny_encoder()
    tables = {"a": tiny_table(encoder, [3, 40, 5, 38]), "b": tiny_table(encoder, [9, 9, 30, 8], per_example=2)}
    batches = [{"a": np.array([0, 2]), "c": np.array([7])}, {"a": np.array([3, 0]), "b": np.array([1])}, {}]
    assert sorted(heaviest(TINY, {"one": tables}, batches, 76)["one"][1]) == [8, 30, 38]
    assert sorted(heaviest(TINY, {"one": tables}, batches, 75)["one"][1]) == [38]
    assert heaviest(TINY, {"one": tables}, batches[:1], 48)["one"][1] == [5, 3]
    assert heaviest(TINY, {"one": tables}, [{"c": np.array([1])}], 48) == {"one": (0, [])}


def test_one_pass_over_the_batches_serves_all_tasks() -> None:
    encoder = tiny_encoder()
    tables = {name: {name: tiny_table(encoder, lengths)} for name, lengths in (("a", [3, 40, 5]), ("b", [9, 30]))}
    batches = [{"a": np.array([0, 1])}, {"a": np.array([2]), "b": np.array([1, 0])}]
    alone = {name: heaviest(TINY, {name: own}, batches, 35)[name] for name, own in tables.items()}
    assert heaviest(TINY, tables, iter(batches), 35) == alone
    assert [lengths for _, lengths in alone.values()] == [[40], [30]]


def test_phases_by_hand() -> None:
    found = phases(COUNTS, baseline=10_000, scoring=5_000, training=7_000, evaluation=400)
    weights = 10_000 + 4 * (2 * 1000 + 120)
    held = weights + 12 * 120 + 300 * (8 + 8 + 2 * 4)
    assert found == {
        "load": weights + 4000,
        "select": weights + 4000 + 4 * 120 + HEAP["select"] * 5_000,
        "train": held + HEAP["train"] * 7_000,
        "evaluate": held + HEAP["evaluate"] * 400,
        "save": held + 1200,
        "check": held + 4 * (2000 + 120) + 4000,
    }


def test_phases_without_activations_hold_what_selection_and_update_make() -> None:
    found = phases(COUNTS, baseline=0, scoring=0, training=0, evaluation=0, scores=2)
    assert found["select"] == 4 * 2120 + 4 * 2120 + 1000 + 8 * 300
    assert found["train"] == found["evaluate"] + 4 * (300 + 70)
