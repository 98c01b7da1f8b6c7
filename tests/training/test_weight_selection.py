"""Selections that need no training: where the indices lie."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from mtft.config.schema import SelectConfig
from mtft.model.flat import FlatParameters
from mtft.selection.gradient_score import bias_score
from mtft.testing.tiny import tiny_encoder
from mtft.training import weight_selection


class Elsewhere(Tensor):
    """Numbers that lie on another device, as do all that are computed from them, until `cpu` brings them here."""

    def cpu(self, *_: Any, **__: Any) -> Any:
        return self.as_subclass(Tensor)


def test_the_indices_of_biases_lie_on_the_cpu_wherever_the_scores_do(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = FlatParameters(tiny_encoder())
    scores = bias_score(SimpleNamespace(encoder=flat))  # type: ignore[arg-type]
    monkeypatch.setattr(weight_selection, "score_weights", lambda _: scores.as_subclass(Elsewhere))
    session: Any = SimpleNamespace(
        config=SelectConfig(tasks=("sts",), score="bitfit"),
        prepared=SimpleNamespace(encoder=flat, digest="0", sources=[]),
        context=SimpleNamespace(notify=lambda *_: None),
    )
    mask = weight_selection.select_weights(session)
    assert type(mask.indices) is Tensor
    biases = sum(size for name, size in zip(flat.names, flat.sizes, strict=True) if name.endswith(".bias"))
    assert len(mask.indices) == biases
