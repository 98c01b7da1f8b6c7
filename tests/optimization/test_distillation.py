"""Distances from a teacher equal their definitions, and are smallest where the pupil says the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtft.optimization.distillation import DISTANCES, teacher_share
from mtft.outputs import Binary, Bounded, Categorical, Ordinal, Output

OUTPUTS: dict[str, Output] = {
    "categorical": Categorical(("a", "b", "c", "d")),
    "binary": Binary(),
    "ordinal": Ordinal(("low", "mid", "high", "top")),
    "bounded": Bounded(0, 5),
}
kinds = pytest.mark.parametrize("kind", OUTPUTS)


def drawn(kind: str, seed: int) -> Tensor:
    return 2 * torch.randn(50, OUTPUTS[kind].width, generator=torch.Generator().manual_seed(seed))


def test_every_kind_of_output_can_be_taught() -> None:
    assert DISTANCES.keys() == OUTPUTS.keys()
    assert all(output.kind == kind for kind, output in OUTPUTS.items())


@kinds
def test_it_equals_its_definition(kind: str) -> None:
    output, pupil, teacher = OUTPUTS[kind], drawn(kind, 1), drawn(kind, 2)
    if kind == "bounded":
        expected = ((pupil - teacher) ** 2)[:, 0].numpy()
    else:
        expected = -(output.read(teacher.numpy()) * np.log(output.read(pupil.numpy()))).sum(axis=1)
    np.testing.assert_allclose(DISTANCES[kind](pupil, teacher).numpy(), expected, rtol=1e-4)


@kinds
def test_a_pupil_that_says_the_same_has_nothing_to_learn(kind: str) -> None:
    teacher = drawn(kind, 1)
    pupil = teacher.clone().requires_grad_()
    distances = DISTANCES[kind](pupil, teacher)
    distances.sum().backward()
    assert pupil.grad is not None
    assert float(pupil.grad.abs().max()) < 1e-6
    assert (distances <= DISTANCES[kind](drawn(kind, 3), teacher)).all()


@kinds
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_outputs_of_any_size_have_finite_distances(kind: str, size: float) -> None:
    pupil = torch.full((2, OUTPUTS[kind].width), size).requires_grad_()
    found = DISTANCES[kind](pupil, -pupil.detach())
    found.sum().backward()
    assert found.isfinite().all()
    assert pupil.grad is not None
    assert pupil.grad.isfinite().all()


def test_teachers_give_way_to_labels() -> None:
    shares = [teacher_share(step, 4) for step in range(6)]
    assert shares == [1, 0.75, 0.5, 0.25, 0, 0]
