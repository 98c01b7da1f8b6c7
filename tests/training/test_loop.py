"""The loop gives every row once an epoch, ends where it should and goes on where it was left."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from factories import rowless, toy_model, toy_sources
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtft.optimization.schedule import learning_rate
from mtft.training.loop import EpochDone, Event, Plan, StepDone, StepSkipped, train
from mtft.training.step import NotFiniteError, Rows, Stepper, StepResult

SIZES = {"sst": 9, "quora": 8, "sts": 3}
RESULT = StepResult({}, 0, torch.zeros(0, 0), 0.0)


class Recorder:
    """Stands for a stepper: keeps the calls."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sources = {source.name: source for source in rowless(sizes)}
        self.calls: list[tuple[Rows, float, int]] = []

    def step(self, rows: Rows, rate: float, number: int) -> StepResult:
        self.calls.append((rows, rate, number))
        return RESULT


def run(plan: Plan, epochs: int = 0, steps: int = 0, sizes: dict[str, int] = SIZES) -> tuple[Recorder, list[Event]]:
    recorder = Recorder(sizes)
    return recorder, list(train(recorder, plan, epochs, steps))  # type: ignore[arg-type]


def comparable(recorder: Recorder) -> list[tuple[dict[str, list[int]], float, int]]:
    return [
        ({name: chosen.tolist() for name, chosen in rows.items()}, rate, number)
        for rows, rate, number in recorder.calls
    ]


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.integers(1, 3), st.integers(1, 40), st.integers(0, 9))
def test_every_epoch_takes_every_row_once(counts: list[int], epochs: int, batch_size: int, seed: int) -> None:
    sizes = {f"source{number}": count for number, count in enumerate(counts)}
    plan = Plan(epochs, batch_size, 1e-3, seed=seed)
    recorder, events = run(plan, sizes=sizes)
    steps = [event for event in events if isinstance(event, StepDone)]
    assert len(steps) == len(recorder.calls) == plan.steps(sizes)
    everything = Counter((name, row) for name, count in sizes.items() for row in range(count))
    for epoch in range(1, epochs + 1):
        mine = [rows for event, (rows, _, _) in zip(steps, recorder.calls, strict=True) if event.epoch == epoch]
        seen = Counter((name, row) for rows in mine for name, chosen in rows.items() for row in chosen.tolist())
        assert seen == everything
        assert {sum(map(len, rows.values())) for rows in mine[:-1]} <= {batch_size}
    assert all(len(chosen) for rows, _, _ in recorder.calls for chosen in rows.values())


def test_epochs_and_seeds_shuffle_anew() -> None:
    first, again, other = (comparable(run(Plan(2, 4, 1e-3, seed=seed))[0]) for seed in (0, 0, 1))
    assert first == again != other
    half = len(first) // 2
    assert [rows for rows, _, _ in first[:half]] != [rows for rows, _, _ in first[half:]]


def test_the_events() -> None:
    _, events = run(Plan(2, 10, 1e-3))
    assert [(type(event), event.epoch) for event in events] == [
        (StepDone, 1),
        (StepDone, 1),
        (EpochDone, 1),
        (StepDone, 2),
        (StepDone, 2),
        (EpochDone, 2),
    ]
    assert [event.number for event in events if isinstance(event, StepDone)] == [1, 2, 3, 4]
    assert [event.step for event in events if isinstance(event, EpochDone)] == [2, 4]
    assert all(event.result is RESULT for event in events if isinstance(event, StepDone))


@pytest.mark.parametrize(("most", "steps", "epochs"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 2), (99, 4, 2)])
def test_max_steps_cuts_the_last_epoch_short(most: int, steps: int, epochs: int) -> None:
    recorder, events = run(Plan(2, 10, 1e-3, max_steps=most))
    ends = [event for event in events if isinstance(event, EpochDone)]
    assert len(recorder.calls) == steps
    assert events[-1] == ends[-1] == EpochDone(epochs, steps, steps if steps % 2 else 0)
    assert [event.name for event in ends][-1] == (f"{epochs} (to step {steps})" if steps % 2 else f"{epochs}")
    assert len(ends) == epochs


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_learning_rate_follows_the_schedule_over_all_steps(schedule: str) -> None:
    plan = Plan(3, 4, 1e-2, schedule=schedule, warmup=0.2)  # type: ignore[arg-type]
    recorder, events = run(plan)
    expected = [
        learning_rate(step, peak=1e-2, total_steps=15, warmup_steps=3, schedule=schedule)  # type: ignore[arg-type]
        for step in range(15)
    ]
    assert [rate for _, rate, _ in recorder.calls] == expected
    assert [event.rate for event in events if isinstance(event, StepDone)] == expected
    assert [number for _, _, number in recorder.calls] == list(range(15))


def test_the_schedule_ends_where_max_steps_does() -> None:
    recorder, _ = run(Plan(3, 4, 1.0, warmup=0.0, max_steps=4))
    assert [rate for _, rate, _ in recorder.calls] == [1, 0.75, 0.5, 0.25]


