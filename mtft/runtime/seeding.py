"""Random numbers derived from one run seed by name, so that no draw depends on what was drawn before.

Dropout and the initial weights of heads come from torch's default generator. Only `seeded` sets its state, and
`untouched` restores it after code of others has run.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(*names: object) -> int:
    """Return a 63-bit seed, a pure function of the names; the first is the run seed."""
    text = "/".join(map(str, names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(*names: object) -> np.random.Generator:
    """Return a numpy generator for this use."""
    return np.random.default_rng(derive(*names))


def torch_generator(*names: object) -> torch.Generator:
    """Return a torch CPU generator for this use."""
    import torch

    return torch.Generator().manual_seed(derive(*names))


@contextmanager
def untouched() -> Iterator[None]:
    """Restore the states of the default generators of Python, numpy and torch (on the CPU) after the block."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextmanager
def seeded(*names: object) -> Iterator[None]:
    """Seed torch's default generators inside the block, and restore that of the CPU after it."""
    import torch

    state = torch.get_rng_state()
    torch.manual_seed(derive(*names))
    try:
        yield
    finally:
        torch.set_rng_state(state)
