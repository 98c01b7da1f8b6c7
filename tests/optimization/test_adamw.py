"""Packed AdamW: equal to torch and to float64 oracles, on a selection and on nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import adamw_values
from torch import Tensor

from mtft.optimization import adamw
from mtft.optimization.adamw import PackedAdamW, Rule
from mtft.testing.tiny import device_of_tests

P, LR = 1000, 1e-3
DEVICE = device_of_tests()
SELECTIONS: dict[str, Tensor | slice] = {
    "all": slice(None),
    "part": slice(100, 300),
    "every third": slice(2, None, 3),
    "indices": torch.arange(P)[torch.randn(P, generator=torch.Generator().manual_seed(9)) > 0.5].to(DEVICE),
    "every index": torch.arange(P, device=DEVICE),
    "one index": torch.tensor([P - 1], device=DEVICE),
    "no index": torch.tensor([], dtype=torch.int64, device=DEVICE),
}
selections = pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS.keys())
rules = pytest.mark.parametrize("rule", ["torch", "cs224n"])


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every update take several chunks, the last of them shorter."""
    monkeypatch.setattr(adamw, "_CHUNK", 64)


def start() -> Tensor:
    return torch.randn(P, generator=torch.Generator().manual_seed(0)).to(DEVICE)


def gradients(k: int, steps: int, scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    spread = 10 ** (4 * torch.rand(k, generator=generator) - 2)
    return [(scale * spread * torch.randn(k, generator=generator)).to(DEVICE) for _ in range(steps)]


@selections
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.3}, {"weight_decay": 0.0}, {"betas": (0.8, 0.95), "eps": 1e-3}]
)
@pytest.mark.parametrize("fused", [False, True])
def test_the_torch_rule_equals_torch(selection: Tensor | slice, options: dict[str, Any], fused: bool) -> None:
    theta = start()
    parameter = torch.nn.Parameter(theta[selection].clone())
    oracle = torch.optim.AdamW([parameter], lr=LR, **({"weight_decay": 0.01} | options), foreach=False)
    packed = PackedAdamW(theta, selection, fused=fused, **options)
    for number, gradient in enumerate(gradients(len(parameter), 50)):
        rate = LR * (1 - number / 100)
        oracle.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        oracle.step()
        packed.step(gradient, rate)
    torch.testing.assert_close(theta[selection], parameter.detach(), rtol=1e-6, atol=1e-6)


@rules
@selections
def test_a_rule_equals_its_oracle(rule: Rule, selection: Tensor | slice) -> None:
    theta = start()
    steps = gradients(len(theta[selection]), 50)
    expected = adamw_values(
        theta[selection].double().cpu().numpy(),
        [g.double().cpu().numpy() for g in steps],
        lr=LR,
        weight_decay=0.1,
        rule=rule,
    )
    packed = PackedAdamW(theta, selection, weight_decay=0.1, rule=rule)
    for gradient in steps:
        packed.step(gradient, LR)
    np.testing.assert_allclose(theta[selection].cpu().numpy(), expected, rtol=1e-6, atol=2e-6)


@rules
def test_the_rules_are_told_apart_by_tiny_gradients_in_the_first_steps(rule: Rule) -> None:
    """With gradients of 1e-7, eps = 1e-8 weighs 0.1 of them by torch's rule, and 3 times them by the handout's."""
    theta = torch.zeros(200, device=DEVICE)
    steps = [1e-7 * g.sign() for g in gradients(200, 5)]
    packed = PackedAdamW(theta, slice(None), rule=rule)
    for gradient in steps:
        packed.step(gradient, LR)
    doubles = [g.double().cpu().numpy() for g in steps]
    own, other = (
        adamw_values(np.zeros(200), doubles, lr=LR, rule=name)
        for name in (rule, "cs224n" if rule == "torch" else "torch")
    )
    np.testing.assert_allclose(theta.cpu().numpy(), own, rtol=1e-5, atol=1e-9)
    assert np.abs(own - other).max() > 0.3 * LR
    assert np.abs(theta.cpu().numpy() - other).max() > 0.3 * LR


def test_the_rules_decay_before_and_after() -> None:
    """With a decay of one half the order shows: after one step from 1, torch is at 1/2 - lr, the other at half."""
    ends = {}
    for rule in ("torch", "cs224n"):
        theta = torch.ones(1)
        PackedAdamW(theta, slice(None), weight_decay=5.0, eps=0.0, rule=rule).step(torch.ones(1), 0.1)
        ends[rule] = float(theta)
    assert ends == pytest.approx({"torch": 0.5 - 0.1, "cs224n": (1 - 0.1) / 2})


@rules
@selections
def test_entries_outside_the_selection_keep_their_bits(rule: Rule, selection: Tensor | slice) -> None:
    theta = start()
    theta[::7] = -0.0
    theta[1::11] = float("nan")
    before = theta.clone().view(torch.int32)
    outside = torch.ones(P, dtype=torch.bool, device=DEVICE)
    outside[selection] = False
    packed = PackedAdamW(theta, selection, weight_decay=0.5, rule=rule)
    for gradient in gradients(len(theta[selection]), 3):
        packed.step(gradient, LR)
    assert torch.equal(theta.view(torch.int32)[outside], before[outside])