def test_it_waits_for_whoever_iterates() -> None:
    recorder = Recorder(SIZES)
    events = train(recorder, Plan(1, 4, 1e-3))  # type: ignore[arg-type]
    assert not recorder.calls
    next(events)
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("most", [None, 8])
def test_a_loop_goes_on_as_an_unbroken_one(most: int | None) -> None:
    """After every event: in the middle of an epoch, after its last step, and after its end."""
    plan = Plan(3, 6, 1e-2, schedule="cosine", max_steps=most)
    whole, events = run(plan)
    epochs = steps = 0
    for index, event in enumerate(events):
        if isinstance(event, EpochDone):
            epochs = event.epoch
        else:
            steps = event.number
        rest, later = run(plan, epochs, steps)
        if later or steps < len(whole.calls):
            assert comparable(rest) == comparable(whole)[steps:]
            assert later == events[index + 1 :]


@pytest.mark.parametrize("cut", range(1, 12))
@pytest.mark.parametrize("most", [None, 11])
def test_a_loop_cut_short_goes_on_with_more_steps(cut: int, most: int | None) -> None:
    given = {"epochs": 3, "batch_size": 6, "lr": 1e-2, "schedule": "constant", "warmup": 0.0}
    before, events = run(Plan(**given, max_steps=cut))  # type: ignore[arg-type]
    last = events[-1]
    assert isinstance(last, EpochDone)
    after, rest = run(Plan(**given, max_steps=most), last.epoch, cut)  # type: ignore[arg-type]
    whole, _ = run(Plan(**given, max_steps=most))  # type: ignore[arg-type]
    assert comparable(before) + comparable(after) == comparable(whole)
    ends = [event for event in rest if isinstance(event, EpochDone)]
    assert [event.epoch for event in ends] == list(range(last.epoch + (cut % 4 == 0), 4))[: len(ends)]


@pytest.mark.parametrize(("epochs", "steps", "ends"), [(1, 7, [EpochDone(2, 7, 7)]), (1, 4, []), (2, 8, [])])
def test_a_loop_beyond_its_end_takes_no_step(epochs: int, steps: int, ends: list[EpochDone]) -> None:
    recorder, events = run(Plan(3, 6, 1e-2, max_steps=3), epochs, steps)
    assert (recorder.calls, events) == ([], ends)


def test_a_step_that_breaks_is_skipped() -> None:
    class Breaking(Recorder):
        def step(self, rows: Rows, rate: float, number: int) -> StepResult:
            if number == 1:
                raise NotFiniteError("broken")
            return super().step(rows, rate, number)

    events = list(train(Breaking(SIZES), Plan(1, 6, 1e-2)))  # type: ignore[arg-type]
    assert [type(event) for event in events] == [StepDone, StepSkipped, StepDone, StepDone, EpochDone]
    assert [event.number for event in events if not isinstance(event, EpochDone)] == [1, 2, 3, 4]


def bits(stepper: Stepper) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in stepper.state().items()}


def test_a_training_goes_on_bit_for_bit() -> None:
    sources, plan = toy_sources(SIZES), Plan(3, 8, 1e-2)

    def fresh() -> Stepper:
        model, flat = toy_model(0.2)
        return Stepper(model, flat, sources, torch.arange(0, len(flat), 2))

    saved: list[tuple[EpochDone, dict[str, Tensor]]] = []
    whole = fresh()
    for event in train(whole, plan):
        if isinstance(event, EpochDone):
            saved.append((event, bits(whole)))  # noqa: PERF401 - training goes on between them
    for event, state in saved[:-1]:
        resumed = fresh()
        resumed.restore(state)
        for _ in train(resumed, plan, event.epoch, event.step):
            pass
        assert all(torch.equal(tensor, whole.state()[name]) for name, tensor in resumed.state().items())
        assert torch.equal(resumed.encoder.theta, whole.encoder.theta)


def test_steps_are_counted() -> None:
    assert Plan(3, 7, 1.0).steps(SIZES) == Plan(3, 7, 1.0, sampling="annealed").steps(SIZES) == 9
    assert Plan(3, 7, 1.0, max_steps=5).steps(SIZES) == 5
    assert Plan(3, 20, 1.0).steps(SIZES) == 3
    assert np.isclose(Plan(1, 1, 2.0, schedule="constant", warmup=0.0).rate(0, 20), 2.0)


@pytest.mark.parametrize("sampling", ["sqrt", "annealed"])
def test_sampling_keeps_the_steps_and_brings_small_tasks_more_often(sampling: str) -> None:
    sizes = {"sst": 90, "quora": 400, "sts": 10}
    plan = Plan(2, 20, 1e-3, sampling=sampling)  # type: ignore[arg-type]
    recorder, _ = run(plan, sizes=sizes)
    assert len(recorder.calls) == plan.steps(sizes)
    seen = sum(len(rows.get("sts", ())) for rows, _, _ in recorder.calls[len(recorder.calls) // 2 :])
    assert seen > 40  # in the last epoch; by size it would be 10
    resumed, _ = run(plan, 0, 7, sizes=sizes)
    assert comparable(resumed) == comparable(recorder)[7:]
