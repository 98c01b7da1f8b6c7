"""The selected weights by layer and kind of tensor: counts of a mask, and their figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mtft.encoder.architectures import MOST, MOST_LAYERS
from mtft.encoder.bert import Encoder, EncoderConfig
from mtft.report.figure import Figure, Table
from mtft.report.heatmaps import Cell, Heatmap
from mtft.selection.mask import Mask

KINDS = {
    "attention_output.weight": "out",
    "intermediate.weight": "up",
    "output.weight": "down",
    "attention_norm.weight": "norm",
    "output_norm.weight": "norm",
}
"""Tensor of a transformer layer -> its kind; the joint tensor of query, key and value is split, others are biases."""

SIZES = ("vocabulary", "hidden_size", "intermediate_size", "positions")
OPTIONAL = ("segments", "first_position", "embedding_size", "relative_buckets")
LIMITS = {
    "layers": (1, MOST_LAYERS),
    **dict.fromkeys(SIZES, (1, MOST)),
    **dict.fromkeys(OPTIONAL, (0, MOST)),
}
"""The ranges allowed for the sizes of an encoder; others are from a damaged or hostile configuration."""

OUTSIDE = ("embeddings", "relative bias", "pooler")
IN_LAYERS = ("query", "key", "value", "out", "up", "down", "norm", "bias")


@dataclass(frozen=True)
class SelectedShare:
    """Weights of one kind in one layer, numbered from 1, or outside the layers (None)."""

    layer: int | None
    kind: str
    total: int
    selected: int

    @property
    def share(self) -> float:
        return self.selected / self.total


def selected_parts(mask: Mask, encoder: Mapping[str, Any]) -> list[SelectedShare]:
    """Return the shares selected of an encoder of this configuration; ValueError if the mask has another size."""
    config = EncoderConfig(**encoder)
    for key, (least, most) in LIMITS.items():
        if type(size := getattr(config, key)) is not int or not least <= size <= most:
            raise ValueError(f"{key} is {size!r}, allowed: {least} to {most}")
    pieces = list(_pieces(config))
    if sum(size for _, _, size in pieces) != mask.total:
        raise ValueError(f"the mask has {mask.total} weights, the encoder {sum(size for *_, size in pieces)}")
    ends = torch.tensor([size for *_, size in pieces]).cumsum(0)
    below = torch.searchsorted(mask.indices, ends)
    counts = torch.diff(below, prepend=torch.zeros(1, dtype=below.dtype)).tolist()
    totals: dict[tuple[int | None, str], list[int]] = {}
    for (layer, kind, size), count in zip(pieces, counts, strict=True):
        entry = totals.setdefault((layer, kind), [0, 0])
        entry[0] += size
        entry[1] += count
    return [SelectedShare(layer, kind, *entry) for (layer, kind), entry in totals.items()]


def _pieces(config: EncoderConfig) -> Iterator[tuple[int | None, str, int]]:
    """Yield (layer, kind, size) in the order of the flat vector; no weight is allocated."""
    with torch.device("meta"):
        named = list(Encoder(config).named_parameters())
    for name, tensor in named:
        group, _, rest = name.partition(".")
        if group != "layers":
            words = f"{group} {rest.removesuffix('weight')}".replace(".", " ").replace("_", " ")
            yield None, words.strip(), tensor.numel()
            continue
        number, _, rest = rest.partition(".")
        if rest == "qkv.weight":
            for kind in ("query", "key", "value"):
                yield int(number) + 1, kind, tensor.numel() // 3
        else:
            yield int(number) + 1, KINDS.get(rest, "bias"), tensor.numel()


def selection_figures(parts: Sequence[SelectedShare]) -> list[Figure]:
    """Return figures of the share selected per layer and kind of tensor, and outside the layers."""
    inside = {(part.layer, part.kind): part for part in parts if part.layer is not None}
    layers = sorted({layer for layer, _ in inside if layer is not None})
    cells = [[_share_cell(inside[layer, kind]) for kind in IN_LAYERS] for layer in layers]
    selected, total = sum(part.selected for part in parts), sum(part.total for part in parts)
    overall = f"{selected / total:.1%} of the encoder's {total:,} weights are tuned"
    heatmap = Heatmap(
        "Share of weights selected per layer and kind",
        f"Overall {overall}.",
        [f"layer {layer}" for layer in layers],
        IN_LAYERS,
        cells,
        y_name="percent selected",
        label_width=62,
    )
    outside = [part for part in parts if part.layer is None]
    groups = [name for name in OUTSIDE if any(part.kind.startswith(name) for part in outside)]
    where = f"{', '.join(groups[:-1])} and {groups[-1]}" if len(groups) > 1 else groups[0]
    bars = Heatmap(
        "Share of weights selected outside the layers",
        f"{where.capitalize()}.",
        [part.kind for part in outside],
        ["selected"],
        [[_share_cell(part)] for part in outside],
        y_name="percent selected",
        label_width=180,
    )
    rows = tuple(
        (
            "" if part.layer is None else str(part.layer),
            part.kind,
            f"{part.total:,}",
            f"{part.selected:,}",
            f"{part.share:.2%}",
        )
        for part in parts
    )
    table = Table("Selected weights", ("layer", "kind", "weights", "selected", "share"), rows, texts=2)
    caption = f"{overall}. Query, key, value and out are the attention's matrices; up and down are the feed-forward's."
    return [
        Figure("layers", heatmap.draw(), caption, table),
        Figure("outside", bars.draw(), f"{where.capitalize()}."),
    ]


def _share_cell(part: SelectedShare) -> Cell:
    share = part.share
    text = f"{100 * share:.0f}" if share in (0, 1) or 0.01 <= share < 0.995 else f"{100 * share:.2g}"
    return Cell(share, text, f"{part.kind}: {part.selected:,} of {part.total:,} ({share:.2%})")
