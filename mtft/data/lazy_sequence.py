"""Sequences whose items are made when they are asked for, by number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class LazySequence(Sequence[T_co]):
    """A sequence that makes an item in `at`; slices are lists of items."""

    @abstractmethod
    def at(self, number: int) -> T_co:
        """Return item `number`, from 0 to the length less 1."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        found = range(len(self))[index]
        return self.at(found) if isinstance(found, int) else [self.at(number) for number in found]

    def __iter__(self) -> Iterator[T_co]:
        return map(self.at, range(len(self)))
