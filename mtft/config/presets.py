"""Named sets of values, or presets: the recipes of the report, and the best one found (examples/report)."""

from __future__ import annotations

from typing import Any

_REPORT: dict[str, Any] = {"epochs": 30, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.01}
PRESETS: dict[str, dict[str, Any]] = {
    "best": {"batch_size": 32, "epochs": 5, "lr": 1e-4, "keep": "0.3", "augment": "none"},
    "report": {**_REPORT, "batch_size": 512, "lr": 1e-4, "keep": "0.3", "optimizer_rule": "torch"},
    "report-vanilla": {**_REPORT, "batch_size": 16, "lr": 1e-5, "keep": "1", "optimizer_rule": "torch"},
    "report-sam": {**_REPORT, "batch_size": 16, "lr": 1e-4, "keep": "0.1", "optimizer_rule": "torch"},
}
REFINE_PRESETS: dict[str, dict[str, Any]] = {
    "report": {**_REPORT, "batch_size": 16, "lr": 1e-5, "task_lr": {"sst": 5e-8}}
}
