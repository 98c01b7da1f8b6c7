"""`mtft report` on run directories that someone tampered with: a page or a named error, never a crash."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import cli, reseal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILES = (
    "summary.json",
    "environment.json",
    "metrics.jsonl",
    "steps.jsonl",
    "conflicts.jsonl",
    "times.jsonl",
    "predictions/sst.dev.jsonl",
    "predictions/sts.dev.jsonl",
    "model/model.json",
)
STRANGE = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        3.5,
        10**400,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "</script><script>",
        "a" * 2000,
        [],
        {},
        [[1]],
        {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
    ]
)


@pytest.fixture(scope="module")
def run(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(trained_run, tmp_path_factory.mktemp("hostile") / "run")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to a JSON value and to everything in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a JSON value with something else at a path."""
    if not path:
        return other
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], other)
    return changed


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.data())
def test_no_value_breaks_it(run: Path, name: str, data: st.DataObject) -> None:
    path = run / name
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines() if name.endswith(".jsonl") else [text]
    at = data.draw(st.integers(0, len(lines) - 1))
    value = json.loads(lines[at])
    place = data.draw(st.sampled_from(places(value)))
    try:
        changed = json.dumps(replaced(value, place, data.draw(STRANGE)))
        path.write_text("\n".join([*lines[:at], changed, *lines[at + 1 :]]) + "\n", encoding="utf-8")
        if path.parent.name == "predictions":  # else only its digest would be looked at
            reseal(path)
        done = cli("report", run, "--resamples", "2")
    finally:
        path.write_text(text, encoding="utf-8")
    assert done.code == 0, done.err
    assert "<script" not in (run / "report.html").read_text(encoding="utf-8")
