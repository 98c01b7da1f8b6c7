"""Build the model card of a run from its session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mtft.config.groups import DevOptions
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half
from mtft.optimization.gradients import TrainingSource
from mtft.runs.card import CardFacts, model_card
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.fingerprints import table_digest


def run_card(
    command: str,
    config: DevOptions,
    trained: TrainedModel,
    dev: Mapping[str, Dataset],
    scores: Mapping[str, Mapping[str, float]],
    sources: Iterable[TrainingSource],
    calibration: Mapping[str, Mapping[str, Any]],
    *notes: str,
) -> str:
    """Return the card of a model with these dev scores, trained on these sources."""
    counts = {name: int(in_half(data.keys, config.choosing, name).sum()) for name, data in dev.items()}
    data = {source.name: (len(source), table_digest(source.table, source.targets.numpy())) for source in sources}
    return model_card(trained, CardFacts(command, scores, counts, data, calibration, notes))
