"""The command line's names of settings and commands: flags, and lines for a shell."""

from __future__ import annotations

import shlex

from mtft.errors import Wording

SHORT = {"keep_columns": "--keep"}
"""Flags that are shorter than the names of their settings; elsewhere `keep` is a share of weights."""


def flag(key: str) -> str:
    """Return a setting's flag: "--batch-size" for "batch_size"."""
    return SHORT.get(key, "--" + key.replace("_", "-"))


class Flags(Wording):
    """Settings as flags, commands as lines for a shell."""

    given = "flag"

    def setting(self, name: str, value: object = None) -> str:
        if value is None or value is True:
            return flag(name)
        return flag(f"no_{name}") if value is False else f"{flag(name)} {shlex.quote(str(value))}"

    def command(self, name: str, **settings: object) -> str:
        return " ".join(["mtft", name, *(self.setting(key, value) for key, value in settings.items())])
