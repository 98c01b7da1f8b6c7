"""`mtft.commands.env`, called directly: versions, and of variables only what is not private."""

from __future__ import annotations

import platform

import numpy as np
import pytest

import mtft
from mtft.commands.env import NAMES, PACKAGES, environment


def test_versions_are_those_that_are_imported() -> None:
    found = environment()
    assert list(found["versions"]) == list(PACKAGES)
    assert found["versions"]["mtft"] in (mtft.__version__, None)  # None in a checkout that is not installed
    assert found["versions"]["numpy"] == np.__version__
    assert found["python"]["version"] == platform.python_version()


@pytest.mark.parametrize("name", NAMES)
def test_paths_addresses_and_secrets_are_only_said_to_be_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    found = environment()
    assert found["variables"][name] == "(set)"
    assert "s3cret" not in str(found)


def test_other_variables_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = environment()["variables"]
    assert found["OMP_NUM_THREADS"] == "3"
    assert "AWS_SECRET_ACCESS_KEY" not in found
