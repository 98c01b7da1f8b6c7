"""BERT (Devlin et al. 2019) and its relatives over packed batches, as one readable module.

`EncoderConfig` says which parts an encoder has, `mtft.encoder.architectures` which of them each ``model_type`` has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtft.data.packing import Batch
from mtft.encoder.attention import packed_attention
from mtft.encoder.dropout import add_dropped, dropout
from mtft.encoder.linear import Embedding, Linear
from mtft.encoder.relative import distance_bias
from mtft.runtime.notices import Notice


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes and parts of an encoder; dropouts are probabilities, and `head_dropout` is that of the heads.

    A sequence has up to `positions` tokens; their embeddings begin at row `first_position`. `segments` may be 0.
    `embedding_size` is that of embeddings before they are projected, 0 if they are not. `pooler` says whether there is
    one, and `relative_buckets` how many distances of tokens have a learned bias in attention.
    """

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
    family: str = "bert"
    first_position: int = 0
    embedding_size: int = 0
    pooler: bool = True
    relative_buckets: int = 0


@dataclass(frozen=True)
class EncoderOutput:
    """The input of heads: hidden states of the real tokens, in the order of `batch`.

    `packed` [N, H] and `pooled` [B, H], the first token: tanh-projected if the encoder has a pooler.
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
    """Sum of word, position and segment embeddings, with LayerNorm, dropout and perhaps a projection (ELECTRA)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.embedding_size or config.hidden_size
        self.word = Embedding(config.vocabulary, size)
        self.position = Embedding(config.first_position + config.positions, size)
        self.segment = Embedding(config.segments, size) if config.segments else None
        self.norm = nn.LayerNorm(size, config.norm_epsilon)
        self.projection = Linear(size, config.hidden_size) if size != config.hidden_size else None
        self.dropout = config.dropout
        self.first_position = config.first_position

    def forward(self, batch: Batch) -> Tensor:
        """Embed tokens; return [N, H]."""
        positions = batch.positions + self.first_position if self.first_position else batch.positions
        total = self.word(batch.ids) + self.position(positions)
        if self.segment is not None:
            total = total + self.segment(batch.segments)
        embedded = dropout(self.norm(total), self.dropout, self.training)
        return embedded if self.projection is None else self.projection(embedded)


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

    def forward(self, hidden: Tensor, batch: Batch, bias: Tensor | None = None) -> Tensor:
        """Transform tokens [N, H] into [N, H]; `bias` [K, L, L] is added to the attention scores."""
        probability = self.attention_dropout if self.training else 0.0
        mixed = self.attention_output(packed_attention(self.qkv(hidden), batch, self.heads, probability, bias))
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
    """Embeddings, transformer layers, and perhaps a pooler and a bias for relative positions (MPNet)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.family = config.family
        self.embeddings = Embeddings(config)
        self.relative_bias = Embedding(config.relative_buckets, config.heads) if config.relative_buckets else None
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self.pooler = Linear(config.hidden_size, config.hidden_size) if config.pooler else None

    def forward(self, batch: Batch) -> EncoderOutput:
        """Encode a packed batch."""
        hidden = self.embeddings(batch)
        bias = None if self.relative_bias is None else distance_bias(self.relative_bias, batch.blocks)
        for layer in self.layers:
            hidden = layer(hidden, batch, bias)
        first = hidden[batch.starts]
        return EncoderOutput(hidden, first if self.pooler is None else torch.tanh(self.pooler(first)), batch)


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
