"""One training step equals its naive reference and changes nothing but what it trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from factories import mean_parts, naive_gradient, toy_model, toy_sources
from reference import pcgrad_direction
from soak import counted
from torch import Tensor

from mtft.data.sampling import epoch_batches
from mtft.encoder.bert import EncoderOutput
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.distillation import DISTANCES
from mtft.optimization.gradients import Teacher, TrainingSource
from mtft.optimization.scaling import Scaling
from mtft.optimization.surgery import SURGERY, random_orders
from mtft.runtime.seeding import torch_generator
from mtft.training.step import NotFiniteError, Rows, Stepper

SIZES = {"sst": 9, "quora": 8, "sts": 7, "cfimdb": 4, "quora-consistency": 5}
SOURCES = toy_sources(SIZES)
TASKS = ["sst", "quora", "sts"]
PART = torch.arange(1, len(toy_model()[1]), 3)
SELECTIONS: dict[str, Tensor | slice | None] = {"part": PART, "all": slice(None), "frozen": None}
selections = pytest.mark.parametrize("selection", SELECTIONS)
RATE, DECAY = 1e-2, 0.1

EVERY: Rows = {name: np.arange(size) for name, size in SIZES.items()}
BATCHES: list[Rows] = [
    EVERY,
    {"sst": np.array([2, 4]), "cfimdb": np.array([1]), "sts": np.array([0, 3, 6])},
    {"quora": np.array([5])},
    {"quora-consistency": np.array([1, 2]), "quora": np.array([0, 1, 2]), "sts": np.array([4])},
    EVERY,
]


def build(
    selection: str = "part", dropout: float = 0.0, sources: list[TrainingSource] = SOURCES, **options: Any
) -> tuple[MultiTaskModel, FlatParameters, Stepper]:
    model, flat = toy_model(dropout)
    options = {"weight_decay": DECAY, "micro_batch_tokens": 60} | options
    return model, flat, Stepper(model, flat, sources, SELECTIONS[selection], **options)


def frozen_bits(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy, to compare later bit by bit."""
    return {name: tensor.clone() for name, tensor in tensors.items()}


def assert_same_bits(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].cpu().numpy().tobytes() == tensor.cpu().numpy().tobytes(), name


# ---- The naive reference


class Naive:
    """The same training by autograd, PCGrad on whole vectors and torch.optim.AdamW."""

    def __init__(self, selection: Tensor | slice, seed: int) -> None:
        self.model, self.flat = toy_model()
        self.selection, self.seed = selection, seed
        self.values = torch.nn.Parameter(self.flat.theta[selection].clone())
        options: dict[str, Any] = {"lr": RATE, "weight_decay": DECAY, "foreach": False}
        self.encoder = torch.optim.AdamW([self.values], **options)
        self.heads = {task: torch.optim.AdamW(self.model.heads[task].parameters(), **options) for task in TASKS}

    def step(self, rows: Rows, number: int, *, surgery: bool) -> dict[str, float]:
        found = {
            task: naive_gradient(self.model, parts) for task in TASKS if (parts := mean_parts(SOURCES, rows, task))
        }
        G = torch.stack([encoder[self.selection] for _, encoder, _ in found.values()]).cpu().numpy()
        orders = random_orders(len(found), torch_generator(self.seed, "surgery", number)).tolist()
        direction = pcgrad_direction(G, orders) if surgery else G.sum(axis=0)
        self.values.grad = torch.from_numpy(direction / len(found)).to(self.values)
        self.encoder.step()
        self.flat.theta[self.selection] = self.values.detach()
        for task, (_, _, gradient) in found.items():
            parameters = list(self.model.heads[task].parameters())
            pieces = (gradient / len(found)).float().split([parameter.numel() for parameter in parameters])
            for parameter, piece in zip(parameters, pieces, strict=True):
                parameter.grad = piece.view_as(parameter)
            self.heads[task].step()
        return {task: loss for task, (loss, _, _) in found.items()}


def assert_moved_alike(found: Tensor, expected: Tensor, moments: Tensor) -> None:
    """Equal where gradients are clear of rounding, which AdamW would blow up to a whole step elsewhere."""
    clear = moments.sqrt() > 1e-5
    assert float(clear.float().mean()) > 0.5
    torch.testing.assert_close(found[clear], expected[clear], rtol=1e-4, atol=1e-2 * RATE)


