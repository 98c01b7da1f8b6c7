"""Fetch dataset and model files from the Hugging Face hub with its own library, which caches, resumes and checks."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtft.errors import FetchError, install_hint
from mtft.fetch.lock_file import check
from mtft.runtime.notices import Notify

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Weight files, the preferred one first; each may be split into shards, listed in ``NAME.index.json``."""

OTHERS = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


def library() -> Any:
    """Import huggingface_hub; FetchError names the extra that installs it."""
    try:
        import huggingface_hub
    except ImportError:
        raise FetchError(f"the hub needs: {install_hint('hub')}") from None
    return huggingface_hub


def refuse_offline() -> None:
    """Raise FetchError if HF_HUB_OFFLINE forbids fetching."""
    if os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE"):
        raise FetchError("HF_HUB_OFFLINE is set: nothing is fetched")


def hub_file(repository: str, path: str, revision: str, *, kind: str, quiet: bool) -> Path:
    """Return the cached copy of a hub file, and fetch it if missing; `kind` is "dataset" or "model"."""
    with _worded(f"{repository}: {path}"), _bars(quiet):
        return Path(library().hf_hub_download(repository, path, repo_type=kind, revision=revision))


def hub_model(name: str, revision: str, *, quiet: bool, notify: Notify) -> tuple[list[Path], str]:
    """Fetch the files of a model that mtft needs; return their paths, all in one cached directory, and the commit.

    Each file must have the digest stated by the hub: of its bytes, or of its git blob.
    """
    with _worded(name):
        info = library().HfApi().model_info(name, revision=revision, files_metadata=True)
    files = {each.rfilename: each for each in info.siblings or []}
    wanted = [*wanted_weights(files), *(each for each in OTHERS if each in files)]
    if "config.json" not in wanted or wanted[0] in OTHERS:
        raise FetchError(f"{name}: holds no model in Hugging Face form (config.json and {' or '.join(WEIGHTS)})")
    paths = []
    for number, file in enumerate(wanted, 1):
        notify("info", f"{name}: {file} ({number} of {len(wanted)})")
        paths.append(hub_file(name, file, revision, kind="model", quiet=quiet))
        if paths[-1].parent.name != info.sha:
            raise FetchError(f"{name}: {revision} changed to another commit meanwhile; fetch again")
        sibling = files[file]
        if sibling.lfs:
            check(paths[-1], f"sha256:{sibling.lfs.sha256}", f"{name}: {file}")
        elif sibling.blob_id:
            check(paths[-1], f"git:{sibling.blob_id}", f"{name}: {file}")
    return paths, info.sha


def wanted_weights(files: Iterable[str]) -> list[str]:
    """Return the weight files in the preferred available form; [] if there are none."""
    for whole in WEIGHTS:
        stem, dot, suffix = whole.rpartition(".")
        parts = [file for file in files if file.startswith(f"{stem}-") and file.endswith(f"{dot}{suffix}")]
        if whole in files:
            return [whole]
        if parts and f"{whole}.index.json" in files:
            return [f"{whole}.index.json", *sorted(parts)]
    return []


@contextmanager
def _worded(what: str) -> Iterator[None]:
    """Turn any error of the library into a one-line FetchError."""
    try:
        yield
    except FetchError:
        raise
    except Exception as error:  # its errors have no common base class
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise FetchError(f"{what}: {reason}") from None


@contextmanager
def _bars(quiet: bool) -> Iterator[None]:
    """Show the library's progress bars only on a terminal."""
    utils = importlib.import_module("huggingface_hub.utils")
    hidden = utils.are_progress_bars_disabled()
    if quiet or not sys.stderr.isatty():
        utils.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            utils.enable_progress_bars()
