"""Multi-task fine-tuning of one shared encoder.

Public names load on first use, so that importing mtft imports no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `_PUBLIC` says, for type checkers and editors
    from mtft import heads as heads
    from mtft import losses as losses
    from mtft import metrics as metrics
    from mtft.api import check_data as check_data
    from mtft.api import compare as compare
    from mtft.api import count_params as count_params
    from mtft.api import evaluate as evaluate
    from mtft.api import experiment as experiment
    from mtft.api import export as export
    from mtft.api import init as init
    from mtft.api import merge as merge
    from mtft.api import plan as plan
    from mtft.api import refine as refine
    from mtft.api import select as select
    from mtft.api import train as train
    from mtft.api import verify as verify
    from mtft.api import write_report as write_report
    from mtft.data.example import Example as Example
    from mtft.data.readers import TableReader as TableReader
    from mtft.errors import MtftError as MtftError
    from mtft.outputs import Binary as Binary
    from mtft.outputs import Bounded as Bounded
    from mtft.outputs import Categorical as Categorical
    from mtft.outputs import Ordinal as Ordinal
    from mtft.plugin.hookspecs import hookimpl as hookimpl
    from mtft.predictor import Model as Model
    from mtft.tasks.part import Part as Part
    from mtft.tasks.task import Source as Source
    from mtft.tasks.task import Task as Task

__version__ = "0.1.0"

_PUBLIC = {
    "mtft.api": (
        "check_data",
        "compare",
        "count_params",
        "evaluate",
        "experiment",
        "export",
        "init",
        "merge",
        "plan",
        "refine",
        "select",
        "train",
        "verify",
        "write_report",
    ),
    "mtft.data.example": ("Example",),
    "mtft.data.readers": ("TableReader",),
    "mtft.errors": ("MtftError",),
    "mtft.outputs": ("Binary", "Bounded", "Categorical", "Ordinal"),
    "mtft.plugin.hookspecs": ("hookimpl",),
    "mtft.predictor": ("Model",),
    "mtft.tasks.part": ("Part",),
    "mtft.tasks.task": ("Source", "Task"),
}
_HOMES = {name: module for module, names in _PUBLIC.items() for name in names}
_MODULES = ("heads", "losses", "metrics")

__all__ = ["__version__", *_MODULES, *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"mtft.{name}")
    raise AttributeError(f"module 'mtft' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
