"""Packed batches: the tokens of many sequences end to end, without padding."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtft.data.tokenization import Ints, TokenTable

N = TypeVar("N", bound=np.generic)


SLACK = (1.15, 3)
"""How much longer a block's longest sequence may be than its shortest: a factor and a number of tokens."""


@dataclass(frozen=True)
class Block:
    """A run of `count` sequences of at most `length` tokens, whose rows of [N, ...] begin at `start`.

    If the lengths differ, `index` [count * length] gives the row for each position of the dense block (a sequence's
    last row is repeated beyond its end). `real` are the positions that hold tokens, `padding` the others, and `bias`
    [count, 1, 1, length] is minus infinity at the padding.
    """

    start: int
    tokens: int
    count: int
    length: int
    index: Tensor | None = None
    real: Tensor | None = None
    padding: Tensor | None = None
    bias: Tensor | None = None

    def pad(self, rows: Tensor) -> Tensor:
        """Return the block's rows of [N, ...] as [count * length, ...]."""
        own = rows[self.start : self.start + self.tokens]
        return own if self.index is None else own.index_select(0, self.index)


def make_blocks(lengths: Sequence[int], device: torch.device | str = "cpu") -> Iterator[Block]:
    """Split ascending lengths into blocks."""
    begin = start = 0
    while begin < len(lengths):
        end = bisect_right(lengths, lengths[begin] * SLACK[0] + SLACK[1], begin)
        own = np.asarray(lengths[begin:end])
        yield _block(start, own, device)
        begin, start = end, start + int(own.sum())


def _block(start: int, lengths: Ints, device: torch.device | str) -> Block:
    count, longest, tokens = len(lengths), int(lengths[-1]), int(lengths.sum())
    if lengths[0] == longest:
        return Block(start, tokens, count, longest)
    columns = np.arange(longest)
    filled = columns < lengths[:, None]
    index = (np.cumsum(lengths) - lengths)[:, None] + np.minimum(columns, lengths[:, None] - 1)
    bias = np.where(filled, np.float32(0), np.float32(-np.inf))[:, None, None]

    real, padding = np.flatnonzero(filled), np.flatnonzero(~filled)
    arrays = (index.reshape(-1), real, padding, bias)
    return Block(start, tokens, count, longest, *(send(array, device) for array in arrays))


