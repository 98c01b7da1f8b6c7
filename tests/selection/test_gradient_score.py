"""Scores are what their definitions say, do not depend on how the data is cut, and change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from factories import LONGEST, WORDS, Part, mean_parts, naive_gradient, toy_model, toy_sources
from torch import Tensor

from mtft.data.sampling import epoch_batches
from mtft.optimization.gradients import TrainingSource
from mtft.selection.budget import top_k
from mtft.selection.gradient_score import GradientScorer, Statistic, bias_score, magnitude_score, random_score
from mtft.selection.scorers import Combination, Rows, Scorer, Scoring

SIZES = {"sst": 9, "quora": 8, "sts": 7, "cfimdb": 4, "quora-consistency": 5}
SOURCES = toy_sources(SIZES)
TASKS = ("sst", "quora", "sts")
ALL: Rows = {name: np.arange(size) for name, size in SIZES.items()}
BATCHES = epoch_batches(SIZES, 6, 0, 0)
statistics = pytest.mark.parametrize("statistic", get_args(Statistic))
combinations = pytest.mark.parametrize("combination", get_args(Combination))


def score(
    batches: Sequence[Rows],
    statistic: Statistic = "sum",
    combination: Combination = "joint",
    *,
    budget: int = 50,
    seed: int | None = None,
    dropout: float = 0.0,
) -> Tensor:
    return scored(scoring(batches, combination, budget=budget, seed=seed, dropout=dropout), statistic)


def scoring(
    batches: Sequence[Rows],
    combination: Combination = "joint",
    *,
    budget: int = 50,
    seed: int | None = None,
    dropout: float = 0.0,
    sources: Sequence[TrainingSource] = SOURCES,
) -> Scoring:
    model, flat = toy_model(dropout)
    drops = seed is not None
    return Scoring(model, flat, sources, batches, combination, budget=budget, seed=seed or 0, dropout=drops)


def scored(given: Scoring, statistic: Statistic = "sum") -> Tensor:
    return given.complete(GradientScorer(given, statistic))


def task_gradient(task: str, rows: Rows) -> Tensor:
    """Gradient [P] of a task's mean loss over all rows, of which only some rows' share is taken."""
    parts = [
        (source, rows.get(source.name, np.zeros(0, np.int64)), scale / 1)
        for source, _, scale in mean_parts(SOURCES, ALL, task)
    ]
    present: list[Part] = [part for part in parts if len(part[1])]
    return naive_gradient(toy_model()[0], present)[1] if present else torch.zeros_like(toy_model()[1].theta).double()


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found.double(), expected.double(), rtol=0, atol=tolerance * float(expected.max()))


# ---- Definitions


def test_sum_is_the_square_of_the_gradient_of_the_whole_loss() -> None:
    expected = sum((task_gradient(task, ALL) for task in TASKS), torch.zeros(())).square()
    assert_close(score(BATCHES), expected)


def test_abs_is_the_square_of_the_summed_absolute_gradients_of_the_batches() -> None:
    expected = sum((task_gradient(task, rows).abs() for task in TASKS for rows in BATCHES), torch.zeros(())).square()
    assert_close(score(BATCHES, "abs"), expected)


def test_fisher_is_the_sum_of_the_squared_gradients_of_the_batches() -> None:
    expected = sum((task_gradient(task, rows).square() for task in TASKS for rows in BATCHES), torch.zeros(()))
    assert_close(score(BATCHES, "fisher"), expected)


def test_normalised_gives_every_task_the_same_total() -> None:
    squares = [task_gradient(task, ALL).square() for task in TASKS]
    expected = sum((square / square.sum() for square in squares), torch.zeros(()))
    assert_close(score(BATCHES, "sum", "normalised"), expected)


@statistics
def test_normalised_scores_sum_to_the_number_of_tasks(statistic: Statistic) -> None:
    assert float(score(BATCHES, statistic, "normalised").sum()) == pytest.approx(3, rel=1e-4)


def test_of_one_batch_all_statistics_of_one_task_are_the_same() -> None:
    given = scoring([{"quora": np.arange(8)}], sources=SOURCES[1:2])
    found = [scored(given, statistic) for statistic in get_args(Statistic)]
    assert_close(found[1], found[0])
    assert_close(found[2], found[0])


# ---- Independence of how the data is cut


@combinations
def test_sum_depends_neither_on_order_nor_on_size_of_batches(combination: Combination) -> None:
    expected = score([ALL], "sum", combination)
    for batches in (BATCHES, BATCHES[::-1], epoch_batches(SIZES, 11, 3, 7)):
        assert_close(score(batches, "sum", combination), expected)


@statistics
@combinations
def test_the_micro_batch_budget_changes_nothing(statistic: Statistic, combination: Combination) -> None:
    expected = score(BATCHES, statistic, combination, budget=10_000)
    assert_close(score(BATCHES, statistic, combination, budget=13), expected)


@statistics
def test_it_repeats_bit_for_bit(statistic: Statistic) -> None:
    assert torch.equal(score(BATCHES, statistic), score(BATCHES, statistic))


@statistics
@combinations
def test_a_task_without_rows_in_the_batches_takes_no_part(statistic: Statistic, combination: Combination) -> None:
    expected = scored(scoring([{"quora": np.arange(8)}], combination, sources=SOURCES[1:2]), statistic)
    found = score([{"quora": np.arange(8)}], statistic, combination)
    assert_close(found, expected)


# ---- Weights that the data does not reach


@statistics
@combinations
def test_weights_that_no_text_uses_score_zero_and_are_not_selected(
    statistic: Statistic, combination: Combination
) -> None:
    model, flat = toy_model()
    found = score(BATCHES, statistic, combination)
    parts = dict(zip(flat.names, found.split(flat.sizes), strict=True))
    words = parts["embeddings.word.weight"].view(-1, model.encoder.config.hidden_size)
    positions = parts["embeddings.position.weight"].view(-1, model.encoder.config.hidden_size)
    assert not words[WORDS:].any()
    assert not positions[LONGEST:].any()
    assert words[:WORDS].any(dim=1).all()
    assert not found.isnan().any()
    alive = int(found.count_nonzero())
    for k in (1, alive // 2, alive):
        assert bool((found[top_k(found, k)] > 0).all())
    assert int((found[top_k(found, alive + 5)] == 0).sum()) == 5


@combinations
def test_a_loss_without_gradient_scores_zero(combination: Combination) -> None:
    given = scoring([{"sts": np.arange(7)}], combination, sources=SOURCES[2:3])
    for parameter in given.model.heads["sts"].parameters():
        parameter.data.zero_()
    assert not scored(given).any()


# ---- Side effects and dropout


@statistics
@pytest.mark.parametrize("seed", [None, 3])
def test_scoring_changes_no_weight_and_leaves_no_gradient(statistic: Statistic, seed: int | None) -> None:
    given = scoring(BATCHES, seed=seed, dropout=0.3)
    before = {name: tensor.clone() for name, tensor in given.model.state_dict().items()}
    random = torch.get_rng_state()
    scored(given, statistic)
    assert all(torch.equal(tensor, before[name]) for name, tensor in given.model.state_dict().items())
    assert not given.encoder.grad.any()
    assert torch.equal(torch.get_rng_state(), random)


def test_dropout_is_off_without_a_seed() -> None:
    assert torch.equal(score(BATCHES, dropout=0.5), score(BATCHES, dropout=0.0))


@statistics
def test_dropout_is_drawn_from_the_seed(statistic: Statistic) -> None:
    first, second, other = (score(BATCHES, statistic, seed=seed, dropout=0.3) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, score(BATCHES, statistic, dropout=0.3))


# ---- Going on


@statistics
@combinations
@pytest.mark.parametrize("seed", [None, 3])
def test_a_scorer_goes_on_after_any_step_with_the_same_bits(
    statistic: Statistic, combination: Combination, seed: int | None
) -> None:
    def fresh() -> GradientScorer:
        return GradientScorer(scoring(BATCHES, combination, budget=20, seed=seed, dropout=0.3), statistic)

    whole, states = fresh(), list[tuple[dict[str, Tensor], list[int]]]()
    while not whole.done:
        states.append(state_of(whole))
        whole.step()
    states.append(state_of(whole))
    assert len({tuple(position) for _, position in states}) == len(states) > 6
    for tensors, position in states:
        again = fresh()
        again.load_state_dict(tensors, position)
        while not again.done:
            again.step()
        assert torch.equal(again.score(), whole.score())


def state_of(scorer: Scorer) -> tuple[dict[str, Tensor], list[int]]:
    return {name: tensor.clone() for name, tensor in scorer.state_dict().items()}, list(scorer.position)


@statistics
@combinations
def test_states_as_they_were_saved_before_scorers_had_steps_lead_to_the_same_bits(
    statistic: Statistic, combination: Combination
) -> None:
    """They stand at the end of a batch, or of a task, that is not added up yet."""
    expected = score(BATCHES, statistic, combination)
    at_batch = GradientScorer(scoring(BATCHES, combination), statistic)
    count = len(at_batch._micro_batches())
    for number in range(count):
        at_batch._micro_batches().add(number)
    again = GradientScorer(scoring(BATCHES, combination), statistic)
    again.load_state_dict(at_batch.state_dict(), (0, 0, count))
    while not again.done:
        again.step()
    assert torch.equal(again.score(), expected)


def test_progress_is_of_every_row_once() -> None:
    seen: list[tuple[int, int]] = []
    given = scoring(BATCHES, budget=20)
    scorer = GradientScorer(given, "abs")
    while not scorer.done:
        scorer.step(lambda examples, tokens: seen.append((examples, tokens)))
    assert sum(examples for examples, _ in seen) == sum(SIZES.values())
    assert sum(tokens for _, tokens in seen) == sum(len(source.table.ids) for source in SOURCES)


class Kept:
    """Checkpoints that keep the state of each step."""

    def __init__(self, states: list[tuple[dict[str, Tensor], list[int]]]) -> None:
        self.states = states

    def restore(self, scorer: Scorer) -> None:
        if self.states:
            scorer.load_state_dict(*self.states[-1])

    def after_step(self, scorer: Scorer) -> None:
        self.states.append(state_of(scorer))


def test_checkpoints_get_the_state_after_each_step_and_give_the_last_one_back() -> None:
    kept = Kept([])
    expected = scored(replace(scoring(BATCHES), checkpoints=kept), "fisher")
    steps = len(kept.states)
    del kept.states[steps // 2 :]
    assert torch.equal(scored(replace(scoring(BATCHES), checkpoints=kept), "fisher"), expected)
    assert len(kept.states) == steps


# ---- Scores without data


def test_random_scores_are_uniform_and_repeat() -> None:
    given = scoring([])
    scores = random_score(given)
    assert scores.shape == given.encoder.theta.shape
    assert torch.equal(scores, random_score(given))
    assert not torch.equal(scores, random_score(scoring([], seed=1)))
    assert 0 <= float(scores.min()) < 0.01 < 0.99 < float(scores.max()) < 1
    assert float(scores.mean()) == pytest.approx(0.5, abs=0.02)


def test_magnitude() -> None:
    given = scoring([])
    given.encoder.theta[:3] = torch.tensor([-3.0, 0.0, 2.0])
    assert magnitude_score(given)[:3].tolist() == [3, 0, 2]


def test_biases_are_those_of_linear_layers_and_norms() -> None:
    given = scoring([])
    found = dict(zip(given.encoder.names, bias_score(given).split(given.encoder.sizes), strict=True))
    kinds: dict[str, set[Any]] = {name.rpartition(".")[2]: set() for name in found}
    for name, part in found.items():
        kinds[name.rpartition(".")[2]] |= set(part.tolist())
    assert kinds == {"weight": {0.0}, "bias": {1.0}}
