"""Errors that a user can mend, each with the exit code that the command line returns for it.

Messages name settings and commands through `setting` and `command`: as Python writes them, or as flags while the
command line runs, which alone knows that settings are flags there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar


class Wording:
    """How messages name settings and commands; this is how Python does."""

    given = "argument"
    """What a value is that the caller gave."""

    def setting(self, name: str, value: object = None) -> str:
        """Return the setting `name`, with the `value` to give it unless that is None."""
        return name if value is None else f"{name}={value!r}"

    def command(self, name: str, **settings: object) -> str:
        """Return a call of the command `name` with these settings."""
        given = ", ".join(self.setting(key, str(value)) for key, value in settings.items())
        return f"mtft.{name.replace(' ', '_')}({given})"


PYTHON = Wording()
_wording: ContextVar[Wording] = ContextVar("wording", default=PYTHON)


@contextmanager
def worded(wording: Wording) -> Iterator[None]:
    """Let messages name settings and commands in this way."""
    token = _wording.set(wording)
    try:
        yield
    finally:
        _wording.reset(token)


def setting(name: str, value: object = None) -> str:
    """Name a setting, "max_length", as the caller writes it: `max_length` in Python, a flag on the command line.

    With a value it says what to give, as in ``device='cuda'``.
    """
    return _wording.get().setting(name, value)


def command(name: str, **settings: object) -> str:
    """Name a call of a command, as in ``mtft.train(resume='runs/first')``."""
    return _wording.get().command(name, **settings)


def with_names(text: str) -> str:
    """Return a fixed text in which the settings in backticks have the caller's names."""
    return re.sub(r"`([a-z][a-z_]*)`", lambda name: setting(name[1]), text)


def word_for_given() -> str:
    """Name what a value is that the caller gave: an argument, or a flag."""
    return _wording.get().given


DISTRIBUTION = "multitask-finetuning"
"""The name under which pip knows mtft: on PyPI, `mtft` is another project, and `mtft-NAME` is for plugins."""

FORMER_DISTRIBUTION = "mtft"
"""The name before, which runs and masks written then record."""


class MtftError(Exception):
    """Base of every error whose text is written for the user: lower case, no full stop.

    `setting` is the name of the setting that is wrong, as in "max_length", if it is one; the text begins with it.
    """

    exit_code = 1

    reported: bool | None = None
    """Whether another process of the run says the same; None before this one has joined the others."""

    def __init__(self, text: str = "", *, setting: str = "") -> None:
        super().__init__(text)
        self.setting = setting

    def __str__(self) -> str:
        text = super().__str__()
        return f"{setting(self.setting)}: {text}" if self.setting else text


class ConfigError(MtftError):
    """A setting or a combination of settings is wrong."""

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
    """A score stayed below the limit that the user set (`fail_under`)."""

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
    if distribution in (None, DISTRIBUTION, FORMER_DISTRIBUTION):
        return found
    return f"{found}; install it from where it came from (on an index this name may be somebody else's)"


def unknown(kind: str, name: str, allowed: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Say that `name` is no known `kind`, with the name that it or its synonym is near, and the values allowed."""
    names, name = sorted(allowed), name[:80]
    near = [synonyms[name]] if synonyms and name in synonyms else difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}{hint} (allowed: {', '.join(names) or 'none'})"


def install_hint(name: str) -> str:
    """Return the command that installs an extra of mtft."""
    return f"pip install '{DISTRIBUTION}[{name}]'"
