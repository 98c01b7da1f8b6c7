"""BERT (Devlin et al. 2019) over packed batches, as one readable module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtft.data.packing import Batch
from mtft.encoder.attention import packed_attention
from mtft.encoder.dropout import add_dropped, dropout
from mtft.encoder.linear import Embedding, Linear
from mtft.runtime.notices import Notice


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder; dropouts are probabilities, and `head_dropout` is that of the heads."""

    vocabulary: int = 30522
    hidden_size: int = 768
    layers: int = 12
    heads: int = 12
    intermediate_size: int = 3072
    positions: int = 512
    segments: int = 2
    norm_epsilon: float = 1e-12
    dropout: float = 0.1
    attention_dropout: float = 0.1
    head_dropout: float = 0.3
    initializer_range: float = 0.02


@dataclass(frozen=True)
class EncoderOutput:
    """The input of heads: hidden states of the real tokens, in the order of `batch`.

    `packed` [N, H] and `pooled` [B, H], the tanh-projected first token.
    """

    packed: Tensor
    pooled: Tensor
    batch: Batch

    def cls(self) -> Tensor:
        """Return the first token of each sequence [B, H]."""
        return self.packed[self.batch.starts]

    def mean(self) -> Tensor:
        """Return the mean over the tokens of each sequence [B, H]."""
        return self.batch.mean(self.packed)

    def padded(self) -> tuple[Tensor, Tensor]:
        """Return hidden states [B, L, H], zero beyond each end, and the mask [B, L] of real tokens."""
        return self.batch.padded(self.packed)


class Embeddings(nn.Module):
    """Sum of word, position and segment embeddings, with LayerNorm and dropout."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.word = Embedding(config.vocabulary, size)
        self.position = Embedding(config.positions, size)
        self.segment = Embedding(config.segments, size)
        self.norm = nn.LayerNorm(size, config.norm_epsilon)
        self.dropout = config.dropout

    def forward(self, batch: Batch) -> Tensor:
        """Embed tokens; return [N, H]."""
        total = self.word(batch.ids) + self.position(batch.positions) + self.segment(batch.segments)
        return dropout(self.norm(total), self.dropout, self.training)


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward, each with a residual and a LayerNorm after it."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.qkv = Linear(size, 3 * size)
        self.attention_output = Linear(size, size)
        self.attention_norm = nn.LayerNorm(size, config.norm_epsilon)
        self.intermediate = Linear(size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, size)
        self.output_norm = nn.LayerNorm(size, config.norm_epsilon)
        self.heads = config.heads
        self.dropout = config.dropout
        self.attention_dropout = config.attention_dropout

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Transform tokens [N, H] into [N, H]."""
        probability = self.attention_dropout if self.training else 0.0
        mixed = self.attention_output(packed_attention(self.qkv(hidden), batch, self.heads, probability))
        hidden = self.attention_norm(add_dropped(hidden, mixed, self.dropout, self.training))
        wide = self.output(functional.gelu(self.intermediate(hidden)))
        transformed: Tensor = self.output_norm(add_dropped(hidden, wide, self.dropout, self.training))
        return transformed


class SharedEncoder(nn.Module):
    """Base of all encoders: a module from a `TokenBatch` to an `EncoderOutput`, built from its sizes alone."""

    config: EncoderConfig
    family: str = "bert"
    """Name of its family, as in ``config.json``."""
    notes: tuple[Notice, ...] = ()
    """Messages for the user about the files from which it was loaded."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config


class Encoder(SharedEncoder):
    """BERT: embeddings, transformer layers, pooler."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self.pooler = Linear(config.hidden_size, config.hidden_size)

    def forward(self, batch: Batch) -> EncoderOutput:
        """Encode a packed batch."""
        hidden = self.embeddings(batch)
        for layer in self.layers:
            hidden = layer(hidden, batch)
        return EncoderOutput(hidden, torch.tanh(self.pooler(hidden[batch.starts])), batch)


def initialise(module: nn.Module, generator: torch.Generator | None = None, scale: float = 0.02) -> None:
    """Draw fresh weights as BERT does: normal with standard deviation `scale`, biases zero, LayerNorm one.

    Without a generator, torch's default generator is used.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=scale, generator=generator)
        elif isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
        if isinstance(part, nn.Linear | nn.LayerNorm) and part.bias is not None:
            nn.init.zeros_(part.bias)