def send(array: NDArray[Any], device: torch.device | str) -> Tensor:
    """Return an array as a tensor on a device; copies to CUDA use pinned memory and are asynchronous."""
    tensor = torch.from_numpy(array)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Batch(Protocol):
    """What an encoder and its heads need from a batch of S sequences, whose tokens are stored in N rows."""

    @property
    def ids(self) -> Tensor: ...
    @property
    def segments(self) -> Tensor: ...
    @property
    def positions(self) -> Tensor: ...
    @property
    def blocks(self) -> tuple[Block, ...]:
        """The rows in blocks that attention treats as dense."""
        ...

    @property
    def starts(self) -> Tensor:
        """Index of each sequence's first token [S]."""
        ...

    def mean(self, rows: Tensor) -> Tensor:
        """Average rows [N, H] over each sequence's tokens: [S, H]."""
        ...

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows [N, H] as [S, L, H], zero beyond each end, and the mask [S, L] of real tokens."""
        ...


@dataclass(frozen=True)
class TokenBatch:
    """Sequences of one micro-batch, ordered by length.

    `ids`, `segments`, `positions` [N]; `lengths` of the S sequences, ascending. `inverse` [S] restores the requested
    order of outputs. `features` are cached hidden states [N, H] and pooled vectors [S, H] if the encoder need not
    run again.
    """

    ids: Tensor
    segments: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    inverse: Tensor
    features: tuple[Tensor, Tensor] | None = None

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The batch in blocks of nearly equal length, which attention treats as dense."""
        return tuple(make_blocks(self.lengths, self.ids.device))

    @cached_property
    def owners(self) -> Tensor:
        """Index of each token's sequence [N]."""
        lengths = torch.tensor(self.lengths, device=self.ids.device)
        return torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths, output_size=self.tokens)

    @cached_property
    def ends(self) -> Tensor:
        """Zero, and the index after each sequence's last token [S + 1], int32."""
        return torch.tensor([0, *self.lengths], device=self.ids.device).cumsum(0, dtype=torch.int32)

    @cached_property
    def starts(self) -> Tensor:
        """Index of each sequence's first token [S]."""
        return self.ends[:-1].long()

    @property
    def tokens(self) -> int:
        return len(self.ids)

    def mean(self, rows: Tensor) -> Tensor:
        """Average rows [N, H] over each sequence's tokens: [S, H]."""
        sums = rows.new_zeros(len(self.lengths), rows.shape[1]).index_add(0, self.owners, rows)
        return sums / rows.new_tensor(self.lengths)[:, None]

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows [N, H] as [S, L, H], zero beyond each end, and the mask [S, L] of real tokens."""
        hidden = nn.utils.rnn.pad_sequence(list(rows.split(self.lengths)), batch_first=True)
        lengths = torch.tensor(self.lengths, device=rows.device)
        return hidden, torch.arange(hidden.shape[1], device=rows.device) < lengths[:, None]

    @cached_property
    def padded_indices(self) -> Tensor:
        """Index of each token [N] in the padded batch [S * L], where L is the length of the longest sequence."""
        return self.owners * self.lengths[-1] + self.positions

    def pad(self, rows: Tensor, fill: float = 0) -> Tensor:
        """Return the tokens' rows [N, ...] as [S, L, ...], with `fill` beyond each sequence's end."""
        count, longest = len(self.lengths), self.lengths[-1]
        out = rows.new_full((count * longest, *rows.shape[1:]), fill)
        return out.index_copy(0, self.padded_indices, rows).view(count, longest, *rows.shape[1:])

    def unpad(self, padded: Tensor) -> Tensor:
        """Return the rows [N, ...] of the tokens in [S, L, ...]: undoes `pad`."""
        return padded.flatten(0, 1).index_select(0, self.padded_indices)

    def restore(self, rows: Tensor) -> Tensor:
        """Return rows [S, ...] in the requested order."""
        return rows[self.inverse]


def pack(*parts: tuple[TokenTable, Ints], device: torch.device | str = "cpu") -> TokenBatch:
    """Gather the sequences of some examples, given as (table, example indices), into one packed batch.

    `TokenBatch.restore` returns outputs in the given order, part after part; an example whose texts are encoded apart
    has its sequences one after the other. Features are gathered if all tables have them.
    """
    sequences = [
        (rows[:, None] * table.per_example + np.arange(table.per_example)).reshape(-1) for table, rows in parts
    ]
    tables = [table for table, _ in parts]
    lengths = np.concatenate([table.lengths[chosen] for table, chosen in zip(tables, sequences, strict=True)])
    begins = np.concatenate([table.offsets[chosen] for table, chosen in zip(tables, sequences, strict=True)])
    numbers = np.concatenate(sequences)
    if len(tables) > 1:  # the tables laid end to end
        sizes = [len(chosen) for chosen in sequences]
        begins += np.repeat(np.cumsum([0, *(len(table.ids) for table in tables[:-1])]), sizes)
        numbers += np.repeat(np.cumsum([0, *(len(table.offsets) - 1 for table in tables[:-1])]), sizes)
    order = np.argsort(lengths, kind="stable")
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    lengths, begins, numbers = lengths[order], begins[order], numbers[order]
    positions = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    tokens = np.repeat(begins, lengths) + positions

    def tensor(array: NDArray[np.integer]) -> Tensor:
        return send(array.astype(np.int64), device)

    return TokenBatch(
        ids=tensor(_take([table.ids for table in tables], tokens)),
        segments=tensor(_take([table.segments for table in tables], tokens)),
        positions=tensor(positions),
        lengths=tuple(lengths.tolist()),
        inverse=tensor(inverse),
        features=_features(tables, begins + numbers, tokens + np.repeat(numbers + 1, lengths), device),
    )


def _features(
    tables: list[TokenTable], pooled: Ints, hidden: Ints, device: torch.device | str
) -> tuple[Tensor, Tensor] | None:
    """Gather rows of the tables' features, hidden states first; None unless all tables have features."""
    arrays = [table.features for table in tables if table.features is not None]
    if len(arrays) < len(tables):
        return None
    return send(_take(arrays, hidden), device), send(_take(arrays, pooled), device)


def _take(arrays: list[NDArray[N]], where: Ints) -> NDArray[N]:
    """Index arrays as if they were concatenated, without concatenating them."""
    if len(arrays) == 1:
        return arrays[0].take(where, axis=0)
    found = np.empty((len(where), *arrays[0].shape[1:]), arrays[0].dtype)
    start = 0
    for array in arrays:
        mine = (where >= start) & (where < start + len(array))
        found[mine] = array[where[mine] - start]
        start += len(array)
    return found


def micro_batches(lengths: Ints, budget: int) -> list[Ints]:
    """Split examples into micro-batches of at most `budget` tokens, with similar lengths together.

    `lengths` [n] are tokens per example. Return index arrays into it, longest examples first, so that running out of
    memory happens early. A single example above the budget is a micro-batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    cuts, filled = [0], 0
    for number, length in enumerate(lengths[order].tolist()):
        if filled and filled + length > budget:
            cuts.append(number)
            filled = 0
        filled += length
    return [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True) if b > a]
