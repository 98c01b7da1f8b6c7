"""One file over HTTP from a server on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import StandIn, blob_id, serving

from mtft.errors import FetchError
from mtft.fetch.download import TRIES, download
from mtft.io.digests import tagged_digest

DATA = bytes(range(256)) * 4096
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving({"f.csv": DATA, "empty.csv": b""}) as stand_in:
        yield stand_in


def fetch(server: StandIn, path: Path, expected: str = SHA256, name: str = "f.csv") -> list[tuple[int, int]]:
    progress: list[tuple[int, int]] = []
    download(f"{server.url}/{name}", path, expected, progress=lambda *at: progress.append(at), wait=lambda _: None)
    return progress


@pytest.mark.parametrize("expected", [SHA256, f"git:{blob_id(DATA)}"])
def test_a_file_comes_whole_and_progress_is_reported(server: StandIn, tmp_path: Path, expected: str) -> None:
    progress = fetch(server, tmp_path / "f.csv", expected)
    assert (tmp_path / "f.csv").read_bytes() == DATA
    assert progress[0] == (0, len(DATA))
    assert progress[-1] == (len(DATA), len(DATA))
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]
    assert tagged_digest(tmp_path / "f.csv", "git") == f"git:{blob_id(DATA)}"


def test_an_empty_file_comes_too(server: StandIn, tmp_path: Path) -> None:
    fetch(server, tmp_path / "e.csv", f"sha256:{hashlib.sha256().hexdigest()}", "empty.csv")
    assert (tmp_path / "e.csv").read_bytes() == b""


@pytest.mark.parametrize("breaks", [1, TRIES - 1])
def test_a_broken_connection_is_gone_on_with(server: StandIn, tmp_path: Path, breaks: int) -> None:
    server.breaks = breaks
    fetch(server, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_bytes() == DATA
    assert [asked[2] for asked in server.asked][:2] == ["", f"bytes={len(DATA) // 2}-"]


def test_what_came_is_kept_for_the_next_call(server: StandIn, tmp_path: Path) -> None:
    server.breaks = 99
    with pytest.raises(FetchError, match="the bytes received are kept, and the next try continues from there"):
        fetch(server, tmp_path / "f.csv")
    kept = (tmp_path / "f.csv.part").stat().st_size
    assert kept > len(DATA) / 2
    assert not (tmp_path / "f.csv").exists()
    server.breaks = 0
    assert fetch(server, tmp_path / "f.csv")[0] == (kept, len(DATA))
    assert server.asked[-1][2] == f"bytes={kept}-"
    assert (tmp_path / "f.csv").read_bytes() == DATA


def test_a_part_that_is_whole_already_is_only_checked(server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "f.csv.part").write_bytes(DATA)
    fetch(server, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_bytes() == DATA


def test_another_digest_is_refused_and_nothing_stays(server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=rf"f\.csv: the digest is {SHA256}, not sha256:00; it is not used"):
        fetch(server, tmp_path / "f.csv", "sha256:00")
    (tmp_path / "f.csv.part").write_bytes(b"of another file")  # it is gone on with, found wrong, and thrown away
    with pytest.raises(FetchError, match="the digest is"):
        fetch(server, tmp_path / "f.csv")
    assert list(tmp_path.iterdir()) == []
    fetch(server, tmp_path / "f.csv")


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, TRIES)])
def test_what_the_server_refuses_is_said_and_asked_again_only_if_it_may_help(
    server: StandIn, tmp_path: Path, status: int, tries: int
) -> None:
    server.status = status
    with pytest.raises(FetchError, match=f"the server says {status}"):
        fetch(server, tmp_path / "f.csv")
    assert len(server.asked) == tries


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_no_broken_connection(server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "f.csv.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"f\.csv\.part: No space left on device; the bytes received are kept"):
        fetch(server, tmp_path / "f.csv")
    assert len(server.asked) == 1


def test_no_server_at_all(tmp_path: Path) -> None:
    with serving({}) as gone:
        pass
    with pytest.raises(FetchError, match="refused"):
        fetch(gone, tmp_path / "f.csv")