@selections
def test_it_repeats_bit_for_bit_whatever_the_chunks(selection: Tensor | slice, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    for chunk in (64, 64, P):
        monkeypatch.setattr(adamw, "_CHUNK", chunk)
        theta = start()
        packed = PackedAdamW(theta, selection)
        for gradient in gradients(len(theta[selection]), 5):
            packed.step(gradient, LR)
        ends.append(theta)
    assert torch.equal(ends[0], ends[1])
    torch.testing.assert_close(ends[0], ends[2], rtol=1e-6, atol=1e-7)


def test_it_works_in_place_with_state_for_the_selection_only() -> None:
    theta, direction = start(), torch.ones(200, device=DEVICE)
    address = theta.data_ptr()
    packed = PackedAdamW(theta, slice(100, 300))
    packed.step(direction, LR)
    assert theta.data_ptr() == address
    assert torch.equal(direction, torch.ones(200, device=DEVICE))
    assert {name: value.numel() for name, value in packed.state_dict().items()} == {
        "exp_avg": 200,
        "exp_avg_sq": 200,
        "steps": 1,
    }


def test_it_finds_the_minimum_of_a_parabola() -> None:
    theta, target = start(), torch.linspace(-1, 1, P, device=DEVICE)
    packed = PackedAdamW(theta, slice(None), weight_decay=0.0)
    for number in range(1000):
        packed.step(theta - target, 0.05 * (1 - number / 1000))
    torch.testing.assert_close(theta, target, rtol=0, atol=1e-3)


@rules
def test_a_resumed_optimizer_goes_on_exactly(rule: Rule) -> None:
    selection = SELECTIONS["indices"]
    steps = gradients(len(start()[selection]), 6)
    whole, halves = start(), start()
    packed, first = PackedAdamW(whole, selection, rule=rule), PackedAdamW(halves, selection, rule=rule)
    for gradient in steps:
        packed.step(gradient, LR)
    for gradient in steps[:3]:
        first.step(gradient, LR)
    saved = {name: value.clone() for name, value in first.state_dict().items()}
    second = PackedAdamW(halves, selection, rule=rule)
    second.load_state_dict(saved)
    for gradient in steps[3:]:
        second.step(gradient, LR)
    assert torch.equal(whole, halves)
    assert second.steps == 6
    assert int(saved["steps"]) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exp_avg": None}, r"optimizer state has \['exp_avg_sq', 'steps'\]"),
        ({"max_exp_avg_sq": torch.zeros(3)}, "has .*max_exp_avg_sq"),
        ({"exp_avg": torch.zeros(2)}, r"state exp_avg is torch.float32 of shape \[2\], allowed: torch.float32 \[3\]"),
        ({"exp_avg_sq": torch.zeros(3).double()}, "state exp_avg_sq is torch.float64"),
        ({"steps": torch.zeros(1, dtype=torch.int64)}, r"state steps is torch.int64 of shape \[1\]"),
    ],
)
def test_a_state_of_another_shape_is_refused_and_changes_nothing(
    change: dict[str, Tensor | None], message: str
) -> None:
    packed = PackedAdamW(torch.zeros(5), slice(1, 4))
    state = {"exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3), "steps": torch.tensor(4)} | change
    with pytest.raises(ValueError, match=message):
        packed.load_state_dict({name: value for name, value in state.items() if value is not None})
    assert packed.steps == 0
    assert not packed.exp_avg.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"theta": torch.zeros(4).double()}, "theta is torch.float64"),
        ({"theta": torch.zeros(2, 2)}, r"theta is torch.float32 of shape \[2, 2\]"),
        ({"selection": torch.tensor([0.0])}, "selection is torch.float32"),
        ({"selection": torch.tensor([1, 1])}, "not strictly increasing"),
        ({"selection": torch.tensor([2, 1])}, "not strictly increasing"),
        ({"selection": torch.tensor([1, 4])}, "from 1 to 4, allowed: 0 to 3"),
        ({"selection": torch.tensor([-1, 2])}, "from -1 to 2, allowed: 0 to 3"),
        ({"rule": "adam"}, "rule is 'adam', allowed: torch, cs224n"),
        ({"betas": (0.9, 1.0)}, r"betas \(0.9, 1.0\)"),
        ({"eps": -1.0}, "eps -1.0"),
        ({"weight_decay": float("nan")}, "weight decay nan"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PackedAdamW(**{"theta": torch.zeros(4), "selection": slice(None), **arguments})


@pytest.mark.parametrize("direction", [torch.zeros(3), torch.zeros(4, 1), torch.zeros(4).double()])
def test_a_wrong_direction_is_refused_and_counts_no_step(direction: Tensor) -> None:
    packed = PackedAdamW(torch.zeros(4), slice(None))
    with pytest.raises(ValueError, match=r"allowed: torch.float32 \[4\]"):
        packed.step(direction, LR)
    assert packed.steps == 0
