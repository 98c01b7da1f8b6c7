"""Check before training that a pretrained model, its tokenizer and the chosen tasks fit together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtft.data.tokenization import Tokenizer
from mtft.encoder.bert import EncoderConfig, SharedEncoder
from mtft.errors import ConfigError, ModelError, setting
from mtft.runtime.notices import Notify
from mtft.tasks.task import Source


def check_model(
    directory: Path, tokenizer: Tokenizer, encoder: SharedEncoder, sources: Iterable[Source], notify: Notify
) -> None:
    """Raise ModelError unless the encoder has embeddings for all ids and segments of the tokenizer; report notices.

    Sources that join two texts need more than one segment.
    """
    for level, text in (*encoder.notes, *tokenizer.notes):
        notify(level, text)
    if tokenizer.size > encoder.config.vocabulary:
        raise ModelError(
            f"{directory}: the tokenizer has ids up to {tokenizer.size - 1:,}, "
            f"the encoder {encoder.config.vocabulary:,} embeddings"
        )
    pairs = [source.name for source in sources if source.input == "pair"]
    needed = tokenizer.segments(2)
    if pairs and 0 < encoder.config.segments < needed:
        raise ModelError(
            f"{directory / 'config.json'}: type_vocab_size is {encoder.config.segments}; {', '.join(pairs)} joins two "
            f"texts, for which the tokenizer gives {needed} segments: a model with type_vocab_size {needed} is needed"
        )


def check_length(max_length: int | None, config: EncoderConfig) -> int:
    """Return the largest allowed sequence length in tokens; ConfigError if the model has fewer positions."""
    if max_length is not None and max_length > config.positions:
        raise ConfigError(f"{setting('max_length')} is {max_length}; the model has {config.positions} positions")
    return max_length or config.positions
