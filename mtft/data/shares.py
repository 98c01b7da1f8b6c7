"""Parts of a dataset that depend on nothing but the ids of its rows: halves of dev, and a share of train.

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


def place(*words: str) -> float:
    """Place words in [0, 1), evenly."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:6], "big") / 2**48


def in_share(row: str, share: float) -> bool:
    """Tell whether a training row, given by its id, is in a share (0 to 1) of all; a share holds all smaller ones."""
    return place("train", row) < share


def in_half(ids: Sequence[str], half: Half, name: str) -> NDArray[np.bool_]:
    """Tell which rows [n] of the dev split of `name`, given by their ids, are in a half; DataError if none is."""
    if half == "all":
        return np.ones(len(ids), bool)
    chosen = np.array([(place("dev", row) < 0.5) == (half == "choose") for row in ids], bool)
    if not chosen.any():
        raise DataError(f"{name}: none of its {len(ids)} dev rows is in the half {half!r}")
    return chosen
