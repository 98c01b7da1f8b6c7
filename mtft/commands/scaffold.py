"""``mtft plugins new``: write a plugin project that can be installed and tested, and changed step by step."""

from __future__ import annotations

import os
import pkgutil
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from mtft.errors import DISTRIBUTION, ConfigError
from mtft.io.files import write_bytes
from mtft.io.text import RESERVED
from mtft.plugin.hookspecs import API_VERSION
from mtft.tasks.registry import Registry

NAME = re.compile(r"[a-z](-?[a-z0-9])*")
LONGEST = 40

TEMPLATES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/tests.yml": "ci.yml",
    "{module}/__init__.py": "package.py",
    "{module}/data/train.csv": "train.csv",
    "{module}/data/dev.csv": "dev.csv",
    "tests/test_{module}.py": "tests.py",
}
"""The template of each file of a project."""


@dataclass(frozen=True)
class Scaffold:
    """A new project: its path, the names of its distribution and task, and its files."""

    path: Path
    distribution: str
    task: str
    files: tuple[str, ...]


def scaffold(name: str, out: Path | None, registry: Registry) -> Scaffold:
    """Write the project mtft-NAME with one task NAME into a new directory, by default ./mtft-NAME.

    ConfigError for an invalid or used name, and for a path that exists; nothing is overwritten.
    """
    task = name.removeprefix("mtft-")
    if not NAME.fullmatch(task) or len(task) > LONGEST:
        raise ConfigError(
            f"NAME: {name[:80]!r} is not made of a-z, 0-9 and single hyphens, a letter first, "
            f"in at most {LONGEST} characters"
        )
    if task in RESERVED:
        raise ConfigError(f"NAME: {task!r} is reserved (reserved: {', '.join(RESERVED)})")
    if task in registry.owners.values():
        raise ConfigError(f"NAME: {task!r} is the name of a plugin; choose another")
    if task in registry.owners:
        raise ConfigError(f"NAME: plugin {registry.owners[task]!r} has a task or source {task!r}; choose another name")
    major, minor, *_ = str(pkgutil.resolve_name("mtft:__version__")).split(".")
    values = {
        "task": task,
        "project": f"mtft-{task}",
        "module": f"mtft_{task.replace('-', '_')}",
        "mtft": DISTRIBUTION,
        "version": f"{major}.{minor}",
        "next": f"{major}.{int(minor) + 1}",
        "api": str(API_VERSION),
    }
    path = out or Path(values["project"])
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists; nothing is overwritten", setting="out")
    written = _write(path, values)
    return Scaffold(path, values["project"], task, written)


def _write(path: Path, values: dict[str, str]) -> tuple[str, ...]:
    """Write all files to a temporary directory, then rename it to `path`; return their paths in the project."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}", setting="out") from None
    try:
        fresh.chmod(0o755)
        templates = {name.format_map(values): template for name, template in TEMPLATES.items()}
        for name, template in templates.items():
            text = (files("mtft.plugin") / "template" / f"{template}.tmpl").read_text(encoding="utf-8")
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(fresh / name, Template(text).substitute(values).encode())
        fresh.rename(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}", setting="out") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return tuple(templates)
