"""Gradient surgery in the space of tasks: the Gram matrix of the task gradients gives one weight per task.

With gradients G [T, k] and K = G G^T [T, T], every method here moves along w G, w [T] computed from K alone, so that
its cost does not depend on k. Weights follow the convention of the papers: the direction of equal weights is the SUM
of the task gradients. Matrices of T x T numbers are float64 on the CPU, whatever G is.

Surgery runs on the cosines of K: all methods here are equivariant to a scaling of single gradients, for every fixed
order, so large differences in scale cost no precision. A task whose gradient vanishes takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations

import torch
from torch import Tensor

from mtft.errors import PluginError, plugin_guard

Surgery = Callable[[Tensor, torch.Generator], Tensor]

EXACT_TASKS = 5  # above, orders are sampled and the dual cone is reached by iteration
SAMPLED_ORDERS = 256  # per task; the standard error of their mean is a sixteenth of the spread over orders
_CHUNK = 1 << 16  # columns whose products are summed in the type of the gradients; longer sums lose digits
_ENTRIES = 1 << 22  # coefficients that are projected at once, 32 MiB
_NEGLIGIBLE = 1e-30  # a gradient shorter than this share of the longest counts as zero; weights stay in float32's range


def gram(G: Tensor) -> Tensor:
    """Return the Gram matrix K = G G^T [T, T] float64 of gradients G [T, k].

    Products are summed over chunks of columns in the type of G, chunks in float64: the error of a norm stays near
    1e-7, whatever k is. Rows whose squares leave the range of the type are first scaled by their largest entry.
    """
    limits = torch.finfo(G.dtype)
    K = _products(G)
    squares = K.diagonal()
    if bool(((squares > limits.tiny / limits.eps) & (squares <= limits.max)).all()) or not G.shape[1]:
        return K
    largest = torch.linalg.vector_norm(G, float("inf"), dim=1, keepdim=True)
    scale = torch.where(largest > 0, largest, 1)
    outer = scale.cpu().double()
    return _products(G / scale) * outer * outer.T


def _products(G: Tensor) -> Tensor:
    """Return G G^T [T, T] float64 on the CPU, with all bits of the products of a chunk."""
    count = G.shape[1] // _CHUNK
    chunks = G[:, : count * _CHUNK].unflatten(1, (count, _CHUNK)).transpose(0, 1)
    rest = G[:, count * _CHUNK :]
    with _full_precision():
        whole, last = torch.bmm(chunks, chunks.mT), rest @ rest.T
    return whole.cpu().double().sum(dim=0) + last.cpu().double()


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep torch's faster and shorter types of matrix products, such as TF32, from the block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def cosines(K: Tensor) -> Tensor:
    """Return the cosines [T, T] of the gradients of Gram matrix K [T, T]; those of a vanishing gradient are 0."""
    return _normalised(K)[0]


def changed(K: Tensor, w: Tensor) -> float:
    """Return the relative change ||w G - 1 G|| / ||1 G|| of the sum by weights w [T]; 0 if that sum vanishes."""
    scale = float(K.abs().max())
    if scale == 0:
        return 0.0
    unit, change = K.cpu().double() / scale, w.cpu().double() - 1
    before, after = float(unit.sum()), float(change @ unit @ change)
    return (max(after, 0.0) / before) ** 0.5 if before > 1e-12 * float(unit.abs().sum()) else 0.0


def sum_weights(K: Tensor, _generator: torch.Generator | None = None) -> Tensor:
    """Return the weights w [T] of the plain sum: ones."""
    return torch.ones(len(K), dtype=torch.float64)


def random_orders(tasks: int, generator: torch.Generator) -> Tensor:
    """Return a random order of the other tasks, [T, T - 1] int64, for each of `tasks` tasks."""
    draws = torch.stack([torch.randperm(tasks, generator=generator) for _ in range(tasks)])
    return draws[draws != torch.arange(tasks)[:, None]].view(tasks, -1)


def pcgrad(K: Tensor, orders: Sequence[Sequence[int]] | Tensor) -> Tensor:
    """Return the PCGrad weights w [T] of Gram matrix K [T, T] for given `orders` [T, T - 1] of the other tasks.

    Row i is the order in which conflicts of gradient i with the other, original gradients are removed (Yu et al. 2020,
    "Gradient Surgery for Multi-Task Learning", algorithm 1). ValueError if a row is not an order of the other tasks.
    """
    rows = orders.tolist() if isinstance(orders, Tensor) else [list(order) for order in orders]
    if [sorted(row) for row in rows] != [[j for j in range(len(K)) if j != i] for i in range(len(K))]:
        raise ValueError(f"orders are {rows}, allowed: one row per task, an order of the other {len(K) - 1} tasks")
    return _surgery(K, torch.tensor(rows, dtype=torch.int64).view(1, len(K), -1))


def drawn_pcgrad(K: Tensor, generator: torch.Generator) -> Tensor:
    """Return the PCGrad weights w [T] of Gram matrix K [T, T] for orders drawn from `generator`, as in the paper."""
    return _surgery(K, random_orders(len(K), generator)[None])


def expected_pcgrad(K: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return the PCGrad weights w [T] in expectation over the random orders, which removes their influence.

    Exact for up to 5 tasks; above, the mean over 256 orders per task from `generator` (by default one of seed 0).
    """
    tasks = len(K)
    if tasks <= EXACT_TASKS:
        every = [list(permutations([j for j in range(tasks) if j != i])) for i in range(tasks)]
        return _surgery(K, torch.tensor(every, dtype=torch.int64).transpose(0, 1))
    source = generator or torch.Generator().manual_seed(0)
    return _surgery(K, torch.stack([random_orders(tasks, source) for _ in range(SAMPLED_ORDERS)]))


