"""The constraints of `make lowest`, and that each dependency has a lower bound."""

from __future__ import annotations

import re

import pytest
from generate_lowest import PROJECT, document, lowest, requirements
from packaging.requirements import Requirement

from mtft.io import toml_parser


def found(*texts: str) -> dict[str, str]:
    return lowest(map(Requirement, texts))


def test_lower_bounds_of_any_form() -> None:
    assert found("click>=8.1,!=8.4.0", "rich~=13.2", "Huggingface_Hub==0.24") == {
        "click": "8.1",
        "rich": "13.2",
        "huggingface-hub": "0.24",
    }


def test_of_two_bounds_on_one_name_the_higher_counts() -> None:
    assert found("numpy>=1.26", "numpy>=2.1", "numpy>=1.9") == {"numpy": "2.1"}


@pytest.mark.parametrize("text", ["click", "click<9", "click>=8,>=8.1"])
def test_one_lower_bound_is_needed(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("lower bounds, 1 is needed")):
        found(text)


def test_a_lower_bound_that_is_excluded_is_named() -> None:
    with pytest.raises(ValueError, match=r"its lower bound 8\.4\.0 is excluded"):
        found("click>=8.4.0,!=8.4.0")


def test_neither_the_project_nor_torch_is_constrained() -> None:
    project = {
        "project": {
            "name": "own",
            "dependencies": ["torch>=2.6", "numpy>=1.26"],
            "optional-dependencies": {"hub": ["datasets>=3"], "all": ["own[hub]"]},
        },
        "dependency-groups": {"test": ["pytest>=9", {"include-group": "lint"}], "lint": ["ruff>=0.17"]},
    }
    assert lowest(requirements(project)) == {"numpy": "1.26", "datasets": "3", "pytest": "9"}


def test_the_project_itself_has_a_bound_for_each_dependency() -> None:
    lines = document().splitlines()
    project = toml_parser.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    assert len(lines) > len(project["dependencies"])
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines)
    assert not [line for line in lines if line.startswith("torch==")]
