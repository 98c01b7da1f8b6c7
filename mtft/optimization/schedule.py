"""The learning rate of each step."""

from __future__ import annotations

import math
from typing import Literal, get_args

Schedule = Literal["constant", "linear", "cosine"]


def learning_rate(step: int, *, peak: float, total_steps: int, warmup_steps: int, schedule: Schedule) -> float:
    """Return the learning rate of `step`, counted from 0, in the unit of `peak`.

    In a warm-up of w steps the rate is peak * (step + 1) / (w + 1): the first rate is not 0, and step w is the first
    at the peak. Then "linear" and "cosine" fall to 0 at `total_steps` and stay there; "constant" stays at the peak.
    ValueError for impossible counts or an unknown schedule.
    """
    if schedule not in get_args(Schedule):
        raise ValueError(f"schedule is {schedule!r}, allowed: {', '.join(get_args(Schedule))}")
    if step < 0 or not 0 <= warmup_steps <= total_steps:
        found = f"step {step}, {warmup_steps} warm-up steps of {total_steps}"
        raise ValueError(f"{found}, allowed: step from 0, warm-up from 0 to the total")
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return peak
    if step >= total_steps:
        return 0.0
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 - progress if schedule == "linear" else (1 + math.cos(math.pi * progress)) / 2)
