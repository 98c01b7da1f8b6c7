"""Print the lowest versions that pyproject.toml allows, as constraints for pip: `make lowest` tests with them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mtft.io import toml_parser

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
GROUPS = ("test",)
"""Dependency groups that are constrained too, like the dependencies and all extras; `make lowest` has no oracles."""

FREE = ("torch",)
"""What keeps the version that is found: which builds of torch there are depends on Python and machine."""


def requirements(project: dict[str, Any]) -> list[Requirement]:
    """Return what mtft, its extras and `GROUPS` require, but neither mtft itself nor what is `FREE`."""
    own = canonicalize_name(project["project"]["name"])
    extras = project["project"].get("optional-dependencies", {})
    groups = project.get("dependency-groups", {})
    texts = list(project["project"]["dependencies"])
    texts += [text for listed in extras.values() for text in listed]
    texts += [text for name in GROUPS for text in groups.get(name, []) if isinstance(text, str)]
    return [each for each in map(Requirement, texts) if canonicalize_name(each.name) not in (own, *FREE)]


def lowest(needs: Iterable[Requirement]) -> dict[str, str]:
    """Return the lowest version allowed by name; of several lower bounds on one name, the highest.

    ValueError for a requirement without a lower bound, and for one whose lower bound is excluded.
    """
    found: dict[str, str] = {}
    for need in needs:
        bounds = [each.version for each in need.specifier if each.operator in (">=", "==", "~=")]
        if len(bounds) != 1:
            raise ValueError(f"{need}: {len(bounds)} lower bounds, 1 is needed")
        if not need.specifier.contains(bounds[0], prereleases=True):
            raise ValueError(f"{need}: its lower bound {bounds[0]} is excluded")
        name = canonicalize_name(need.name)
        if name not in found or not need.specifier.contains(found[name], prereleases=True):
            found[name] = bounds[0]
    return found


def document() -> str:
    """Return the constraints, one a line."""
    project = toml_parser.loads(PROJECT.read_text(encoding="utf-8"))
    return "".join(f"{name}=={version}\n" for name, version in sorted(lowest(requirements(project)).items()))


if __name__ == "__main__":
    print(document(), end="")
