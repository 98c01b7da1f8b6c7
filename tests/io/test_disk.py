"""Room is asked for before it is needed, and what a disk refuses is said in bytes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from small_disks import disk, fill, remount_read_only

from mtft.errors import ConfigError, MtftError
from mtft.io.directories import replaced_directory
from mtft.io.disk import check_room, free_disk_bytes, named_when_full, stops_when_full
from mtft.io.files import append_json_line, write_bytes
from mtft.runs.checkpoint import write_tensors

FULL = Path("/dev/full")
needs_dev_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


def test_the_disk_of_a_directory_that_is_not_there_yet(tmp_path: Path) -> None:
    stat = os.statvfs(tmp_path)
    assert free_disk_bytes(tmp_path / "a" / "b") == pytest.approx(stat.f_bavail * stat.f_frsize, rel=0.01)


def test_room_that_is_there_leaves_nothing_behind(tmp_path: Path) -> None:
    check_room(tmp_path / "not" / "yet", [1 << 20, 5])
    check_room(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_than_is_free_is_refused_with_the_bytes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"out: .* has [\d,]+ bytes free; this run needs {1 << 60:,}$"):
        check_room(tmp_path / "run", [1 << 59, 1 << 59])


def test_a_small_disk(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "1m") as folder:
        check_room(folder / "run", [300_000, 300_000])
        with pytest.raises(ConfigError, match=r"has [\d,]+ bytes free; this run needs 1,200,000"):
            check_room(folder / "run", [600_000, 600_000])
        write_bytes(folder / "kept", b"kept")
        junk = fill(folder)
        with pytest.raises(OSError, match=r"No space left on device \(4,000,000 bytes are needed, 0 free\)") as caught:
            write_tensors(folder / "kept", {"a": torch.zeros(1_000_000)})
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match=r"No space left on device \(500,000 bytes are needed"):
            write_bytes(folder / "kept", b"\0" * 500_000)
        assert (folder / "kept").read_bytes() == b"kept"
        junk.unlink()
        assert [path.name for path in folder.iterdir()] == ["kept"]
        remount_read_only(folder)
        with pytest.raises(ConfigError, match=r"out: .*run cannot be written: read-only file system$"):
            check_room(folder / "run")


def test_a_directory_that_does_not_fit_is_removed_and_the_former_stays(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "1m") as folder:
        with replaced_directory(folder / "state") as fresh:
            write_bytes(fresh / "a", b"former")
        with pytest.raises(OSError, match="No space left"), replaced_directory(folder / "state") as fresh:  # noqa: PT012
            write_bytes(fresh / "a", b"\0" * 600_000)
            write_bytes(fresh / "b", b"\0" * 600_000)
        assert [path.name for path in folder.iterdir()] == ["state"]
        assert (folder / "state" / "a").read_bytes() == b"former"


@needs_dev_full
def test_a_log_on_a_full_device() -> None:
    with pytest.raises(OSError, match=r"No space left on device \(10 bytes are needed"):
        append_json_line(FULL, {"a": 12})


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), named_when_full(tmp_path, 1):
        raise ValueError("mine")
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*thing'"):
        write_tensors(tmp_path / "no" / "thing", {"a": torch.zeros(1)})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_run_that_stops_says_that_nothing_is_lost_and_how_to_go_on(number: int) -> None:
    with (
        pytest.raises(MtftError, match=r"^[a-z].*: a/file; the last checkpoint is complete; make room, then go on$"),
        stops_when_full("go on"),
    ):
        raise OSError(number, os.strerror(number), "a/file")
    with pytest.raises(FileNotFoundError), stops_when_full("go on"):
        raise FileNotFoundError(errno.ENOENT, "No such file")
