"""Resume a stopped run: its settings, which of them may change, and what must be the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from mtft.config.groups import Options
from mtft.config.load import load
from mtft.errors import CheckpointError, ConfigError, FinishedError, command, setting
from mtft.io.digests import check_digests, check_tree
from mtft.io.directories import one_at_a_time, real_path, recover_directory
from mtft.io.files import read_json
from mtft.io.text import show
from mtft.plugin.context import Context
from mtft.runs.fingerprints import LOCATION, MAY_CHANGE, settings_digest
from mtft.selection.mask import load_mask

S = TypeVar("S", bound=Options)


def part_directory(mask: Path) -> Path:
    """Return the directory of a selection's state, which exists until the mask is written."""
    return Path(f"{mask}.part")


def settings_file(path: Path) -> Path:
    """Return the settings of a stopped run or selection; CheckpointError without any, or if a file is damaged.

    A mask that is complete is a FinishedError.
    """
    for directory in (path, part_directory(path)):
        if real_path(directory).parent.is_dir():
            with one_at_a_time(real_path(directory).parent):  # another process may be making it
                recover_directory(directory)
        if (file := directory / "config.toml").is_file():
            check_tree(directory)
            check_digests(directory)
            return file
    if path.is_file():
        load_mask(path)
        raise FinishedError(f"{path} is complete: nothing is left to do")
    raise CheckpointError(f"{path} is not an mtft run (no config.toml)", setting="resume")


def check_settings(path: Path, name: str, config: S, context: Context) -> dict[str, str]:
    """Report and return the changed settings, in words; ConfigError names those that may not change.

    CheckpointError unless the command `name` made the run and its plugins are installed.
    """
    _check_origin(path, name, context)
    before = load(type(config), file=settings_file(path)).config
    changed = {
        key: f"{setting(key)}: {show(old)} -> {show(new)}"
        for key in type(config).settings()
        if (old := getattr(before, key)) != (new := getattr(config, key)) and key not in LOCATION
    }
    if refused := [text for key, text in changed.items() if key not in MAY_CHANGE]:
        allowed = ", ".join(setting(key) for key in type(config).settings() if key in MAY_CHANGE)
        raise ConfigError(
            "\n".join(f"{setting('resume')}: {text}: cannot change (may change: {allowed})" for text in refused)
        )
    for text in changed.values():
        context.notify("info", f"resuming with {text}")
    return changed


def _check_origin(path: Path, name: str, context: Context) -> None:
    found = read_json(settings_file(path).with_name("environment.json"))
    if (made := found.get("command")) != name:
        right = command(str(made), resume=path)
        raise CheckpointError(f"{path} was made by mtft {made}, not mtft {name}; go on with {right}", setting="resume")
    context.provenance.check(path, found.get("plugins", {}), context.notify)


def check_position(path: Path, position: Mapping[str, Any], config: Options) -> None:
    """Raise CheckpointError if a state belongs to other settings."""
    if position.get("settings") != settings_digest(config):
        raise CheckpointError(f"{path}: its state belongs to a run with other settings", setting="resume")


def check_material(path: Path, now: Mapping[str, str]) -> None:
    """Raise CheckpointError if a run started with other `material` than now; it names the differences."""
    former = read_json(settings_file(path).with_name("environment.json")).get("material") or {}
    changed = [name for name in {**former, **now} if former.get(name) != now.get(name)]
    if changed:
        raise CheckpointError(f"{path}: {', '.join(changed)} differ from those that it started with", setting="resume")
