"""Digests of a directory's files, kept in its ``digests.json``: any change is found and the file named.

``digests.json`` holds the size and SHA-256 of each file, and a digest of itself. Names are relative. The entry of a
subdirectory's ``digests.json`` covers all files of that subdirectory.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mtft.errors import CheckpointError
from mtft.io.files import json_bytes, read_json, write_json

NAME = "digests.json"
FORMAT, VERSION = "mtft-digests", 1

BLOCK = 1 << 20
"""Bytes that are read at once."""

_PLAIN = re.compile(r"(?!\.)[^/\\\0]+(/(?!\.)[^/\\\0]+)?")
"""Names of a file in the directory, or in a directory directly below it."""


@dataclass(frozen=True)
class Digest:
    """The size and the SHA-256 of a file."""

    bytes: int
    sha256: str


Digests = dict[str, Digest]


def check_tree(directory: Path) -> None:
    """Raise CheckpointError if a directory holds anything but files, directories and links to its own files.

    Entries that another process removes meanwhile are skipped.
    """
    home = directory.resolve()
    for folder, directories, files in os.walk(directory):
        for entry in (Path(folder, name) for name in directories + files):
            if entry.is_symlink() and not entry.resolve().is_relative_to(home):
                raise CheckpointError(f"{entry}: a link that leads out of {directory}; replace it by a copy")
            try:
                mode = entry.stat().st_mode
            except FileNotFoundError:
                if not entry.is_symlink():
                    continue
                mode = 0
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise CheckpointError(f"{entry}: neither a file nor a directory")


def digest(path: Path, size: int | None = None) -> Digest:
    """Return the digest of a file, or of its first `size` bytes; the file may be shorter."""
    hasher = hashlib.sha256()
    return Digest(_add_file(hasher, path, size), hasher.hexdigest())


def tagged_digest(path: Path, kind: str) -> str:
    """Return "sha256:HEX" of a file, or "git:HEX", the id that git gives a blob."""
    if kind == "sha256":
        return f"sha256:{digest(path).sha256}"
    hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    _add_file(hasher, path)
    return f"git:{hasher.hexdigest()}"


def _add_file(hasher: hashlib._Hash, path: Path, size: int | None = None) -> int:
    """Add the first `size` bytes of a file (default: all) to a hash, block by block; return how many there were."""
    done = 0
    with path.open("rb") as file:
        while part := file.read(BLOCK if size is None else min(BLOCK, size - done)):
            hasher.update(part)
            done += len(part)
    return done


def write_digests(directory: Path, digests: Mapping[str, Digest] | None = None) -> None:
    """Write the given digests, by default those of all files in the directory."""
    if digests is None:
        files = sorted(path for path in directory.iterdir() if path.is_file() and path.name != NAME)
        digests = {path.name: digest(path) for path in files}
    write_json(directory / NAME, _document({name: asdict(each) for name, each in sorted(digests.items())}))


def read_digests(directory: Path) -> Digests:
    """Read the digests of a directory; CheckpointError if they are missing, damaged or of another format."""
    path = directory / NAME
    if not path.is_file():
        raise CheckpointError(f"{directory}: no {NAME}, without which its files cannot be checked")
    document = read_json(path)
    if (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        kind = f"{document.get('format')!r} {document.get('version')!r}"
        raise CheckpointError(f"{path}: format is {kind}, not {FORMAT!r} {VERSION}")
    files = document.get("files")
    if not isinstance(files, dict) or path.read_bytes() != json_bytes(_document(files)):
        raise CheckpointError(f"{path}: damaged: it does not match its own digest")
    if wrong := [name for name in files if not _PLAIN.fullmatch(name)]:
        raise CheckpointError(f"{path}: {wrong[0]!r} is not the name of a file in this directory")
    try:
        return {name: Digest(**entry) for name, entry in files.items()}
    except TypeError:
        raise CheckpointError(f"{path}: its entries are not bytes and sha256") from None


def damages(directory: Path, digests: Mapping[str, Digest], names: Iterable[str]) -> dict[str, str]:
    """Return what is wrong with the named files; sound ones are left out."""
    problems = {name: damage(directory / name, digests[name], digests) for name in names}
    return {name: what for name, what in problems.items() if what}


def damage(path: Path, expected: Digest, others: Mapping[str, Digest] | None = None) -> str | None:
    """Return what is wrong with a file, None if nothing; `others` identify a file that took its name."""
    if path.is_symlink() or not path.is_file():
        return "is not a file" if path.exists() or path.is_symlink() else "is missing"
    try:
        actual = digest(path)
    except OSError as error:
        return f"is not readable: {(error.strerror or str(error)).lower()}"
    if actual == expected:
        return None
    if owners := [name for name, other in (others or {}).items() if other == actual]:
        return f"holds the content of {owners[0]}"
    if actual.bytes < expected.bytes:
        return f"was truncated or replaced: it has {actual.bytes:,} of {expected.bytes:,} bytes"
    if actual.bytes > expected.bytes:
        return f"was replaced: it has {actual.bytes:,} bytes instead of {expected.bytes:,}"
    return f"was changed: sha256 {actual.sha256[:12]}... instead of {expected.sha256[:12]}..."


def check_digests(directory: Path, names: Collection[str] = ()) -> None:
    """Raise CheckpointError, which names each damaged file, unless the named files (default: all) are as written."""
    digests = read_digests(directory)
    if unlisted := [name for name in names if name not in digests]:
        raise CheckpointError(f"{directory / unlisted[0]}: not in {NAME}, so it was not written with this directory")
    if problems := damages(directory, digests, names or digests):
        raise CheckpointError("\n".join(f"{directory / name}: {what}" for name, what in problems.items()))


def _document(files: Mapping[str, object]) -> dict[str, object]:
    """Return the content of ``digests.json``."""
    own = hashlib.sha256(json_bytes(files)).hexdigest()
    return {"format": FORMAT, "version": VERSION, "files": files, "own": own}
