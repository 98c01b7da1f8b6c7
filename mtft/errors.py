"""Errors that a user can mend, each with the exit code that the command line returns for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MtftError(Exception):
    """Base of every error whose text is written for the user: lower case, no full stop."""

    exit_code = 1

    reported: bool | None = None
    """Whether another process of the run says the same; None before this one has joined the others."""


class ConfigError(MtftError):
    """A flag, a configuration key or a combination of them is wrong."""

    exit_code = 2


class DataError(MtftError):
    """A data file is missing or holds something that cannot be read; names file and line."""

    exit_code = 2


class ModelError(MtftError):
    """A pretrained model directory is missing, incomplete or of another architecture."""

    exit_code = 2


class CheckpointError(MtftError):
    """A run directory or a mask file is damaged, foreign or of an unknown format version."""

    exit_code = 2


class PluginError(MtftError):
    """A plugin that the command needs is missing, broken or breaks its contract.

    `part` names the task, the source or, with its kind, the part that is to blame, if one is: "sst", "surgery pcgrad".
    """

    exit_code = 2

    def __init__(self, text: str, part: str = "") -> None:
        super().__init__(text)
        self.part = part


class FetchError(MtftError):
    """A public file could not be fetched, or is not the one that it should be."""


class GateError(MtftError):
    """A score stayed below the limit that the user set (``--fail-under``)."""

    exit_code = 3


class FinishedError(MtftError):
    """Nothing is left to do, which is no failure."""

    exit_code = 0


@contextmanager
def plugin_guard(what: str, part: str) -> Iterator[None]:
    """Run a plugin's code: whatever it raises, SystemExit too, is a PluginError that says what failed."""
    try:
        yield
    except (MtftError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"{what} failed: {reason}", part) from error


def missing_distribution(distribution: object, version: object) -> str:
    """Name a distribution that something needs and that gives nothing here, and say how to get it."""
    found = f"{distribution} {version}, which is not installed or does not load"
    if distribution in (None, "mtft"):
        return found
    return f"{found}; install it from where it came from (on an index this name may be somebody else's)"


def unknown(kind: str, found: str, allowed: Iterable[str]) -> str:
    """Say that `found` is no known `kind`, with its near match and the values allowed."""
    names = sorted(allowed)
    near = difflib.get_close_matches(found, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {found!r}{hint} (allowed: {', '.join(names) or 'none'})"


def install_hint(name: str) -> str:
    """Say how an extra of mtft is installed; on PyPI the name belongs to another project."""
    return f"pip install '.[{name}]' where mtft's source is"
