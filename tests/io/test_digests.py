"""Whatever happens to a file after it was written is found, and the file named."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soak import cases, counted

from mtft.errors import CheckpointError
from mtft.io.digests import (
    BLOCK,
    NAME,
    Digest,
    _document,
    check_digests,
    check_tree,
    digest,
    read_digests,
    tagged_digest,
    write_digests,
)
from mtft.io.files import write_json

CONTENT = {"a.bin": b"first file", "b.bin": b"second", "c.bin": b""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "folder")
    return tmp_path / "folder"


def fill(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    write_digests(folder)


def test_what_is_as_written_passes(folder: Path) -> None:
    check_digests(folder)
    check_digests(folder, ["a.bin"])
    assert read_digests(folder).keys() == CONTENT.keys()
    before = (folder / NAME).read_bytes()
    write_digests(folder)
    assert (folder / NAME).read_bytes() == before


def test_a_tree_that_another_process_is_writing_passes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing and looking, `save_state` replaces the former state by a new one."""
    (folder / ".state.old").mkdir()
    (folder / ".state.old" / "position.json").write_text("{}")
    walk, gone = os.walk, []

    def replaced(directory: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for found in walk(directory):
            if (folder / ".state.old").exists():
                gone.append(found)
                shutil.rmtree(folder / ".state.old")
            yield found

    monkeypatch.setattr("mtft.io.digests.os.walk", replaced)
    check_tree(folder)
    assert ".state.old" in gone[0][1]
    (folder / "state").symlink_to(folder / "nothing")
    with pytest.raises(CheckpointError, match="state: neither a file nor a directory"):
        check_tree(folder)


def test_a_known_digest(folder: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest(folder / "c.bin") == Digest(0, empty)
    assert digest(folder / "a.bin", 0) == Digest(0, empty)
    assert digest(folder / "a.bin", 99) == digest(folder / "a.bin")
    assert tagged_digest(folder / "c.bin", "sha256") == f"sha256:{empty}"
    assert tagged_digest(folder / "c.bin", "git") == "git:e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_a_file_of_several_blocks_and_its_beginning(tmp_path: Path, length: int) -> None:
    data = bytes(range(251)) * (length // 251 + 1)
    (tmp_path / "f").write_bytes(data[:length])
    assert digest(tmp_path / "f") == Digest(length, hashlib.sha256(data[:length]).hexdigest())
    for size in (1, BLOCK, BLOCK + 1):
        first = data[: min(size, length)]
        assert digest(tmp_path / "f", size) == Digest(len(first), hashlib.sha256(first).hexdigest())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "a.bin").write_bytes(b"first fil"), "a.bin: was truncated or replaced: it has 9 of 10 bytes"),
        (lambda f: (f / "a.bin").write_bytes(b"First file"), "a.bin: was changed: sha256 "),
        (lambda f: (f / "a.bin").write_bytes(b"first file!"), "a.bin: was replaced: it has 11 bytes instead of 10"),
        (lambda f: shutil.copy(f / "b.bin", f / "a.bin"), "a.bin: holds the content of b.bin"),
        (lambda f: (f / "a.bin").unlink(), "a.bin: is missing"),
        (lambda f: ((f / "a.bin").unlink(), (f / "a.bin").mkdir()), "a.bin: is not a file"),
        (lambda f: ((f / "a.bin").unlink(), (f / "a.bin").symlink_to(f / "b.bin")), "a.bin: is not a file"),
        (lambda f: (f / NAME).unlink(), f"no {NAME}, without which its files cannot be checked"),
        (lambda f: (f / NAME).write_bytes(b"{"), f"{NAME}: not JSON"),
        (lambda f: (f / NAME).write_bytes(b"{}"), f"{NAME}: format is None None, not 'mtft-digests' 1"),
    ],
    ids=range(10),
)
def test_damage_is_named(folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder)
    with pytest.raises(CheckpointError) as caught:
        check_digests(folder)
    assert said in str(caught.value)


def test_all_damaged_files_are_named_at_once(folder: Path) -> None:
    for name in ("a.bin", "b.bin"):
        (folder / name).unlink()
    with pytest.raises(CheckpointError, match=r"a.bin: is missing\n.*b.bin: is missing"):
        check_digests(folder)


def test_an_edited_list_is_found(folder: Path) -> None:
    text = (folder / NAME).read_text()
    (folder / NAME).write_text(text.replace('"bytes": 6', '"bytes": 7'))
    with pytest.raises(CheckpointError, match=f"{NAME}: damaged: it does not match its own digest"):
        check_digests(folder)


@pytest.mark.parametrize("name", ["../a.bin", "/etc/passwd", "a/b/c", ".hidden", "a/../../b", "", "a\\b", "a/.."])
def test_names_that_lead_elsewhere_are_refused(folder: Path, name: str) -> None:
    write_digests(folder, {name: Digest(0, "")})
    with pytest.raises(CheckpointError, match=r"is not the name of a file in this directory"):
        read_digests(folder)


@pytest.mark.parametrize("entry", [1, None, [], {}, {"bytes": 1}, {"bytes": 1, "sha256": "", "more": 2}])
def test_entries_of_another_form_are_refused(folder: Path, entry: object) -> None:
    write_json(folder / NAME, _document({"a.bin": entry}))
    with pytest.raises(CheckpointError, match="its entries are not bytes and sha256"):
        read_digests(folder)


@pytest.mark.soak
def test_no_flipped_bit_and_no_cut_passes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill(folder)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    targets = [(name, at) for name, data in whole.items() for at in range(8 * len(data))]
    with counted("a flipped bit or a cut in a digested file is found and the file named", "cases") as tried:

        @settings(max_examples=cases(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.sampled_from(targets), st.booleans())
        def damaged(target: tuple[str, int], cut: bool) -> None:
            name, bit = target
            data = bytearray(whole[name])
            data[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(data[: bit // 8] if cut else data)
            try:
                with pytest.raises(CheckpointError, match=name):
                    check_digests(folder)
            finally:
                (folder / name).write_bytes(whole[name])
            tried.one()

        damaged()
    check_digests(folder)
