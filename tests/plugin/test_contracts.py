"""What plugins are written against has one address, and costs nothing until it is used."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import pytest
from commands import ROOT, clean

import mtft.plugin
from mtft.tasks.part import Part

NAMES: list[str] = vars(mtft.plugin)["__all__"]
"""What the module offers; its stub, which type checkers read, lists the same without `__all__`."""


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_is_the_class_that_mtft_uses(name: str) -> None:
    home = getattr(mtft.plugin, name).__module__
    assert getattr(importlib.import_module(home), name) is getattr(mtft.plugin, name)
    assert name in dir(mtft.plugin)


def test_parts_are_described_with_these_names() -> None:
    named = set(re.findall(r"`mtft\.plugin\.(\w+)`", Part.__doc__ or ""))
    assert {"Scoring", "Family", "Tracked"} <= named <= set(NAMES)


def test_type_checkers_see_the_same_names() -> None:
    stub = (ROOT / "mtft" / "plugin" / "__init__.pyi").read_text(encoding="utf-8")
    assert sorted(re.findall(r" as (\w+)$", stub, re.MULTILINE)) == NAMES


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, mtft.plugin; assert 'torch' not in sys.modules; mtft.plugin.Nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=clean())
    assert done.stderr.strip().endswith("AttributeError: module 'mtft.plugin' has no attribute 'Nothing'")
