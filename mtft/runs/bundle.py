"""A model directory as one file: an uncompressed zip archive of its plain files, including their digests.

Reading is strict: only known names, nothing compressed, no file larger than the archive, every digest checked. With k
of P encoder weights tuned, a bundle takes 4 k bytes for their values, the mask (at most P / 8 bytes and a header),
4 bytes for each weight of the heads, and some kilobytes for texts and headers.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mtft.errors import CheckpointError, MtftError
from mtft.io.digests import NAME as DIGESTS
from mtft.io.digests import check_digests, digest, read_digests, write_digests
from mtft.io.files import replaced_file
from mtft.runs.checkpoint import FILES

REQUIRED = (DIGESTS, *FILES, "probe.safetensors")
CARD = "README.md"
OPTIONAL = (CARD,)
BLOCK = 1 << 20


@contextmanager
def model_directory(run: Path) -> Iterator[Path]:
    """Yield the model directory of a run, or of a bundle, which is unpacked while the block runs."""
    if not run.is_file():
        yield run / "model"
        return
    with TemporaryDirectory(prefix="mtft-") as temporary:
        directory = Path(temporary) / "model"
        try:
            unpack(run, directory)
            yield directory
        except MtftError as error:  # name the bundle, which the user knows
            error.args = (str(error).replace(str(directory), str(run)),)
            raise


def write_bundle(path: Path, directory: Path, note: str = "") -> None:
    """Write the files of a model directory, and a `note` at the end of its card, into one file.

    Equal files give equal bytes.
    """
    check_digests(directory)
    names = [*REQUIRED, *(name for name in OPTIONAL if (directory / name).is_file())]
    with TemporaryDirectory(prefix="mtft-") as folder:
        changed = _with_note(Path(folder), directory, note) if note and CARD in names else {}
        _archive(path, {name: changed.get(name, directory / name) for name in names})


def _with_note(folder: Path, directory: Path, note: str) -> dict[str, Path]:
    """Write the card with a note, and the digests with that of the card; return both files by name."""
    card = folder / CARD
    card.write_bytes((directory / CARD).read_bytes() + f"\n{note}\n".encode())
    write_digests(folder, {**read_digests(directory), CARD: digest(card)})
    return {CARD: card, DIGESTS: folder / DIGESTS}


def _archive(path: Path, files: Mapping[str, Path]) -> None:
    """Write files by name into an archive."""
    with replaced_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, so that the bytes do not depend on the time
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, BLOCK)


def unpack(path: Path, directory: Path) -> None:
    """Unpack a bundle into a new directory; CheckpointError says what is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = _checked_names(archive, path.stat().st_size)
            directory.mkdir(parents=True)
            for name in names:
                with archive.open(name) as source, (directory / name).open("xb") as target:
                    shutil.copyfileobj(source, target, BLOCK)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise CheckpointError(f"{path}: not a bundle of mtft, or damaged: {error}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: not readable: {error.strerror or error}") from None
    check_digests(directory)


def _checked_names(archive: zipfile.ZipFile, size: int) -> list[str]:
    """Return the names in an archive of `size` bytes; ValueError unless they are a bundle's and uncompressed."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if unexpected := [name for name in names if name not in (*REQUIRED, *OPTIONAL)]:
        raise ValueError(f"unexpected file {unexpected[0][:80]!r}")
    if missing := [name for name in REQUIRED if name not in names]:
        raise ValueError(f"no file {missing[0]!r}")
    if len(set(names)) < len(names):
        raise ValueError("a file appears twice")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise ValueError("a file is compressed or encrypted")
    if any(entry.file_size != entry.compress_size for entry in entries) or sum(e.file_size for e in entries) > size:
        raise ValueError("its files are larger than it is")
    return names
