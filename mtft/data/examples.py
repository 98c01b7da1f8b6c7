"""Many examples in columns: memory holds the bytes of texts and ids and some numbers, but no object for each row."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mtft.data.example import Example
from mtft.data.lazy_sequence import LazySequence
from mtft.data.strings import Listing, Strings

Ints = NDArray[np.int64]


class Examples(LazySequence[Example]):
    """Examples of `width` texts each, appended one by one; each is put together again when it is asked for."""

    def __init__(self, rows: Iterable[Example] = ()) -> None:
        self.ids = Strings()
        self._texts, self.width = Strings(), 1
        self._targets, self._numbered = array("d"), array("b")
        self._files, self._known, self._lines = list[str](), dict[str, int](), array("q")
        self._file_of = array("i")
        for row in rows:
            self.append(row)

    def append(self, row: Example) -> None:
        """Add an example; ValueError if the others have another number of texts."""
        if not len(self):
            self.width = len(row.texts)
        if len(row.texts) != self.width:
            raise ValueError(f"an example of {len(row.texts)} texts among examples of {self.width}")
        for text in row.texts:
            self._texts.append(text)
        self.ids.append(row.id)
        self._targets.append(math.nan if row.target is None else row.target)
        self._numbered.append(row.numbered)
        file, _, line = row.origin.rpartition(":")
        whole = not (file and line.isdecimal() and line.isascii() and len(line) < 19 and str(int(line)) == line)
        file = row.origin if whole else file
        if (number := self._known.setdefault(file, len(self._files))) == len(self._files):
            self._files.append(file)
        self._file_of.append(number)
        self._lines.append(-1 if whole else int(line))

    def cut(self, count: int) -> None:
        """Keep only the first `count` examples."""
        self.ids.cut(count)
        self._texts.cut(count * self.width)
        for column in (self._targets, self._numbered, self._file_of, self._lines):
            del column[count:]

    def __len__(self) -> int:
        return len(self._targets)

    def at(self, number: int) -> Example:
        target, numbered = self._targets[number], bool(self._numbered[number])
        known = None if math.isnan(target) else target
        return Example(self.ids[number], self.texts(number), known, self.origin(number), numbered=numbered)

    def texts(self, row: int) -> tuple[str, ...]:
        """Return the texts of a row."""
        return tuple(self._texts[row * self.width : (row + 1) * self.width])

    def origin(self, row: int) -> str:
        """Return the origin of a row."""
        file, line = self._files[self._file_of[row]], self._lines[row]
        return file if line < 0 else f"{file}:{line}"

    def all_texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the texts of each row."""
        return map(self.texts, range(len(self)))

    def origins(self, rows: Ints) -> Sequence[str]:
        """Return the origins of some rows."""
        return Listing(rows, self.origin)

    @property
    def keys(self) -> Sequence[str]:
        """The rows' keys, each made when it is asked for."""
        return Listing(range(len(self)), lambda row: self[row].key)

    @property
    def targets(self) -> NDArray[np.float64]:
        """The targets [n]; nan marks a row without one."""
        return np.array(self._targets, np.float64)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows [n] have a target."""
        return ~np.isnan(self.targets)

    def where(self, chosen: NDArray[np.bool_]) -> Examples:
        """Return the `chosen` rows [n]."""
        return self if chosen.all() else Examples(self[row] for row in np.flatnonzero(chosen).tolist())

    def digest_of_texts(self) -> bytes:
        """Return a digest that is equal for equal texts in equal rows."""
        return self._texts.digest() + bytes([self.width])
