"""Each method against TorchJD's aggregator on whole gradients, and mtft's own where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

import pytest
import torch
from mtft_torchjd import METHODS, mtft_surgery
from torch import Tensor
from torchjd import aggregation
from torchjd.linalg import QuadprogProjector

from mtft.optimization.surgery import gram, random_orders
from mtft.optimization.surgery import pcgrad as own_pcgrad
from mtft.optimization.surgery import upgrad as own_upgrad
from mtft.tasks.task import resolve

PARTS = {part.name.removeprefix("torchjd-"): part for part in mtft_surgery()}
EXTRAS = {"cagrad": "cvxpy", "fairgrad": "scipy"}
THEIRS = {
    "upgrad": lambda: aggregation.UPGrad(projector=QuadprogProjector(norm_eps=0.0, reg_eps=1e-7)),
    "dualproj": lambda: aggregation.DualProj(projector=QuadprogProjector(norm_eps=0.0, reg_eps=1e-7)),
    "mgda": lambda: aggregation.MGDA(epsilon=1e-5, max_iters=1000),
    "imtl-g": aggregation.IMTLG,
    "aligned-mtl": aggregation.AlignedMTL,
    "cagrad": lambda: aggregation.CAGrad(c=0.5),
}
"""Aggregators of a mean; their weights are ours over T."""


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrize over methods, those left out that lack what their extra brings."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(
                name,
                marks=pytest.mark.skipif(
                    find_spec(EXTRAS.get(name, "torch")) is None, reason=f"needs {EXTRAS.get(name)}"
                ),
            )
            for name in names
        ],
    )


methods = each(METHODS)


def gradients(tasks: int, seed: int, width: int = 8) -> Tensor:
    return torch.randn(tasks, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(name: str, K: Tensor, seed: int = 0) -> Tensor:
    w = resolve(PARTS[name].make)(K, torch.Generator().manual_seed(seed))
    assert w.shape == (len(K),)
    assert w.dtype == torch.float64
    assert bool(w.isfinite().all())
    return w


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
@each(THEIRS)
def test_equals_the_aggregator_on_whole_gradients(name: str, tasks: int) -> None:
    for seed in range(3):
        G = gradients(tasks, seed)
        G /= gram(G).diagonal().mean().sqrt()
        expected = THEIRS[name]()(G) * tasks
        torch.testing.assert_close(weights(name, gram(G)) @ G, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
def test_upgrad_equals_that_of_mtft(tasks: int) -> None:
    for seed in range(5):
        K = gram(gradients(tasks, seed))
        torch.testing.assert_close(weights("upgrad", K), own_upgrad(K), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tasks", [1, 2, 3, 5])
def test_pcgrad_equals_that_of_mtft_with_the_same_draws(tasks: int) -> None:
    for seed in range(5):
        K = gram(gradients(tasks, seed))
        orders = random_orders(tasks, torch.Generator().manual_seed(seed))
        torch.testing.assert_close(weights("pcgrad", K, seed), own_pcgrad(K, orders), rtol=1e-9, atol=1e-9)


def test_pcgrad_leaves_the_default_generator_alone() -> None:
    before = torch.get_rng_state()
    weights("pcgrad", gram(gradients(4, 0)))
    assert torch.equal(torch.get_rng_state(), before)


def test_fairgrad_gives_all_tasks_the_same_share_of_gain() -> None:
    """At alpha = 1, (K w) w = 1 for every task."""
    pytest.importorskip("scipy")
    K = gram(gradients(3, 0, width=40))
    w = weights("fairgrad", K / K.diagonal().mean())
    torch.testing.assert_close(
        (K / K.diagonal().mean()) @ w * w, torch.ones(3, dtype=torch.float64), rtol=1e-3, atol=1e-3
    )


@methods
def test_equal_orthogonal_gradients_are_added(name: str) -> None:
    torch.testing.assert_close(
        weights(name, 4 * torch.eye(3, dtype=torch.float64)),
        (1.5 if name == "cagrad" else 1.0) * torch.ones(3, dtype=torch.float64),  # CAGrad goes to the rim of its ball
        rtol=1e-3,
        atol=1e-3,
    )


@methods
def test_the_scale_of_all_gradients_does_not_matter(name: str) -> None:
    K = gram(gradients(3, 1))
    for scale in (1e-12, 1e12):
        torch.testing.assert_close(weights(name, K * scale), weights(name, K), rtol=1e-6, atol=1e-6)


@methods
@pytest.mark.parametrize("case", ["zeros", "one zero", "same", "opposite", "one task"])
def test_degenerate_gradients(name: str, case: str) -> None:
    G = gradients(3, 2)
    if case == "zeros":
        G.zero_()
    elif case == "one zero":
        G[1] = 0
    elif case == "same":
        G[1] = G[0]
    elif case == "opposite":
        G[1] = -G[0]
    else:
        G = G[:1]
    w = weights(name, gram(G))
    if case == "one zero":
        without = weights(name, gram(G[[0, 2]]))
        torch.testing.assert_close(w[[0, 2]], without, rtol=1e-6, atol=1e-6)
    if case == "zeros":
        assert w.tolist() == [1, 1, 1]


@methods
def test_the_same_draws_give_the_same_bits(name: str) -> None:
    K = gram(gradients(4, 3))
    assert torch.equal(weights(name, K, 7), weights(name, K, 7))


def test_importing_the_plugin_imports_no_torch() -> None:
    import subprocess
    import sys

    probe = "import sys, mtft_torchjd; list(mtft_torchjd.mtft_surgery()); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
