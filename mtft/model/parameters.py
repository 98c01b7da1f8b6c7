"""Count the parameters that a model stores and those that training may change, from configurations alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of parameters: the shared encoder, its `selected` (tunable) entries, and each head."""

    encoder: int
    selected: int
    heads: Mapping[str, int]

    @property
    def stored(self) -> int:
        return self.encoder + sum(self.heads.values())

    @property
    def tunable(self) -> int:
        return self.selected + sum(self.heads.values())

    def ratios(self) -> dict[str, float]:
        """Return ratios to individual models, one per task, whose parameters are all stored and tuned.

        Each ratio is given to individual models with the same heads, and to bare encoders without heads.
        """
        same = len(self.heads) * self.encoder + sum(self.heads.values())
        bare = len(self.heads) * self.encoder
        return {
            "stored_to_individuals_with_same_heads": self.stored / same,
            "stored_to_bare_encoders": self.stored / bare,
            "tunable_to_individuals_with_same_heads": self.tunable / same,
            "tunable_to_bare_encoders": self.tunable / bare,
        }

    @classmethod
    def of_report(cls, report: Mapping[str, Any]) -> ParameterCount:
        """Return the counts that a `report` is of."""
        encoder = report["encoder"]
        return cls(encoder["stored"], encoder["tunable"], report["heads"])

    def report(self) -> dict[str, Any]:
        """Return everything as one mapping."""
        return {
            "stored": self.stored,
            "tunable": self.tunable,
            "encoder": {"stored": self.encoder, "tunable": self.selected},
            "heads": dict(self.heads),
            "ratios": self.ratios(),
        }
