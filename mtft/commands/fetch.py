"""``mtft data fetch`` and ``mtft models fetch``: fetch public files, check them, and record them in a lock file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtft.config.schema import DataFetchConfig, ModelFetchConfig
from mtft.data.formats import named_rows
from mtft.errors import ConfigError, FetchError, setting, unknown
from mtft.fetch.catalogue import CATALOGUE, COURSE, CourseFile, PublicData
from mtft.fetch.conversion import course_table
from mtft.fetch.download import download
from mtft.fetch.hub import hub_file, hub_model, refuse_offline
from mtft.fetch.lock_file import LockFile, check
from mtft.io.digests import tagged_digest
from mtft.io.files import write_bytes
from mtft.model.multitask import encoder_family
from mtft.plugin.context import Context, Progress

KIB = 1024


@dataclass(frozen=True)
class Fetched:
    """One file: its path and digest, whether the digest was known before, and whether the file was fetched now."""

    path: Path
    digest: str
    pinned: bool
    new: bool


def fetch_data(names: Sequence[str], config: DataFetchConfig, context: Context, *, quiet: bool) -> list[Fetched]:
    """Fetch the files of the named datasets, or of all in `CATALOGUE`."""
    refuse_offline()
    for name in names:
        if name not in CATALOGUE:
            raise ConfigError(unknown("dataset", name, CATALOGUE))
        if config.origin == "hub" and not CATALOGUE[name].hub:
            raise ConfigError(f"{name} is not on the hub in this form; only the course has it", setting="origin")
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{config.out}: {(error.strerror or str(error)).lower()}", setting="out") from None
    lock = LockFile(config.out)
    fetched: list[Fetched] = []
    for name in dict.fromkeys(names or CATALOGUE):
        data = CATALOGUE[name]
        context.notify("info", f"{name}: {data.licence}")
        if config.origin == "hub":
            context.notify("info", f"{name}: {data.hub_note}")
            fetched += _from_hub(data, config, lock, quiet=quiet)
        else:
            fetched += [_from_course(file, config, lock, context) for file in data.course]
    return fetched


def _from_course(file: CourseFile, config: DataFetchConfig, lock: LockFile, context: Context) -> Fetched:
    """Fetch one file of the course unchanged; an existing file is only checked."""
    path = config.out / file.name
    address = os.environ.get("MTFT_COURSE_URL", COURSE).rstrip("/")
    new = not path.exists() or (config.overwrite and tagged_digest(path, file.digest.partition(":")[0]) != file.digest)
    if new:
        context.notify("info", f"{file.name} from {address}")

        def progress(have: int, total: int) -> None:
            context.progress(Progress(have // KIB, (total or file.size or have) // KIB, 0, {}, 0, "KiB", "fetch"))

        download(f"{address}/{file.name}", path, file.digest, progress=progress)
    else:
        _unchanged(path, file.digest)
    lock.record(path, {"url": f"{COURSE}/{file.name}"}, file.digest, pinned=True)
    return Fetched(path, tagged_digest(path, "sha256"), True, new)


def _from_hub(data: PublicData, config: DataFetchConfig, lock: LockFile, *, quiet: bool) -> Iterator[Fetched]:
    """Fetch files of the hub and write them in the course's format."""
    repository, revision = data.hub or ("", "")
    for file in data.hub_files:
        path, origin = config.out / file.name, {"dataset": repository, "revision": revision, "path": file.path}
        source = hub_file(repository, file.path, revision, kind="dataset", quiet=quiet)
        origin_digest = tagged_digest(source, "sha256")
        lock.check(file.name, origin, origin_digest, overwrite=config.overwrite)
        new = not path.exists() or config.overwrite
        if new:
            write_bytes(path, course_table(_rows(source), file))
        elif lock.files.get(file.name, {}).get("origin") != origin:
            raise FetchError(
                f"{path} is there already, and not from {repository}; {setting('overwrite', True)} replaces it"
            )
        else:
            _unchanged(path, lock.files[file.name]["digest"])
        lock.record(path, origin, origin_digest, pinned=False)
        yield Fetched(path, tagged_digest(path, "sha256"), False, new)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    return (row for _, _, row in named_rows(path.name, path.parent))


def _unchanged(path: Path, expected: str) -> None:
    try:
        check(path, expected, str(path))
    except FetchError as error:
        raise FetchError(f"{error}; {setting('overwrite', True)} replaces it") from None


@dataclass(frozen=True)
class FetchedModel:
    """A model in the hub's cache: its directory, its commit, and each file's digest."""

    name: str
    path: Path
    revision: str
    files: dict[str, str]


def fetch_model(name: str, config: ModelFetchConfig, context: Context, *, quiet: bool) -> FetchedModel:
    """Fetch a model that mtft can read into the hub's cache, where its name finds it."""
    refuse_offline()
    fetched, revision = hub_model(name, config.revision, quiet=quiet, notify=context.notify)
    path = fetched[0].parent
    encoder_family(path, context.registry).read_config(path)
    lock = LockFile(path.parent.parent)
    files: dict[str, str] = {}
    for file in sorted(fetched):
        origin = {"model": name, "revision": revision, "path": file.name}
        files[file.name] = tagged_digest(file, "sha256")
        lock.check(file.name, origin, files[file.name], overwrite=False)
        lock.record(file, origin, files[file.name], pinned=False)
    return FetchedModel(name, path, revision, files)
