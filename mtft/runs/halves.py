"""Which dev rows chose what a run kept: its epoch or, of a refinement, its heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtft.data.shares import Half
from mtft.errors import CheckpointError
from mtft.io import toml_parser
from mtft.io.files import read_json, read_text


def recorded_settings(run: Path) -> dict[str, Any]:
    """Return the settings of a run as they are written, unchecked; {} without a file."""
    path = run / "config.toml"
    if not path.is_file():
        return {}
    try:
        return toml_parser.loads(read_text(path))
    except ValueError as error:
        raise CheckpointError(f"{path}: not readable as TOML: {error}") from None


def half_by_keys(run: Path, half: Half) -> Half:
    """Return the half of dev, by the keys of its rows, that chose the epoch of a run, or reports.

    The two change places in a run whose `dev_split` is the other half.
    """
    if half == "all" or recorded_settings(run).get("dev_split") != "other-half":
        return half
    return "choose" if half == "report" else "report"


def chose(run: Path, half: Half) -> bool:
    """Return whether rows of a half of dev, or of all, had a say in what a finished run kept.

    A training of one epoch, or that keeps the last one without `patience`, chooses nothing. A refinement keeps the
    better head, and starts from a run that may have chosen; one that is gone is not looked at.
    """
    settings = recorded_settings(run)
    if half != "report" or settings.get("dev_split", "all") == "all":
        epochs = read_json(run / "summary.json").get("epochs")
        if epochs is None or (epochs > 1 and (settings.get("best") != "last" or "patience" in settings)):
            return True
    environment = run / "environment.json"
    origin = Path(str(read_json(environment).get("refines") or run)) if environment.is_file() else run
    return origin != run and (origin / "summary.json").is_file() and chose(origin, half)
