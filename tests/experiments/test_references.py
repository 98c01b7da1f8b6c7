"""References to other runs: found, and replaced by paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.experiments.references import references, replaced, with_file


@pytest.mark.parametrize(
    ("value", "names", "paths"),
    [
        ("run:a", ["a"], "at/a"),
        ("run:a.s0/model", ["a.s0"], "at/a.s0/model"),
        (Path("run:a/mask"), ["a"], Path("at/a/mask")),
        (["run:a", "b", "run:c"], ["a", "c"], ["at/a", "b", "at/c"]),
        (("run:a",), ["a"], ("at/a",)),
        ("runs/a", [], "runs/a"),
        ("run:", [], "run:"),
        (3, [], 3),
        (None, [], None),
    ],
)
def test_references(value: object, names: list[str], paths: object) -> None:
    assert list(references(value)) == names
    found = replaced(value, lambda name: f"at/{name}")
    assert (found, type(found)) == (paths, type(paths))


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("mask", "run:a", "run:a/mask.safetensors"),
        ("mask", "run:a/", "run:a/mask.safetensors"),
        ("mask", "run:a/other", "run:a/other"),
        ("mask", "masks/a", "masks/a"),
        ("mask", 3, 3),
        ("teachers", "run:a", "run:a"),
    ],
)
def test_a_run_stands_for_its_mask(key: str, value: object, found: object) -> None:
    assert with_file(key, value) == found
