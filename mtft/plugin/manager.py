"""Find plugins one entry point at a time; a broken plugin is reported and skipped.

``MTFT_DISABLE_PLUGINS`` disables plugins: ``1`` or ``all`` (all but the built-in plugin), or names of plugins
or distributions, separated by commas. ``MTFT_STRICT_PLUGINS=1`` makes a broken plugin an error.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

import pluggy

from mtft.errors import DISTRIBUTION, MtftError, PluginError
from mtft.plugin import hookspecs
from mtft.tasks.part import HOOKS
from mtft.tasks.registry import Contribution, Registry, assemble

GROUP = "mtft"
BUILTIN = EntryPoint("builtin", "mtft.plugin.builtin", GROUP)
EVERY = ("1", "all")
"""Values of ``MTFT_DISABLE_PLUGINS`` that mean all plugins but the built-in one."""


@dataclass(frozen=True)
class Plugin:
    """One plugin that was found; `error` says why it is not used, if so."""

    name: str
    module: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    error: str | None = None
    disabled: bool = False

    @property
    def status(self) -> str:
        """One of "ok", "disabled" and "broken"."""
        return "disabled" if self.disabled else "ok" if self.error is None else "broken"

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"

    @property
    def trouble(self) -> str:
        """Return why the plugin is not available; "" if it is."""
        if self.disabled:
            return f"{self} is disabled by MTFT_DISABLE_PLUGINS"
        return f"{self} failed to load: {self.error}" if self.error else ""


class Plugins:
    """The plugins that were found: working plugins are registered, the others are only listed."""

    def __init__(self, strict: bool = False) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._records: list[Plugin] = []
        self._strict = strict

    def __iter__(self) -> Iterator[Plugin]:
        return iter(tuple(self._records))

    def get(self, name: str) -> Plugin:
        """Return a working plugin by its name."""
        for plugin in self:
            if plugin.name == name and plugin.status == "ok":
                return plugin
        raise PluginError(f"no working plugin {name!r}")

    def add(self, plugin: Plugin, load: Callable[[], Any]) -> None:
        """List a plugin; load and register it unless it is disabled."""
        self._records.append(plugin)
        if plugin.disabled:
            return
        try:
            with contextlib.redirect_stdout(sys.stderr):
                hooks = self._register(plugin, load())
        except (Exception, SystemExit) as error:
            self.quarantine(plugin, error)
        else:
            self._records[-1] = replace(plugin, hooks=hooks)

    def _register(self, plugin: Plugin, module: Any) -> tuple[str, ...]:
        """Register a loaded plugin; return the names of its hooks."""
        version = getattr(module, "MTFT_API_VERSION", hookspecs.API_VERSION)
        if version != hookspecs.API_VERSION:
            raise PluginError(f"written for plugin API version {version!r}; this mtft has {hookspecs.API_VERSION}")
        if self._manager.has_plugin(plugin.name):
            raise PluginError(f"the name is taken by {self.get(plugin.name)}")
        try:
            self._manager.register(module, plugin.name)
            self._manager.check_pending()
            hooks = tuple(sorted(caller.name for caller in self._manager.get_hookcallers(module) or ()))
            if not hooks:
                raise PluginError("implements no hook (is @hookimpl missing?)")
        except Exception:
            if self._manager.get_plugin(plugin.name) is module:
                self._manager.unregister(module, plugin.name)
            raise
        return hooks

    def quarantine(self, plugin: Plugin, error: BaseException) -> None:
        """Mark a listed plugin as broken; with MTFT_STRICT_PLUGINS raise an error instead."""
        text = " ".join(str(error).split())
        reason = text if isinstance(error, MtftError) else f"{type(error).__name__}: {text}"
        if self._strict:
            raise PluginError(f"{plugin} is broken: {reason}") from error
        if plugin.hooks:
            self._manager.unregister(name=plugin.name)
        self._records[self._records.index(plugin)] = replace(plugin, error=reason)

    def call(self, plugin: Plugin, hook: str) -> tuple[Any, ...]:
        """Return the values of one plugin's implementation of a hook; () if it has none."""
        impls = [impl for impl in getattr(self._manager.hook, hook).get_hookimpls() if impl.plugin_name == plugin.name]
        with contextlib.redirect_stdout(sys.stderr):
            given = [impl.function() for impl in impls]
            for values in given:
                if not isinstance(values, Iterable):
                    raise PluginError(f"{hook} returned {type(values).__name__} where an iterable is needed")
            return tuple(value for values in given for value in values)