@pytest.mark.parametrize("surgery", ["pcgrad", "sum"])
@pytest.mark.parametrize("selection", ["part", "all"])
def test_steps_equal_the_naive_reference(selection: str, surgery: str) -> None:
    """Over batches that hold all tasks, two, or one: the mean divides by the tasks present, the rest stands still."""
    model, flat, stepper = build(selection, surgery=surgery, seed=5)
    where = SELECTIONS[selection]
    assert where is not None
    naive = Naive(where, 5)
    changes = []
    for number, rows in enumerate(BATCHES):
        expected = naive.step(rows, number, surgery=surgery == "pcgrad")
        result = stepper.step(rows, RATE, number)
        assert result.losses == pytest.approx(expected, rel=1e-3)
        changes.append(result.changed)
        packed, oracle = stepper.optimizers["encoder"], naive.encoder.state[naive.values]
        for moment, other in ((packed.exp_avg, oracle["exp_avg"]), (packed.exp_avg_sq, oracle["exp_avg_sq"])):
            torch.testing.assert_close(moment, other, rtol=1e-2, atol=1e-3 * float(other.abs().max()))
        assert_moved_alike(flat.theta[where], naive.values.detach(), oracle["exp_avg_sq"])
        for task in TASKS:
            pairs = list(zip(model.heads[task].parameters(), naive.model.heads[task].parameters(), strict=True))
            moments = [naive.heads[task].state[other].get("exp_avg_sq") for _, other in pairs]
            if moments[0] is None:  # has not been in any batch so far
                continue
            assert_moved_alike(
                torch.cat([mine.detach().flatten() for mine, _ in pairs]),
                torch.cat([other.detach().flatten() for _, other in pairs]),
                torch.cat([moment.flatten() for moment in moments]),
            )
    assert any(changes) == (surgery == "pcgrad")


def test_the_result_tells_tokens_and_cosines() -> None:
    _, _, stepper = build()
    result = stepper.step(BATCHES[1], RATE, 0)
    lengths = {source.name: source.table.example_lengths for source in SOURCES}
    assert result.tokens == sum(int(lengths[name][rows].sum()) for name, rows in BATCHES[1].items())
    vectors = [
        naive_gradient(toy_model()[0], mean_parts(SOURCES, BATCHES[1], task))[1][PART] for task in ("sst", "sts")
    ]
    expected = torch.nn.functional.cosine_similarity(vectors[0], vectors[1], dim=0)
    assert list(result.losses) == ["sst", "sts"]
    assert result.cosines.shape == (2, 2)
    assert float(result.cosines[0, 1]) == pytest.approx(float(expected), abs=1e-4)


def test_weights_of_sources_are_renormalised_over_those_present() -> None:
    """Three to one for each other source of sentiment: of sst and cfimdb alone, 3/4 and 1/4."""

    def mean(name: str, rows: list[int]) -> float:
        source = next(source for source in SOURCES if source.name == name)
        return naive_gradient(toy_model()[0], [(source, np.array(rows), 1 / len(rows))])[0]

    sst, cfimdb, pairs = mean("sst", [0, 1, 2]), mean("cfimdb", [3]), mean("quora-consistency", [1, 4])
    sets: list[tuple[Rows, float]] = [
        ({"sst": np.arange(3)}, sst),
        ({"sst": np.arange(3), "cfimdb": np.array([3])}, (3 * sst + cfimdb) / 4),
        ({"cfimdb": np.array([3]), "quora-consistency": np.array([1, 4])}, (cfimdb + pairs) / 2),
        (
            {"sst": np.arange(3), "cfimdb": np.array([3]), "quora-consistency": np.array([1, 4])},
            (3 * sst + cfimdb + pairs) / 5,
        ),
    ]
    for rows, expected in sets:
        assert build()[2].step(rows, RATE, 0).losses["sst"] == pytest.approx(expected, rel=1e-4)


# ---- What does not move


@pytest.mark.parametrize("rule", ["torch", "cs224n"])
def test_unselected_weights_keep_their_bits_over_fifty_steps_with_decay(rule: str) -> None:
    _, flat, stepper = build("part", dropout=0.1, weight_decay=0.5, rule=rule, surgery="pcgrad")
    before = flat.theta.clone()
    batches = [rows for epoch in range(10) for rows in epoch_batches(SIZES, 7, 0, epoch)][:50]
    assert len(batches) == 50
    for number, rows in enumerate(batches):
        stepper.step(rows, RATE, number)
    outside = torch.ones(len(flat), dtype=torch.bool)
    outside[PART] = False
    assert flat.theta[outside].cpu().numpy().tobytes() == before[outside].cpu().numpy().tobytes()
    assert bool((flat.theta[PART] != before[PART])[before[PART] != 0].all())


