"""Decide which token tables read their features from disk while heads are refined, within a limit of bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from mtft.config.values import cache_bytes, size_text
from mtft.data.tokenization import TokenTable
from mtft.encoder.pretrained import weights_digest
from mtft.errors import setting
from mtft.io.disk import free_disk_bytes
from mtft.model.features import feature_bytes, feature_key, remove_features, with_features
from mtft.plugin.context import Context, Progress
from mtft.runs.checkpoint import TrainedModel
from mtft.training.autosave import Autosaver


class FeatureCache:
    """Features of a frozen encoder in `directory`, within the limit that `setting` (`feature_cache`) allows.

    `chosen` says for each table whether its features are kept. A resumed refinement uses the same choice: features
    and encoder agree only to rounding, and a resumed run must have the same bits even if the free space has changed.
    """

    def __init__(
        self, trained: TrainedModel, setting: str, directory: Path, context: Context, autosaver: Autosaver
    ) -> None:
        self.trained, self.setting, self.directory = trained, setting, directory
        self.context, self.autosaver = context, autosaver
        self.chosen: dict[str, bool] = {}
        self._sizes: dict[str, int] = {}

    def add(self, name: str, table: TokenTable) -> TokenTable:
        """Return the table with its features, or unchanged if they are not kept or do not fit."""
        size = feature_bytes(table, self.trained.model.encoder.config.hidden_size)
        if self.setting != "off" and name not in self.chosen:
            self.chosen[name] = self._fits(name, size)
        if self.setting == "off" or not self.chosen[name]:
            return table
        if not self._sizes:
            self.context.notify("info", f"encoding every text once, into {self.directory} until the heads are done")
        self._sizes[name] = size
        key = feature_key(self.trained.model, self._weights, table)
        try:
            self.directory.mkdir(exist_ok=True)
            return with_features(self.trained.model, table, self._path(name), key, self._watch(table))
        except OSError as error:
            self.chosen[name] = False
            self.remove(name)
            self.context.notify(
                "info", f"features of {name} cannot be kept ({error}): every epoch goes through the encoder"
            )
            return table

    def remove(self, name: str) -> None:
        """Remove the features of one table."""
        self._sizes.pop(name, None)
        remove_features(self._path(name))

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.directory, ignore_errors=True)

    @cached_property
    def _weights(self) -> str:
        return weights_digest(self.trained.encoder.theta)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.features"

    def _fits(self, name: str, size: int) -> bool:
        """Return whether features of `size` bytes fit in addition to those already kept; if not, notify the user."""
        used, most = sum(self._sizes.values()), cache_bytes(self.setting)
        if most is None:
            held = sum(file.stat().st_size for file in self.directory.glob("*.features"))
            most = (free_disk_bytes(self.directory) + held) // 2
        if used + size <= most:
            return True
        self.context.notify(
            "info",
            f"features of {name} need {size_text(size)}; {setting('feature_cache', self.setting)} leaves "
            f"{size_text(max(most - used, 0))}: every epoch goes through the encoder",
        )
        return False

    def _watch(self, table: TokenTable) -> Callable[[int, int, Callable[[], None]], None]:
        """Return a callback for the encoding of a table: it shows progress, saves when due, and stops on request."""
        count = 0

        def watch(sequences: int, tokens: int, save: Callable[[], None]) -> None:
            nonlocal count
            count += 1
            self.context.progress(Progress(sequences, len(table.lengths), 0, {}, tokens, "text", "encode"))
            self.autosaver.after_step(count, save)

        return watch
