"""Encoders of transformers for mtft; importing this imports neither torch nor transformers."""

from __future__ import annotations

from collections.abc import Iterable

from mtft import Part, hookimpl

MTFT_API_VERSION = 1


@hookimpl
def mtft_encoders() -> Iterable[Part]:
    """One family per ``model_type``."""
    return [
        Part(
            "modernbert",
            "mtft_transformers.families:MODERNBERT",
            "ModernBERT (Warner et al. 2024), through transformers",
        ),
    ]
