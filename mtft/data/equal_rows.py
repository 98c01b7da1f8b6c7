"""Which rows are equal: by digests of their texts and sorting, in memory that does not depend on how long they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BYTES = 16
"""Bytes of a digest. Among a billion texts, two different ones have the same digest with a probability below 1e-20."""


def digests(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return the digest of each text, as two numbers [n, 2]."""
    found = bytearray()
    for text in texts:
        found += hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=BYTES).digest()
    return np.frombuffer(bytes(found), np.uint64).reshape(-1, 2)


def first_equal(rows: NDArray[np.integer]) -> Ints:
    """Return for each row of numbers [n, w] the number of the first row that is equal to it [n]."""
    count = len(rows)
    order = np.lexsort(rows.T)  # stable: among equal rows, the first comes first
    ordered = rows[order]
    begins = np.ones(count, np.bool_)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    found = np.empty(count, np.int64)
    found[order] = order[begins][np.cumsum(begins) - 1]
    return found


def distinct(numbers: Ints) -> Ints:
    """Return the different numbers in the order in which they first occur."""
    return numbers[np.sort(np.unique(numbers, return_index=True)[1])]
