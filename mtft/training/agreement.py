"""Checks that all processes of a training have the same settings, data and weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mtft.config.groups import Options
from mtft.io.files import to_json
from mtft.runs.checkpoint import TrainedModel
from mtft.runs.fingerprints import fingerprints, model_digest, settings_digest
from mtft.runtime.distributed import Group
from mtft.training.preparation import Prepared


def check_same_across_ranks(config: Options, prepared: Prepared, group: Group) -> None:
    """Raise MtftError unless all processes have the same settings, data and pretrained weights."""
    if group.size > 1:
        data = to_json(fingerprints({}, prepared.sources, prepared.dev))
        check_same_facts(config, group, {"pretrained weights": prepared.digest, "data": data})


def check_same_model(config: Options, trained: TrainedModel, group: Group, facts: Mapping[str, str]) -> None:
    """Raise MtftError unless all processes have the same settings, model and `facts`."""
    if group.size > 1:
        check_same_facts(config, group, {**facts, "model": model_digest(trained)})


def check_same_facts(config: Options, group: Group, facts: Mapping[str, str]) -> None:
    """Raise MtftError unless all processes have the same settings, except paths, and the same `facts` by name."""
    for what, text in {"settings": settings_digest(config), **facts}.items():
        group.same(f"{what} (digest)", hashlib.sha256(text.encode()).hexdigest()[:12])
