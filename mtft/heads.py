"""Heads: modules that turn the shared encoder's output into one task's raw outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtft.encoder.bert import EncoderConfig, EncoderOutput, TransformerLayer, initialise
from mtft.encoder.dropout import dropout
from mtft.encoder.linear import Linear


class ReportHead(nn.Module):
    """The report's head: one more transformer layer, its mean joined to the pooler output, two projections.

    The two dropouts around the feed-forward layer are the config's `head_dropout` (0.3 in the report); the
    transformer layer keeps the encoder's.
    """

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__()
        size = 2 * config.hidden_size
        self.layer = TransformerLayer(config)
        self.feed_forward = Linear(size, size)
        self.projection = Linear(size, width)
        self.dropout = config.head_dropout
        initialise(self, scale=config.initializer_range)

    def forward(self, output: EncoderOutput) -> Tensor:
        """Return raw outputs [B, width]."""
        mean = output.batch.mean(self.layer(output.packed, output.batch))
        features = dropout(torch.cat([mean, output.pooled], dim=-1), self.dropout, self.training)
        features = functional.gelu(self.feed_forward(features))
        raw: Tensor = self.projection(dropout(features, self.dropout, self.training))
        return raw


def report_head(config: EncoderConfig, width: int) -> ReportHead:
    """Build the report's head."""
    return ReportHead(config, width)


class LinearHead(nn.Module):
    """The pooler output through dropout and one projection."""

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__()
        self.projection = Linear(config.hidden_size, width)
        self.dropout = config.head_dropout
        initialise(self, scale=config.initializer_range)

    def forward(self, output: EncoderOutput) -> Tensor:
        """Return raw outputs [B, width]."""
        raw: Tensor = self.projection(dropout(output.pooled, self.dropout, self.training))
        return raw


def linear_head(config: EncoderConfig, width: int) -> LinearHead:
    """Build the smallest head."""
    return LinearHead(config, width)
