"""The model card of a run, from what its workflow knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mtft.card import Story, model_card
from mtft.checkpoint import TrainedModel
from mtft.config.groups import DevOptions
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half
from mtft.optimization.gradients import TrainingSource


def run_card(
    command: str,
    config: DevOptions,
    trained: TrainedModel,
    dev: Mapping[str, Dataset],
    scores: Mapping[str, Mapping[str, float]],
    sources: Iterable[TrainingSource],
    digests: Mapping[str, str],
    calibration: Mapping[str, Mapping[str, Any]],
    *notes: str,
) -> str:
    """Return the card of a model with these dev scores, trained on sources with these digests."""
    counts = {name: int(in_half(data.keys, config.choosing, name).sum()) for name, data in dev.items()}
    sizes = {source.name: (len(source), digests[source.name]) for source in sources}
    return model_card(trained, Story(command, scores, counts, sizes, calibration, notes))