def upgrad(K: Tensor, _generator: torch.Generator | None = None) -> Tensor:
    """Return the UPGrad weights w [T]: the sum of the gradients, each projected onto the dual cone of all of them.

    Its direction conflicts with no task (Quinton and Rey 2024, "Jacobian Descent for Multi-Objective Optimization",
    section 3, times T: a sum, not a mean). Exact for up to 5 tasks, to about 1e-10 above.
    """
    C, norms = _normalised(K)
    V = _enumerate_cone(C) if len(K) <= EXACT_TASKS else _iterate_cone(C)
    return _weights(V, norms)


def _normalised(K: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cosines [T, T] and norms [T] of the gradients; a vanishing gradient has cosines 0 and norm 1."""
    K = K.detach().cpu().double()
    norms = K.diagonal().clamp_min(0).sqrt()
    alive = norms > _NEGLIGIBLE * norms.max()
    norms = torch.where(alive, norms, 1.0)
    C = torch.where(alive & alive[:, None], K / norms / norms[:, None], 0.0).clamp(-1, 1)
    C.diagonal().copy_(alive)
    return C, norms


def _weights(V: Tensor, norms: Tensor) -> Tensor:
    """Return weights [T] of the gradients: the sum of the rows of V [T, T], coefficients of unit gradients."""
    return (norms[:, None] / norms * V).sum(dim=0)


def _surgery(K: Tensor, orders: Tensor) -> Tensor:
    """Return PCGrad weights [T], for each task the mean over its `orders` [n, T, T - 1]."""
    C, norms = _normalised(K)
    parts = orders.split(max(1, _ENTRIES // max(1, C.numel())))
    return _weights(sum((_deconflict(C, part) for part in parts), torch.zeros_like(C)) / len(orders), norms)


def _deconflict(C: Tensor, orders: Tensor) -> Tensor:
    """Return the projected unit gradients as coefficients [T, T] of the unit gradients, summed over `orders`.

    All tasks and orders take their next conflict at once.
    """
    V = torch.eye(len(C), dtype=C.dtype).repeat(len(orders), 1, 1)
    for others in orders.unbind(-1):
        dots = (V * C[others]).sum(dim=-1)
        V.scatter_add_(-1, others[..., None], -dots.clamp_max(0)[..., None])
    return V.sum(dim=0)


def _enumerate_cone(C: Tensor) -> Tensor:
    """Return each unit gradient projected onto the dual cone of all, as coefficients [T, T], over all active sets.

    Row v of task i minimises v C v with v >= e_i. At the optimum C v >= 0, with v = e_i wherever C v > 0; for a given
    set of zeros of C v that is a linear system. Of the 2^T solutions the one that breaks the conditions least wins.
    """
    tasks, unit = len(C), torch.eye(len(C), dtype=C.dtype)
    free = torch.cartesian_prod(*[torch.tensor([False, True])] * tasks).reshape(-1, tasks, 1)
    V: Tensor = torch.linalg.pinv(torch.where(free, C, unit), rtol=1e-12) @ torch.where(free, 0.0, unit)
    slack, added = C @ V, V - unit
    broken = torch.stack([-slack, -added, (slack * added).abs()]).amax(dim=(0, 2))
    best = broken.argmin(dim=0)
    return V[best, :, torch.arange(tasks)].maximum(unit)


def _iterate_cone(C: Tensor, sweeps: int = 10_000, tolerance: float = 1e-12) -> Tensor:
    """Return the coefficients of `_enumerate_cone` by projected coordinate descent (Hildreth 1957) on all rows.

    Rounding may leave C slightly indefinite; it is shifted until it is not, so that the descent has a floor.
    """
    unit = torch.eye(len(C), dtype=C.dtype)
    C = C - torch.linalg.eigvalsh(C)[0].clamp_max(0) * unit
    V = unit.clone()
    for _ in range(sweeps):
        before = V.clone()
        for j in range(len(C)):
            V[:, j] = (V[:, j] - V @ C[j] / C[j, j].clamp_min(1)).maximum(unit[:, j])
        if float((V - before).abs().max()) <= tolerance:
            break
    return V


def checked(name: str, method: Surgery) -> Surgery:
    """Return a method whose weights are finite numbers [T]; PluginError names it if they are not, or if it fails."""
    part = f"surgery {name}"

    def weights(K: Tensor, generator: torch.Generator) -> Tensor:
        with plugin_guard(f"surgery {name!r}", part):
            w = method(K.clone(), generator)
        if not isinstance(w, Tensor) or w.shape != K.shape[:1]:
            found = f"{list(w.shape)}" if isinstance(w, Tensor) else type(w).__name__
            raise PluginError(f"surgery {name!r} gave {found} where one weight per task, [{len(K)}], is needed", part)
        w = w.detach().cpu().double()
        if not bool(w.isfinite().all()):
            raise PluginError(f"surgery {name!r} gave weights that are not finite: {w.tolist()}", part)
        return w

    return weights


SURGERY: dict[str, Surgery] = {
    "pcgrad": drawn_pcgrad,
    "sum": sum_weights,
    "expected-pcgrad": expected_pcgrad,
    "upgrad": upgrad,
}
