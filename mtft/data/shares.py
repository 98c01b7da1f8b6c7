"""Parts of a dataset, chosen by the rows' keys alone (`Example.key`): halves of dev, and a share of train.

A row is in the same part on every machine; the seed, the row order and the other rows do not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtft.errors import DataError

Half = Literal["all", "choose", "report"]
"""Which dev rows: all, those used for selection (epochs, settings, calibration), or those kept for reported scores."""


def hash_fraction(*words: str) -> float:
    """Hash words to a number in [0, 1), uniformly."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:6], "big") / 2**48


def in_share(key: str, share: float) -> bool:
    """Return whether a training row is in a share (0 to 1) of all rows; a share contains all smaller shares."""
    return hash_fraction("train", key) < share


def half_of(key: str) -> Half:
    """Return the half of a dev row."""
    return "choose" if hash_fraction("dev", key) < 0.5 else "report"


def in_half(keys: Sequence[str], half: Half, name: str) -> NDArray[np.bool_]:
    """Return which rows [n] of the dev split of `name` are in a half; DataError if none is."""
    return half_mask([half_of(key) for key in keys], half, name)


def half_mask(halves: Sequence[str], half: Half, name: str) -> NDArray[np.bool_]:
    """Return which rows [n] are in a half, given each row's half; DataError if none is."""
    chosen = np.array([half in ("all", each) for each in halves], bool)
    if half != "all" and not chosen.any():
        raise DataError(f"{name}: none of its {len(halves)} dev rows is in the half {half!r}")
    return chosen
