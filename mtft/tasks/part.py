"""Parts: components that settings and declarations choose by name, and the interface of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HOOKS = {
    "head": "mtft_heads",
    "surgery": "mtft_surgery",
    "score": "mtft_scores",
    "encoder": "mtft_encoders",
    "tracker": "mtft_trackers",
}
"""Kinds of parts, and the hook that provides each."""


@dataclass(frozen=True)
class Part:
    """A named head, surgery method, selection score, encoder or tracker.

    `make` is a function, or its name ``"package.module:name"``, which is imported only when the part is used:

    - head: (`mtft.plugin.EncoderConfig`, output width) -> module from an `EncoderOutput` to raw outputs [B, width];
    - surgery: (Gram matrix K [T, T] float64, generator) -> weights w [T] of the tasks' gradients (a sum is all ones);
    - score: (`mtft.plugin.Scoring`) -> one number per encoder weight [P]; the weights with the largest are trained;
    - encoder, named like the ``model_type`` of ``config.json``: a `mtft.plugin.Family` instead of a function;
    - tracker: (`mtft.plugin.Tracked`) -> an object with ``log(kind, record)`` and
      ``close()``, a `mtft.plugin.Tracker`.
    """

    name: str
    make: str | Callable[..., Any]
    description: str = ""
