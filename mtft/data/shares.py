"""Parts of a dataset that depend on nothing but its rows' keys (`Example.key`): halves of dev, and a share of train.

The same row is in the same part on every machine, whatever the seed, the order of the file and its other rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtft.errors import DataError

Half = Literal["all", "choose", "report"]
"""Which rows of dev: all, those that choose (epochs, settings, calibration), or those kept for what is reported."""


def hash_fraction(*words: str) -> float:
    """Place words in [0, 1), evenly."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:6], "big") / 2**48


def in_share(key: str, share: float) -> bool:
    """Tell whether a training row is in a share (0 to 1) of all; a share holds all smaller ones."""
    return hash_fraction("train", key) < share


def half_of(key: str) -> Half:
    """Return the half that a dev row is in."""
    return "choose" if hash_fraction("dev", key) < 0.5 else "report"


def in_half(keys: Sequence[str], half: Half, name: str) -> NDArray[np.bool_]:
    """Tell which rows [n] of the dev split of `name` are in a half; DataError if none is."""
    return half_mask([half_of(key) for key in keys], half, name)


def half_mask(halves: Sequence[str], half: Half, name: str) -> NDArray[np.bool_]:
    """Tell which rows [n] are in a half, given the one that each is in; DataError if none is."""
    chosen = np.array([half in ("all", each) for each in halves], bool)
    if half != "all" and not chosen.any():
        raise DataError(f"{name}: none of its {len(halves)} dev rows is in the half {half!r}")
    return chosen