@pytest.mark.parametrize("absent", TASKS)
def test_a_task_that_is_absent_keeps_head_and_moments(absent: str) -> None:
    model, _, stepper = build()
    stepper.step(EVERY, RATE, 0)
    head, optimizer = frozen_bits(model.heads[absent].state_dict()), stepper.optimizers[f"head.{absent}"]
    moments = frozen_bits(optimizer.state_dict())
    rows = {source.name: EVERY[source.name] for source in SOURCES if source.task != absent}
    result = stepper.step(rows, RATE, 1)
    assert list(result.losses) == [task for task in TASKS if task != absent]
    assert_same_bits(model.heads[absent].state_dict(), head)
    assert_same_bits(optimizer.state_dict(), moments)
    assert optimizer.steps == 1
    assert stepper.optimizers["encoder"].steps == 2


def test_heads_of_tasks_that_do_not_train_are_untouched() -> None:
    model, _, stepper = build(sources=SOURCES[:1])
    others = {task: frozen_bits(model.heads[task].state_dict()) for task in ("quora", "sts")}
    for number in range(3):
        stepper.step({"sst": np.arange(9)}, RATE, number)
    for task, before in others.items():
        assert_same_bits(model.heads[task].state_dict(), before)


# ---- A frozen encoder


def test_a_frozen_encoder_keeps_its_bits_and_other_heads_too() -> None:
    model, flat, stepper = build("frozen", dropout=0.1, sources=SOURCES[2:3])
    parts = {"encoder": model.encoder, **{task: model.heads[task] for task in TASKS}}
    before = {name: frozen_bits(part.state_dict()) for name, part in parts.items()}
    result = [stepper.step({"sts": np.arange(7)}, RATE, number) for number in range(5)][-1]
    for name in ("encoder", "sst", "quora"):
        assert_same_bits(parts[name].state_dict(), before[name])
    assert all(not torch.equal(tensor, before["sts"][name]) for name, tensor in parts["sts"].state_dict().items())
    assert set(stepper.optimizers) == {"head.sts"}
    assert (list(result.losses), result.changed, result.cosines.tolist()) == (["sts"], 0, [[1]])
    assert not any(parameter.requires_grad for parameter in flat.module.parameters())


def test_a_frozen_encoder_has_no_dropout_but_the_head_has() -> None:
    model, _, stepper = build("frozen", dropout=0.5, sources=SOURCES[2:3], micro_batch_tokens=10_000)
    seen: list[Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: EncoderOutput) -> None:
        seen.append(output.packed.detach().clone())

    model.encoder.register_forward_hook(keep)
    losses = [stepper.step({"sts": np.arange(7)}, 0.0, number).losses["sts"] for number in range(2)]
    assert torch.equal(seen[0], seen[1])
    assert losses[0] != losses[1]
    assert not model.encoder.training
    assert model.heads["sts"].training


def test_frozen_steps_move_a_head_as_the_naive_reference_does() -> None:
    model, _, stepper = build("frozen", sources=SOURCES[2:3])
    naive = toy_model()[0]
    _, _, gradient = naive_gradient(naive, mean_parts(SOURCES, EVERY, "sts"))
    stepper.step({"sts": np.arange(7)}, RATE, 0)
    torch.testing.assert_close(stepper.heads["sts"].grad.double(), gradient, rtol=1e-3, atol=1e-5)
    assert model.heads["sts"].training


# ---- Losses that are not finite


@pytest.mark.parametrize("value", [math.nan, math.inf])
@selections
def test_a_loss_that_is_not_finite_is_named_before_any_weight_changes(selection: str, value: float) -> None:
    broken = replace(SOURCES[2], loss=lambda outputs, targets: outputs.squeeze(-1) * value)
    model, _, stepper = build(selection, sources=[*SOURCES[:2], broken])
    before, state = frozen_bits(model.state_dict()), frozen_bits(stepper.state())
    rows = {name: EVERY[name] for name in TASKS}
    said = (
        r"step 8: the loss of task 'sts' is (nan|inf|-inf) \(examples sts 0, .* and 2 more.*\); no weight was changed"
    )
    with pytest.raises(NotFiniteError, match=said):
        stepper.step(rows, RATE, 7)
    assert_same_bits(model.state_dict(), before)
    assert_same_bits(stepper.state(), state)
    assert all(optimizer.steps == 0 for optimizer in stepper.optimizers.values())


