"""TorchJD's weightings as mtft wants them: (Gram matrix K [T, T] float64, generator) -> weights w [T].

TorchJD's weights are those of a mean, mtft's those of a sum, so that what TorchJD gives is multiplied by T where equal
weights are 1 / T there. All methods here are equivariant to one scale of all gradients, but some compare with fixed
thresholds; K is therefore divided by its mean diagonal first. A task whose gradient vanishes takes no part.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchjd.aggregation import (
    AlignedMTLWeighting,
    CAGradWeighting,
    DualProjWeighting,
    FairGradWeighting,
    IMTLGWeighting,
    MGDAWeighting,
    PCGradWeighting,
    UPGradWeighting,
)
from torchjd.linalg import QuadprogProjector

REGULARISATION = 1e-7
"""What the projector adds to the diagonal of K, whose mean is 1, so that dependent gradients are no problem."""
RADIUS = 0.5
"""Of CAGrad's ball, as a share of the mean gradient's length; the paper's experiments have 0.4 and 0.5."""
FAIRNESS = 1.0
"""FairGrad's alpha: proportional fairness."""


def upgrad(K: Tensor, _generator: torch.Generator) -> Tensor:
    """UPGrad."""
    return _apply(K, UPGradWeighting(projector=_projector()), mean=True)


def dualproj(K: Tensor, _generator: torch.Generator) -> Tensor:
    """DualProj."""
    return _apply(K, DualProjWeighting(projector=_projector()), mean=True)


def mgda(K: Tensor, _generator: torch.Generator) -> Tensor:
    """MGDA, by Frank-Wolfe steps."""
    return _apply(K, MGDAWeighting(epsilon=1e-5, max_iters=1000), mean=True)


def imtl_g(K: Tensor, _generator: torch.Generator) -> Tensor:
    """IMTL-G."""
    return _apply(K, IMTLGWeighting(), mean=True)


def aligned_mtl(K: Tensor, _generator: torch.Generator) -> Tensor:
    """Aligned-MTL, scaled by the smallest eigenvalue."""
    return _apply(K, AlignedMTLWeighting(), mean=True)


def cagrad(K: Tensor, _generator: torch.Generator) -> Tensor:
    """CAGrad."""
    return _apply(K, CAGradWeighting(c=RADIUS), mean=True)


def fairgrad(K: Tensor, _generator: torch.Generator) -> Tensor:
    """FairGrad; orthogonal gradients of one length get ones."""
    return _apply(K, FairGradWeighting(alpha=FAIRNESS), mean=False)


def pcgrad(K: Tensor, generator: torch.Generator) -> Tensor:
    """PCGrad, whose orders TorchJD draws from torch's default generator: here from `generator`."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator.get_state())
        return _apply(K, PCGradWeighting(), mean=False)


def _projector() -> QuadprogProjector:
    return QuadprogProjector(norm_eps=0.0, reg_eps=REGULARISATION)


def _apply(K: Tensor, weighting: Callable[[Tensor], Tensor], *, mean: bool) -> Tensor:
    """Return a weighting's weights [T] of the tasks whose gradient does not vanish, and one for the others."""
    alive = K.diagonal() > 0
    weights = torch.ones(len(K), dtype=torch.float64)
    if bool(alive.any()):
        part = K[alive][:, alive]
        found = weighting(part / part.diagonal().mean())
        weights[alive] = found * len(part) if mean else found
    return weights
