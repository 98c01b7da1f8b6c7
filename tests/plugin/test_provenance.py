"""What is recorded of a run's plugins, and what must be there to use it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtft.errors import CheckpointError, PluginError
from mtft.plugin.manager import Plugins, build_registry, load_plugins
from mtft.plugin.provenance import Provenance
from mtft.tasks.registry import Registry

REQUIRED = {"some-parts": {"version": "2.1", "gives": ["surgery first", "mood"]}}


@pytest.fixture
def builtin(monkeypatch: pytest.MonkeyPatch) -> Provenance:
    monkeypatch.setenv("MTFT_DISABLE_PLUGINS", "all")
    plugins = load_plugins()
    return Provenance(build_registry(plugins), plugins)


def test_what_is_built_in_requires_nothing(builtin: Provenance) -> None:
    assert builtin.requirements(["sst", "surgery pcgrad", "declared in settings"]) == {}
    builtin.check(Path("run"), {}, lambda *_: pytest.fail("nothing is to be said"))
    assert builtin.origins([builtin.registry.task("sst")], "bert")["sst"]["name"] == "builtin"


def test_a_plugin_that_is_not_installed_is_named_with_what_it_gives(builtin: Provenance) -> None:
    with pytest.raises(CheckpointError, match=r"^run: needs surgery first, mood of some-parts 2\.1, which is not"):
        builtin.check(Path("run"), REQUIRED, lambda *_: None)


def test_an_error_of_what_is_built_in_is_attributed_to_no_plugin(builtin: Provenance) -> None:
    with pytest.raises(PluginError) as caught, builtin.attribute_errors():
        raise PluginError("task 'sst' failed", "sst")
    assert str(caught.value) == "task 'sst' failed"


def test_an_owner_without_a_working_plugin_is_an_error(builtin: Provenance) -> None:
    registry: Registry = replace(builtin.registry, owners={**builtin.registry.owners, "mood": "gone"})
    with pytest.raises(PluginError, match="no working plugin 'gone'"):
        Provenance(registry, Plugins()).requirements(["mood"])
