"""Distributions with plugins, made on the spot."""

from __future__ import annotations

import importlib.metadata
import sys
import textwrap

import pytest
from strangers import GOOD


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """Put tmp_path on the path, hide plugins that are really installed, and forget modules afterwards."""
    for name in ("MTFT_DISABLE_PLUGINS", "MTFT_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "mtft.plugin.manager.distributions",
        lambda: importlib.metadata.distributions(path=[each for each in sys.path if each.startswith(str(tmp_path))]),
    )
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def install(clean, tmp_path):
    def install(name, code=GOOD, *, distribution=None, version="1.0", entry_points=None, path=tmp_path):
        """Make a distribution with one plugin; `entry_points` is the text of another list."""
        distribution = distribution or f"dist-{name}"
        info = path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points or f"[mtft]\n{name} = plugin_{name}\n")
        (path / f"plugin_{name}.py").write_text(textwrap.dedent(code))
        return info

    return install
