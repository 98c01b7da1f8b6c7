"""Comparison of an encoder with transformers' model: hidden states, pooled output and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from factories import packed
from torch import Tensor, nn

from mtft.data.packing import micro_batches
from mtft.data.readers import read_rows
from mtft.data.tokenization import TokenTable
from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import hub_names
from mtft.testing.tiny import device_of_tests

DEVICE = device_of_tests()

FILES = {  # how many rows to take of each: lengths from 4 to 512 tokens
    "ids-sst-dev.csv": (80, ("sentence",)),
    "quora-dev.csv": (60, ("sentence1", "sentence2")),
    "sts-dev.csv": (50, ("sentence1", "sentence2")),
    "ids-cfimdb-dev.csv": (10, ("sentence",)),
}


def read_texts(data: Path) -> list[list[tuple[str, ...]]]:
    """Read 200 examples of one or two texts, by file."""
    return [
        [tuple(row[column] for column in columns) for _, row in read_rows(data / name)][:count]
        for name, (count, columns) in FILES.items()
    ]


def spans(table: TokenTable) -> list[slice]:
    return [slice(a, b) for a, b in zip(table.offsets[:-1], table.offsets[1:], strict=True)]


def padded_inputs(model: Any, table: TokenTable, rows: Sequence[int]) -> dict[str, Tensor]:
    """What transformers wants: ids, segments if the model has several, and the mask of real tokens [B, L]."""
    chosen = [spans(table)[row] for row in rows]

    def pad(pieces: list[Any], fill: int = 0) -> Tensor:
        tensors = [torch.tensor(piece) for piece in pieces]
        return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill).to(DEVICE)

    inputs = {
        "input_ids": pad([table.ids[span].astype(np.int64) for span in chosen], model.config.pad_token_id),
        "attention_mask": pad([np.ones(span.stop - span.start, np.int64) for span in chosen]),
    }
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = pad([table.segments[span].astype(np.int64) for span in chosen])
    return inputs


def pooled_output(outputs: Any) -> Tensor:
    """What transformers' pooler returns, or the first token of a model without one [B, H]."""
    pooled: Tensor | None = getattr(outputs, "pooler_output", None)
    return outputs.last_hidden_state[:, 0] if pooled is None else pooled


def worst_difference(encoder: Encoder, model: Any, table: TokenTable, budget: int = 2000) -> float:
    """Largest absolute difference of last hidden state and pooled output over all examples of a table."""
    worst = 0.0
    for rows in micro_batches(table.example_lengths, budget):
        with torch.no_grad():
            ours, theirs = encoder(packed((table, rows))), model(**padded_inputs(model, table, rows.tolist()))
        hidden, mask = ours.padded()
        hidden, mask, pooled = (ours.batch.restore(part) for part in (hidden, mask, ours.pooled))
        worst = max(worst, float((hidden - theirs.last_hidden_state)[mask].abs().max()))
        worst = max(worst, float((pooled - pooled_output(theirs)).abs().max()))
    return worst


def weighted(hidden: Tensor, mask: Tensor, pooled: Tensor) -> Tensor:
    """A loss that gives every output its own random weight; hidden [B, L, H], mask [B, L], pooled [B, H]."""
    generator = torch.Generator().manual_seed(5)
    first, second = (torch.randn(part.shape, generator=generator).to(DEVICE) for part in (hidden, pooled))
    return (hidden * first)[mask].sum() + (pooled * second).sum()


def assert_gradients_equal(encoder: Encoder, model: Any, table: TokenTable) -> None:
    rows = list(range(len(table)))
    output, inputs = encoder(packed((table, np.array(rows)))), padded_inputs(model, table, rows)
    hidden, _ = output.padded()
    mask = inputs["attention_mask"].bool()
    weighted(output.batch.restore(hidden), mask, output.batch.restore(output.pooled)).backward()
    theirs = model(**inputs)
    weighted(theirs.last_hidden_state, mask, pooled_output(theirs)).backward()
    expected, names = dict(model.named_parameters()), hub_names(encoder.config)
    assert {part for parts in names.values() for part in parts} == expected.keys()
    for name, parameter in encoder.named_parameters():
        grad = torch.cat([expected[part].grad for part in names[name]])
        assert parameter.grad is not None
        assert float(grad.abs().max()) > 0, name
        assert float((parameter.grad - grad).abs().max()) <= 1e-4 * float(grad.abs().max()), name