@pytest.mark.parametrize("selection", ["all", "part"])
def test_a_direction_that_is_not_finite_changes_nothing(selection: str) -> None:
    model, _, stepper = build(selection, surgery=lambda K, _: torch.full((len(K),), 1e300, dtype=torch.float64))
    before, state = frozen_bits(model.state_dict()), frozen_bits(stepper.state())
    with pytest.raises(NotFiniteError, match="the direction of all tasks together is not finite"):
        stepper.step({name: EVERY[name] for name in TASKS}, RATE, 0)
    assert_same_bits(model.state_dict(), before)
    assert_same_bits(stepper.state(), state)


def test_the_layer_that_breaks_is_named() -> None:
    _, flat, stepper = build()
    flat.module.get_parameter("layers.1.output.weight").data[3, 3] = math.inf
    with pytest.raises(NotFiniteError, match=r"first in layer encoder\.layers\.1\.output"):
        stepper.step({"sst": np.arange(3)}, RATE, 0)


def test_a_gradient_that_breaks_is_named_by_its_weight() -> None:
    """The root of a zero output has a finite value and an infinite slope."""

    def root(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - outputs.detach()).abs().sqrt().sum(-1)

    model, _, stepper = build("all", sources=[*SOURCES[:2], replace(SOURCES[2], loss=root)])
    before = frozen_bits(model.state_dict())
    with pytest.raises(
        NotFiniteError, match=r"gradient of task 'sts' is not finite, .*\(one of the examples sts 0, .* gradient of emb"
    ):
        stepper.step({"sts": np.arange(3)}, RATE, 0)
    assert_same_bits(model.state_dict(), before)


# ---- Repeating and going on


def trained(selection: str, steps: int, seed: int = 0) -> tuple[MultiTaskModel, Stepper]:
    model, _, stepper = build(selection, dropout=0.2, seed=seed)
    for number in range(steps):
        stepper.step(BATCHES[number % len(BATCHES)], RATE, number)
    return model, stepper


@selections
def test_the_same_seed_gives_the_same_bits(selection: str) -> None:
    (first, one), (second, two) = trained(selection, 4), trained(selection, 4)
    assert_same_bits(first.state_dict(), second.state_dict())
    assert_same_bits(one.state(), two.state())


def test_another_seed_gives_other_weights() -> None:
    first, second = trained("part", 2)[0].state_dict(), trained("part", 2, seed=1)[0].state_dict()
    assert any(not torch.equal(first[name], second[name]) for name in first)


@selections
def test_a_restored_step_goes_on_bit_for_bit(selection: str) -> None:
    whole, stepper = trained(selection, 6)
    saved = frozen_bits(trained(selection, 3)[1].state())
    model, _, resumed = build(selection, dropout=0.2)
    resumed.restore(saved)
    assert_same_bits(resumed.state(), saved)
    for number in range(3, 6):
        resumed.step(BATCHES[number % len(BATCHES)], RATE, number)
    assert_same_bits(model.state_dict(), whole.state_dict())
    assert_same_bits(resumed.state(), stepper.state())


@selections
def test_the_state_holds_what_training_changes_and_no_more(selection: str) -> None:
    _, _, stepper = build(selection)
    sizes = {f"head.{task}": len(stepper.heads[task]) for task in TASKS}
    if selection != "frozen":
        sizes["encoder"] = len(PART) if selection == "part" else len(stepper.encoder)
    expected = {f"{name}.{key}": size for name, size in sizes.items() for key in ("theta", "exp_avg", "exp_avg_sq")}
    expected |= {f"{name}.steps": 1 for name in sizes}
    assert {name: tensor.numel() for name, tensor in stepper.state().items()} == expected


# ---- Tasks without a gradient


@pytest.mark.soak
@pytest.mark.parametrize("surgery", SURGERY)
@pytest.mark.parametrize("kind", ["zero", "missing", "of the head alone", "all zero"])
def test_a_gradient_that_is_zero_or_missing_never_yields_nan(kind: str, surgery: str) -> None:
    without: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "zero": lambda outputs, targets: outputs.sum(-1) * 0,
        "missing": lambda outputs, targets: outputs.new_zeros(len(targets)).requires_grad_(),
        "of the head alone": lambda outputs, targets: outputs.sum(-1),
        "all zero": lambda outputs, targets: outputs.sum(-1) * 0,
    }
    sources = [replace(SOURCES[0], loss=without[kind]), *SOURCES[1:3]]
    if kind == "all zero":
        sources = [replace(source, loss=without[kind]) for source in sources]
    model, _, stepper = build(surgery=surgery, sources=sources)
    if kind == "of the head alone":
        for name, parameter in model.heads["sst"].named_parameters():
            if not name.endswith("bias"):
                parameter.data.zero_()
    with counted("a task whose gradient is zero or missing never yields NaN", "faults") as tried:
        for number in range(3):
            result = stepper.step({name: EVERY[name] for name in TASKS}, RATE, number)
            assert math.isfinite(result.changed)
            assert bool(result.cosines.isfinite().all())
        tried.one()
    assert all(bool(tensor.isfinite().all()) for tensor in stepper.state().values())