def load_plugins() -> Plugins:
    """Load every installed plugin into a fresh manager, the built-in one first."""
    setting = {word.strip() for word in os.environ.get("MTFT_DISABLE_PLUGINS", "").split(",")}
    plugins = Plugins(strict=os.environ.get("MTFT_STRICT_PLUGINS", "").lower() not in ("", "0", "false", "no"))
    candidates = [pair for distribution in _distributions() for pair in _entries(distribution)]
    ours = [plugin for plugin, _ in candidates if _is_builtin(plugin)]
    ours.sort(key=lambda plugin: plugin.distribution != DISTRIBUTION)
    candidates = [pair for pair in candidates if pair[0] not in ours[1:]]  # for mtft under its former name, too
    if not ours:  # run from a checkout
        version = pkgutil.resolve_name("mtft:__version__")
        candidates.append((Plugin(BUILTIN.name, BUILTIN.value, DISTRIBUTION, version), BUILTIN.load))
    for plugin, load in sorted(candidates, key=lambda pair: _rank(pair[0])):
        off = {plugin.name, plugin.distribution} if _is_builtin(plugin) else {plugin.name, plugin.distribution, *EVERY}
        plugins.add(replace(plugin, disabled=not off.isdisjoint(setting)), load)
    return plugins


def _is_builtin(plugin: Plugin) -> bool:
    return (plugin.name, plugin.module) == (BUILTIN.name, BUILTIN.value)


def _rank(plugin: Plugin) -> tuple[bool, str, str]:
    """Return a sort key that orders plugins in the same way on every machine."""
    return not _is_builtin(plugin), plugin.name, plugin.distribution


def _distributions() -> Iterator[Distribution]:
    """Yield the distributions that list plugins; of two with one name, the first on the path is used."""
    seen = set()
    for distribution in distributions():
        if _lists_plugins(distribution):
            key = re.sub(r"[-_.]+", "-", _identity(distribution)[0]).lower()
            if key not in seen:
                seen.add(key)
                yield distribution


def _lists_plugins(distribution: Distribution) -> bool:
    """Look for our group in the text; this is fast, and damaged lists of other packages do no harm."""
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except (OSError, ValueError):
        return False


def _entries(distribution: Distribution) -> list[tuple[Plugin, Callable[[], Any]]]:
    """Return a distribution's plugins, each with its loader; a damaged list becomes one plugin that cannot load."""
    name, version = _identity(distribution)
    try:
        entries = dict.fromkeys(distribution.entry_points.select(group=GROUP))
    except Exception as error:
        return [(Plugin(name, "", name, version), partial(_fail, f"entry_points.txt cannot be read: {error}"))]
    return [(Plugin(entry.name, entry.value, name, version), entry.load) for entry in entries]


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Return name and version; damaged metadata must not end the command."""
    try:
        return str(distribution.metadata["Name"]), str(distribution.version)
    except Exception:
        return "unknown", "unknown"


def _fail(reason: str) -> None:
    raise PluginError(reason)


def build_registry(plugins: Plugins | None = None) -> Registry:
    """Collect tasks, sources and parts plugin by plugin; one that fails is marked broken and contributes nothing."""
    plugins = load_plugins() if plugins is None else plugins
    contributions: list[Contribution] = []
    for plugin in plugins:
        if plugin.status == "ok":
            try:
                tasks, sources = plugins.call(plugin, "mtft_tasks"), plugins.call(plugin, "mtft_sources")
                parts = {kind: plugins.call(plugin, hook) for kind, hook in HOOKS.items()}
            except (Exception, SystemExit) as error:
                plugins.quarantine(plugin, error)
            else:
                contributions.append(Contribution(plugin.name, tasks, sources, parts))
    registry, faults = assemble(contributions)
    for owner, fault in faults.items():
        plugins.quarantine(plugins.get(owner), fault)
    return replace(registry, absent=tuple(plugin.trouble for plugin in plugins if plugin.trouble))
