"""Strings end to end in one piece of memory, and strings that are made when they are asked for."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mtft.data.lazy_sequence import LazySequence


class Strings(LazySequence[str]):
    """Strings stored as UTF-8: each takes its bytes and eight more, instead of a Python object."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add a string at the end."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def cut(self, count: int) -> None:
        """Keep only the first `count` strings."""
        del self._ends[count + 1 :]
        del self._bytes[self._ends[-1] :]

    def digest(self) -> bytes:
        """Return a digest that is equal for equal strings."""
        return hashlib.sha256(hashlib.sha256(self._bytes).digest() + hashlib.sha256(self._ends).digest()).digest()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def at(self, number: int) -> str:
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")


class Listing(LazySequence[str]):
    """The strings of some rows, each made by `make` from the number of its row when it is asked for."""

    def __init__(self, rows: Sequence[int] | NDArray[np.int64], make: Callable[[int], str]) -> None:
        self._rows, self._make = rows, make

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, number: int) -> str:
        return self._make(int(self._rows[number]))
