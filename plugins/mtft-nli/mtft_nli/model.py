"""The head and the loss of inference; imported only when a model is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtft.plugin import EncoderConfig, EncoderOutput

SMOOTHING = 0.1
"""Share of the target's probability that is spread over all classes: neutral and contradiction often shade off."""


class MatchHead(nn.Module):
    """Compares the first token with the mean of all tokens, through one hidden layer."""

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(config.head_dropout),
            nn.Linear(3 * config.hidden_size, config.hidden_size),
            nn.GELU(),
            nn.Dropout(config.head_dropout),
            nn.Linear(config.hidden_size, width),
        )

    def forward(self, output: EncoderOutput) -> Tensor:
        """Return logits [B, width]."""
        first, mean = output.cls(), output.mean()
        logits: Tensor = self.layers(torch.cat([first, mean, (first - mean).abs()], dim=-1))
        return logits


def smoothed_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the label-smoothed cross-entropy of logits [B, C] against class indices [B] (Szegedy et al. 2016)."""
    return functional.cross_entropy(outputs, targets.long(), reduction="none", label_smoothing=SMOOTHING)
