"""Keys of a declaration for the meaning of labels and the split of rows; see `mtft.tasks.declaration`.

Each check takes a value and the values of earlier keys, and returns the checked value; ValueError describes the fault.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from mtft.data.declared_reader import SplitColumn
from mtft.data.held_out import Strata
from mtft.io.text import show

SPLIT_KEYS = ("train", "dev", "test", "unused")
"""Keys of `split` other than `column`; each lists the column's values for that split."""


def is_name(value: Any) -> bool:
    """Return whether a value may be the name of a column or a label."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _as_text(label: Any) -> Any:
    return str(label) if type(label) is int else label


def _check_positive(value: Any, info: ValidationInfo) -> str | None:
    """Check the label for which F1 is computed: one of the two of a binary task."""
    names = info.data.get("names") or ()
    if info.data.get("kind") != "binary":
        raise ValueError("only a binary task has a positive label")
    if _as_text(value) not in names:
        raise ValueError(f"{show(value)} is not one of the names {', '.join(map(show, names))}")
    return str(value)


def _check_missing(value: Any, info: ValidationInfo) -> list[str]:
    """Check the labels that mean no label."""
    labels = [_as_text(label) for label in value] if isinstance(value, list) else []
    if not labels or not all(map(is_name, labels)):
        raise ValueError(f"{show(value)} is not a list of labels that stand for no label")
    if both := [label for label in labels if label.strip() in (info.data.get("names") or ())]:
        raise ValueError(f"{show(both[0])} is one of the names too")
    return [label.strip() for label in labels]


def _check_class_weights(value: Any, info: ValidationInfo) -> dict[str, float]:
    """Check weights of classes in the loss: {name = weight}, 1 for the others."""
    names = info.data.get("names") or ()
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{show(value)} is not a table {{ NAME = WEIGHT }} of label names and numbers above 0")
    for name, weight in value.items():
        if name not in names:
            raise ValueError(f"{show(name)} is not one of the names {', '.join(map(show, names))}")
        if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight < math.inf:
            raise ValueError(f"{show(name)}: {show(weight)} is not a weight above 0")
    return {name: float(weight) for name, weight in value.items()}


def _check_aliases(value: Any, info: ValidationInfo) -> dict[str, str]:
    """Check other spellings of labels: {as written = name}."""
    names = info.data.get("names") or ()
    if not isinstance(value, Mapping) or not value or not all(map(is_name, value)):
        raise ValueError(
            f"{show(value)} is not a table {{ LABEL = NAME }} of labels as written and the names they mean"
        )
    for label, name in value.items():
        if name not in names:
            raise ValueError(f"{show(label)} means {show(name)}, which is not one of the names")
        if label in names:
            raise ValueError(f"{show(label)} is one of the names itself")
    return {label.strip(): str(name) for label, name in value.items()}


def _check_split(value: Any) -> dict[str, Any]:
    """Check a split column: {column = NAME, train = [VALUE, ...], dev = ..., test = ..., unused = ...}."""
    if not isinstance(value, Mapping) or not is_name(value.get("column")):
        raise ValueError(f"{show(value)} is not {{ column = NAME, train = [VALUE, ...], dev = [...] }}")
    seen: list[str] = []
    for key, values in value.items():
        if key == "column":
            continue
        if key not in SPLIT_KEYS:
            raise ValueError(f"unknown key {show(key)} (allowed: column, {', '.join(SPLIT_KEYS)})")
        if not isinstance(values, list) or not values or not all(isinstance(each, str) for each in values):
            raise ValueError(f"{key}: {show(values)} is not a list of values of the column")
        for each in values:
            if each.strip() in seen:
                raise ValueError(f"{key}: {show(each)} is given twice")
            seen.append(each.strip())
    if "train" not in value:
        raise ValueError("train: missing; name the values of the rows to train on")
    return {key: list(item) if key != "column" else item for key, item in value.items()}


def _check_dev(value: Any, info: ValidationInfo) -> Any:
    """Check that dev is declared only once: by this key, or by a column that gives the split."""
    if "dev" not in (info.data.get("split") or {}):
        if value is None:
            raise PydanticCustomError("missing", "missing")
        return value
    return _said_once(value, info, "dev")


def _check_test(value: Any, info: ValidationInfo) -> Any:
    return _said_once(value, info, "test")


def _said_once(value: Any, info: ValidationInfo, split: str) -> Any:
    """Return the value unless a column tells this split already."""
    if value is not None and split in (info.data.get("split") or {}):
        raise ValueError(f"split names the values of the {split} rows; leave {split} out, or take it out of split")
    return value


def _check_held_out(value: Any, info: ValidationInfo) -> Any:
    """Check how a share is held out: "texts", or {classes = [COLUMN, ...], numbers = [COLUMN, ...]}."""
    if "dev" in info.data and not isinstance(info.data["dev"], float):
        raise ValueError("only a share of train is held out; dev is none")
    if value == "texts":
        return value
    lists = list(value.values()) if isinstance(value, Mapping) else []
    fine = lists and set(value) <= {"classes", "numbers"}
    if not fine or not all(isinstance(names, list) and all(map(is_name, names)) for names in lists):
        raise ValueError(f'{show(value)} is not "texts", or {{ classes = [COLUMN, ...], numbers = [COLUMN, ...] }}')
    return {key: list(names) for key, names in value.items()}


Positive = Annotated[str | None, BeforeValidator(_check_positive)]
ClassWeights = Annotated[dict[str, float] | None, BeforeValidator(_check_class_weights)]
Missing = Annotated[list[str] | None, BeforeValidator(_check_missing)]
Aliases = Annotated[dict[str, str] | None, BeforeValidator(_check_aliases)]
SplitTable = Annotated[dict[str, Any] | None, BeforeValidator(_check_split)]
HeldOutRule = Annotated[Any, BeforeValidator(_check_held_out)]
DevOnce = AfterValidator(_check_dev)
TestOnce = AfterValidator(_check_test)


def split_column(checked: Mapping[str, Any] | None) -> SplitColumn | None:
    """Return the reader's split column for a checked `split`."""
    if checked is None:
        return None
    pairs = [(value.strip(), "" if key == "unused" else key) for key in SPLIT_KEYS for value in checked.get(key, ())]
    return SplitColumn(checked["column"], tuple(pairs))


def strata(checked: Any) -> Strata | None:
    """Return the reader's strata for a checked `held_out`."""
    if not isinstance(checked, Mapping):
        return None
    return Strata(tuple(checked.get("classes", ())), tuple(checked.get("numbers", ())))
