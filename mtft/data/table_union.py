"""Join token tables so that a row found in several of them occurs once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtft.data.tokenization import Ints, TokenTable


def merge(tables: Sequence[TokenTable]) -> tuple[TokenTable, list[Ints]]:
    """Return one table of all distinct rows, and for each input table the indices [n] of its rows in it.

    All tables have one sequence per example; of equal rows the first is kept.
    """
    known: dict[bytes, int] = {}
    ids, segments, lengths, indices = [], [], [0], []
    for table in tables:
        own = np.empty(len(table), np.int64)
        for row, (begin, end) in enumerate(zip(table.offsets[:-1], table.offsets[1:], strict=True)):
            tokens, kinds = table.ids[begin:end], table.segments[begin:end]
            key = tokens.tobytes() + kinds.tobytes()
            if key not in known:
                known[key] = len(known)
                ids.append(tokens)
                segments.append(kinds)
                lengths.append(len(tokens))
            own[row] = known[key]
        indices.append(own)
    return TokenTable(np.concatenate(ids), np.concatenate(segments), np.cumsum(lengths), 1), indices
