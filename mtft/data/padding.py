"""A padded batch, the input of other runtimes, for the same modules that train on packed batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtft.data.packing import Block
from mtft.data.tokenization import Ints, TokenTable


@dataclass(frozen=True)
class PaddedBatch:
    """B sequences of at most L tokens as one block of N = B * L rows; `mask` [B, L] marks the rows that are tokens.

    `ids`, `segments` and `positions` [N]. Sizes may be symbolic, as during the export of a model.
    """

    ids: Tensor
    segments: Tensor
    positions: Tensor
    mask: Tensor

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One block; the bias of padded keys is the lowest finite number, so that an empty sequence gives no NaN."""
        count, length = self.mask.shape
        lowest = torch.finfo(torch.float32).min
        bias = torch.zeros_like(self.mask, dtype=torch.float32).masked_fill(~self.mask, lowest)
        return (Block(0, count * length, count, length, bias=bias[:, None, None]),)

    @property
    def starts(self) -> Tensor:
        """Index of each sequence's first token [B]."""
        count, length = self.mask.shape
        return torch.arange(count, device=self.mask.device) * length

    def mean(self, rows: Tensor) -> Tensor:
        """Average rows [N, H] over each sequence's tokens: [B, H]."""
        hidden, mask = self.padded(rows)
        return hidden.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows [N, H] as [B, L, H], zero beyond each end, and the mask [B, L] of real tokens."""
        hidden = rows.unflatten(0, tuple(self.mask.shape))
        return hidden * self.mask[:, :, None], self.mask


def padded_batch(input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor) -> PaddedBatch:
    """Make a batch from a Hugging Face tokenizer's output, three [B, L]; tokens come first, and their mask is 1."""
    positions = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
    return PaddedBatch(input_ids.reshape(-1), token_type_ids.reshape(-1), positions.reshape(-1), attention_mask.bool())


def pad(table: TokenTable, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """Gather sequences of a table: ids, segments and mask, int64 [B, L], padded with zeros to the longest sequence."""
    lengths, begins = table.lengths[rows], table.offsets[rows]
    columns = np.arange(lengths.max(initial=0))
    mask = columns < lengths[:, None]
    where = np.where(mask, begins[:, None] + columns, 0)
    ids, segments = (np.where(mask, tokens[where], 0).astype(np.int64) for tokens in (table.ids, table.segments))
    return ids, segments, mask.astype(np.int64)
