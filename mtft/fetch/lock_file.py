"""The lock file of a data directory: the fetched files, their origins and digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtft.errors import FetchError, setting
from mtft.io.digests import tagged_digest
from mtft.io.files import read_json, write_json

LOCK = "fetched.json"
"""Name of the lock file, which is in the directory of the fetched files."""


def check(path: Path, expected: str, what: str) -> None:
    """Raise FetchError unless a file has the expected digest."""
    if (actual := tagged_digest(path, expected.partition(":")[0])) != expected:
        raise FetchError(f"{what}: the digest is {actual}, not {expected}; it is not used")


class LockFile:
    """The origin and digest of each file fetched into a directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        self.files: dict[str, Any] = read_json(self._path).get("files", {}) if self._path.exists() else {}

    def check(self, name: str, origin: Mapping[str, str], sha256: str, *, overwrite: bool) -> None:
        """Raise FetchError if the same origin had another digest before, unless `overwrite` is set."""
        before = self.files.get(name, {})
        if before.get("origin") == dict(origin) and before.get("origin_digest") != sha256 and not overwrite:
            raise FetchError(
                f"{name}: its origin changed since it was first fetched: the digest was "
                f"{before.get('origin_digest')} and is {sha256}; {setting('overwrite', True)} accepts it"
            )

    def record(self, path: Path, origin: Mapping[str, str], origin_digest: str, *, pinned: bool) -> None:
        """Record a file; `pinned` means that its digest was known before it was fetched."""
        self.files[path.name] = {
            "origin": dict(origin),
            "origin_digest": origin_digest,
            "pinned": pinned,
            "bytes": path.stat().st_size,
            "digest": tagged_digest(path, "sha256"),
        }
        write_json(self._path, {"version": 1, "files": self.files})
