"""Models of declarations: values kept as text and numbers, defaults, and what cannot be changed afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mtft.errors import ConfigError
from mtft.metrics import METRICS
from mtft.tasks.declaration import SCHEMAS, metrics_of, read_declaration

HEADS = ("report", "linear")
TABLE: dict[str, Any] = {
    "dev": 0.25,
    "train": "a.csv",
    "names": [0, 1],
    "label": "y",
    "text": ["a", "b"],
    "kind": "ordinal",
}


def test_a_declaration_is_kept_in_one_order_with_names_as_text_and_its_head() -> None:
    kept = read_declaration(TABLE, HEADS, "f").model_dump(mode="json", exclude_none=True)
    assert list(kept.items()) == [
        ("kind", "ordinal"),
        ("text", ["a", "b"]),
        ("label", "y"),
        ("names", ["0", "1"]),
        ("train", "a.csv"),
        ("dev", 0.25),
        ("head", "report"),
    ]


def test_a_declaration_cannot_be_changed() -> None:
    declared = read_declaration(TABLE, HEADS, "f")
    with pytest.raises(ValidationError, match="frozen"):
        declared.label = "z"  # type: ignore[misc]


def test_a_null_is_a_key_that_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"^f: label: missing; give a column$"):
        read_declaration({**TABLE, "label": None}, HEADS, "f")
    assert read_declaration({**TABLE, "test": None}, HEADS, "f").test is None


@pytest.mark.parametrize("kind", [None, 3, ["ordinal"], "ranks"])
def test_a_kind_that_is_none_does_not_hide_what_else_is_wrong(kind: object) -> None:
    with pytest.raises(ConfigError) as caught:
        read_declaration({**TABLE, "kind": kind, "label": "a", "head": "tail"}, HEADS, "f")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["kind", "label", "head"]
    assert all(name in lines[0] for name in SCHEMAS)


@pytest.mark.parametrize("value", [True, "0.5", float("nan"), float("inf"), -(10**400), [0.5], 0, 1])
def test_a_share_is_a_number_between_0_and_1_and_nothing_like_it(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^f: dev: .* is not a file .*, or the share of train's rows"):
        read_declaration({**TABLE, "dev": value}, HEADS, "f")


def test_every_metric_belongs_to_regression_or_to_classes() -> None:
    assert sorted([*metrics_of("regression"), *metrics_of("binary")]) == sorted(METRICS)
    for kind in ("binary", "ordinal", "classification"):
        assert metrics_of(kind) == metrics_of("binary")
