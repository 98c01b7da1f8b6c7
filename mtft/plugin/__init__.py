"""Plugins provide tasks, sources and parts: the hooks that they implement, and the manager that finds them.

The types for authors of parts are here: `EncoderConfig`, `EncoderOutput`, `SharedEncoder` and `TokenBatch` (heads,
encoders), `Family` (encoders), `Scoring` and `Scorer` (scores), `Tracked` and `Tracker` (trackers). Names load on first
use, so that importing this module does not import torch; ``__init__.pyi`` declares them for type checkers.
"""

from __future__ import annotations

import importlib
from typing import Any

_CONTRACTS = {
    "EncoderConfig": "mtft.encoder.bert",
    "EncoderOutput": "mtft.encoder.bert",
    "Family": "mtft.encoder.family",
    "Scorer": "mtft.selection.scorers",
    "Scoring": "mtft.selection.scorers",
    "SharedEncoder": "mtft.encoder.bert",
    "TokenBatch": "mtft.data.packing",
    "Tracked": "mtft.runs.tracking",
    "Tracker": "mtft.runs.tracking",
}

__all__ = [*_CONTRACTS]


def __getattr__(name: str) -> Any:
    if name in _CONTRACTS:
        return getattr(importlib.import_module(_CONTRACTS[name]), name)
    raise AttributeError(f"module 'mtft.plugin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_CONTRACTS})
