"""The multi-task model: one encoding, named heads, whatever their names; fresh heads are a function of the seed."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from factories import packed
from torch import Tensor, nn

from mtft.data.packing import TokenBatch
from mtft.encoder.bert import EncoderConfig, EncoderOutput
from mtft.errors import PluginError
from mtft.heads import ReportHead, report_head
from mtft.model.multitask import MultiTaskModel, build_head, build_model
from mtft.tasks.quora import QUORA
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.testing.tiny import TINY, tiny_batch, tiny_encoder, tiny_table

AWKWARD = ["train", "type", "keys", "items", "values", "eval", "forward", "encoder", "heads", "half", "0", "a-b", "to"]


def same(first: nn.Module, second: nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Lengths(nn.Module):
    """A head that tells how long each sequence is."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, output: EncoderOutput) -> Tensor:
        assert isinstance(output.batch, TokenBatch)
        return self.scale * torch.tensor(output.batch.lengths, device=self.scale.device)[:, None]


# ---- The model


def test_outputs_come_in_the_order_that_was_packed() -> None:
    encoder = tiny_encoder()
    model = MultiTaskModel(encoder, {"length": Lengths()}, {"length": 1})
    assert model(tiny_batch(encoder, [5, 2, 9, 1, 5]), ["length"])["length"].tolist() == [[5], [2], [9], [1], [5]]


def test_only_the_heads_asked_for_are_applied_on_one_encoding() -> None:
    model = build_model(tiny_encoder(), [SST, QUORA, STS]).eval()
    calls: list[str] = []
    model.encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    for name, head in model.heads.items():
        head.register_forward_hook(lambda *_, name=name: calls.append(name))
    found = model(tiny_batch(model.encoder, [5, 2]), ["sts", "sst"])
    assert {name: outputs.shape for name, outputs in found.items()} == {"sts": (2, 1), "sst": (2, 5)}
    assert calls == ["encoder", "sts", "sst"]
    with pytest.raises(KeyError):
        model(tiny_batch(model.encoder, [5, 2]), ["nli"])


def test_outputs_do_not_depend_on_what_shares_the_batch() -> None:
    model = build_model(tiny_encoder(), [SST, STS]).eval()
    table = tiny_table(model.encoder, [4, 9, 4, 1])
    with torch.no_grad():
        together = model(packed((table, np.array([3, 1, 0, 2]))), ["sst", "sts"])
        for index, row in enumerate([3, 1, 0, 2]):
            alone = model(packed((table, np.array([row]))), ["sst", "sts"])
            for task in alone:
                torch.testing.assert_close(alone[task][0], together[task][index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_task_may_be_named_like_anything_a_module_has(name: str) -> None:
    """What nn.Module and its containers call their own must not be in a task's way."""
    model = build_model(tiny_encoder(), [replace(STS, name=name), SST])
    assert list(model.heads) == [name, "sst"]
    assert model(tiny_batch(model.encoder, [3]), [name])[name].shape == (1, 1)
    assert model.train() is model
    assert model.heads[name].training
    assert not model.eval().heads[name].training


def test_heads_are_parts_of_the_model_and_keep_their_own_state_names() -> None:
    head = report_head(TINY, 1)
    encoder = tiny_encoder()
    model = MultiTaskModel(encoder, {"sts": head, "train": report_head(TINY, 2)}, {"sts": 1, "train": 2})
    assert model.heads["sts"] is head
    assert model.heads["sts"].state_dict().keys() == report_head(TINY, 1).state_dict().keys()
    expected = {id(p) for part in (encoder, *model.heads.values()) for p in part.parameters()}
    assert {id(parameter) for parameter in model.parameters()} == expected
    model.double()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert head.projection.weight.dtype == torch.float64


def test_copies_and_state_dicts_hold_the_heads() -> None:
    model = build_model(tiny_encoder(), [SST, STS])
    twin = copy.deepcopy(model)
    assert same(twin, model)
    assert {id(head) for head in twin.heads.values()} <= {id(part) for part in twin.modules()}
    with torch.no_grad():
        for parameter in twin.heads["sts"].parameters():
            parameter.zero_()
    assert not same(twin, model)
    twin.load_state_dict(model.state_dict())
    assert same(twin, model)
    assert same(twin.heads["sts"], model.heads["sts"])


# ---- Fresh heads


def test_a_fresh_head_is_a_function_of_seed_and_name_alone() -> None:
    torch.manual_seed(1)
    first = build_head(STS, TINY, seed=3)
    torch.rand(5)
    assert same(build_head(STS, TINY, seed=3), first)
    assert not same(build_head(STS, TINY, seed=4), first)
    assert not same(build_head(replace(STS, name="other"), TINY, seed=3), first)
    together = build_model(tiny_encoder(), [QUORA, STS], seed=3)
    assert same(together.heads["sts"], first)


def test_building_leaves_global_randomness_alone() -> None:
    encoder, state = tiny_encoder(), torch.get_rng_state()
    build_model(encoder, [SST, STS])
    assert torch.equal(torch.get_rng_state(), state)


def test_heads_have_the_width_of_their_output() -> None:
    heads = build_model(tiny_encoder(), [SST, QUORA, STS]).heads
    assert all(isinstance(head, ReportHead) for head in heads.values())
    assert {name: head.projection.out_features for name, head in heads.items()} == {"sst": 5, "quora": 1, "sts": 1}


def broken(config: EncoderConfig, width: int) -> nn.Module:
    raise RuntimeError("no weights today")


def none(config: EncoderConfig, width: int) -> Any:
    return None


def empty(config: EncoderConfig, width: int) -> nn.Module:
    return nn.Identity()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("mtft.heads:gone", "task 'sts': building its head failed: AttributeError"),
        ("no_such_package:head", "task 'sts': building its head failed: ModuleNotFoundError"),
        (broken, "task 'sts': building its head failed: RuntimeError.*no weights today"),
        (none, "task 'sts': its head is None, not a module with parameters"),
        (empty, r"task 'sts': its head is Identity\(\), not a module with parameters"),
    ],
)
def test_a_head_that_cannot_be_built_names_its_task(head: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        build_head(replace(STS, head=head), TINY)


def test_a_head_with_buffers_is_refused() -> None:
    """They would be neither trained, counted nor put back by what handles parameters."""
    task = replace(SST, head=lambda config, width: torch.nn.BatchNorm1d(width))
    with pytest.raises(PluginError, match="buffers \\(running_mean"):
        build_head(task, TINY)