@selections
def test_a_gradient_whose_square_overflows_is_named_and_not_applied(selection: str) -> None:
    """Its second moment would be infinite for ever, and the weight never move again."""
    huge = replace(SOURCES[2], loss=lambda outputs, targets: outputs.squeeze(-1) * 1e25)
    model, _, stepper = build(selection, sources=[*SOURCES[:2], huge])
    before, state = frozen_bits(model.state_dict()), frozen_bits(stepper.state())
    said = r"task 'sts' is not finite, or too large to be squared \(one of the examples sts 0, .*gradient of \S+: \S+"
    with pytest.raises(NotFiniteError, match=said):
        stepper.step({name: EVERY[name] for name in TASKS}, RATE, 0)
    assert_same_bits(model.state_dict(), before)
    assert_same_bits(stepper.state(), state)


# ---- How much each task counts


def test_factors_multiply_the_gradients_of_encoder_and_heads() -> None:
    """Against one step with all losses scaled beforehand: with `sum`, tasks that count as their loss says."""
    losses = build(surgery="sum")[2].step(EVERY, RATE, 0).losses
    scaling = Scaling("log", {"sts": 2.0})
    _, _, stepper = build(surgery="sum", scaling=scaling)
    stepper.step(EVERY, RATE, 0)
    factors = {task: scaling.factor(task, loss) for task, loss in losses.items()}
    scaled = [replace(source, loss=_times(source.loss, factors[source.task])) for source in SOURCES]
    _, _, expected = build(surgery="sum", sources=scaled)
    expected.step(EVERY, RATE, 0)
    torch.testing.assert_close(stepper.gradients, expected.gradients, rtol=1e-4, atol=1e-7)
    for task, head in stepper.heads.items():
        torch.testing.assert_close(head.grad, expected.heads[task].grad, rtol=1e-4, atol=1e-7)
    assert factors["sts"] != 1


def _times(loss: Any, factor: float) -> Any:
    return lambda outputs, targets: factor * loss(outputs, targets)


def test_factors_of_one_keep_all_bits() -> None:
    first, second = build(), build(scaling=Scaling("none", {"sst": 1.0}))
    for number, rows in enumerate(BATCHES):
        first[2].step(rows, RATE, number)
        second[2].step(rows, RATE, number)
    assert torch.equal(first[1].theta, second[1].theta)


def test_teachers_are_heard_until_their_steps_are_over() -> None:
    says = torch.randn(SIZES["sts"], 1, generator=torch.Generator().manual_seed(0))
    taught = [replace(s, teacher=Teacher(says, DISTANCES["bounded"])) if s.name == "sts" else s for s in SOURCES]
    for number, same in ((0, False), (3, False), (4, True), (9, True)):
        found = [
            build(sources=sources, teaching_steps=4)[2].step(EVERY, RATE, number).losses
            for sources in (SOURCES, taught)
        ]
        assert (found[0]["sts"] == found[1]["sts"]) is same
        assert found[0]["sst"] == found[1]["sst"]


@pytest.mark.parametrize(("eps", "tolerance"), [(1e-8, 0.02), (1e-30, 1e-6)])
def test_task_weights_move_the_encoder_and_hardly_a_head(eps: float, tolerance: float) -> None:
    """AdamW divides a gradient by its size: a factor cancels but for epsilon. Of the encoder it changes the mixture."""
    moves = []
    for weights in ({}, {"sst": 32.0}):
        _, flat, stepper = build(surgery="sum", eps=eps, scaling=Scaling("none", weights))
        vectors = {"encoder": flat.theta, **{task: head.theta for task, head in stepper.heads.items()}}
        before = frozen_bits(vectors)
        stepper.step(EVERY, RATE, 0)
        moves.append({name: vector - before[name] for name, vector in vectors.items()})
    plain, weighted = moves
    changes = {name: float((weighted[name] - move).norm() / move.norm()) for name, move in plain.items()}
    assert changes.pop("encoder") > 0.3
    assert max(changes.values()) < tolerance, changes
