"""Multi-task fine-tuning of one shared BERT encoder.

Public names load on first use, so that importing mtft imports no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Binary": "mtft.outputs",
    "Bounded": "mtft.outputs",
    "Categorical": "mtft.outputs",
    "Example": "mtft.data.example",
    "Model": "mtft.api",
    "MtftError": "mtft.errors",
    "Ordinal": "mtft.outputs",
    "Part": "mtft.tasks.part",
    "Source": "mtft.tasks.task",
    "TableReader": "mtft.data.readers",
    "Task": "mtft.tasks.task",
    "evaluate": "mtft.api",
    "hookimpl": "mtft.plugin.hookspecs",
    "refine": "mtft.api",
    "train": "mtft.api",
}
_MODULES = ("heads", "losses", "metrics")

__all__ = ["__version__", *_MODULES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"mtft.{name}")
    raise AttributeError(f"module 'mtft' has no attribute {name!r}")
