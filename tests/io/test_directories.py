"""Directories are complete or not there, of one writer, and read whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mtft.errors import CheckpointError
from mtft.io.directories import (
    DirectoryLock,
    clear_lock,
    current_directory,
    from_one_directory,
    lock_holder,
    one_at_a_time,
    recover_directory,
    remove_directory,
    replaced_directory,
)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def fill(directory: Path, text: str) -> None:
    (directory / text).write_text(text, encoding="utf-8")


def test_a_directory_is_made_with_its_parents_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model"
    for text in ("first", "second"):
        with replaced_directory(path) as fresh:
            fill(fresh, text)
            assert not (path / text).exists()
        assert names(path) == [text]
    assert names(path.parent) == ["model"]


def test_what_a_link_leads_to_is_replaced_and_removed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "model")
    for text in ("first", "second"):
        with replaced_directory(link) as fresh:
            fill(fresh, text)
        assert names(tmp_path) == ["link", "model"]
        assert names(link) == [text]
    (tmp_path / "model").rename(tmp_path / ".model.old")  # a crash
    recover_directory(link)
    assert names(link) == ["second"]
    remove_directory(link)
    assert names(tmp_path) == ["link"]


def test_an_error_keeps_the_former_directory(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with replaced_directory(path) as fresh:
        fill(fresh, "first")
    with pytest.raises(FileNotFoundError), replaced_directory(path) as fresh:
        (fresh / "second" / "third").write_text("no such directory", encoding="utf-8")
    assert names(path) == ["first"]
    with replaced_directory(path) as fresh:
        assert names(fresh) == []
        fill(fresh, "third")
    assert names(path) == ["third"]
    assert names(tmp_path) == ["model"]


def test_the_former_directory_outlives_a_crash_between_the_two_renames(tmp_path: Path) -> None:
    """Killed there, the former directory has its temporary name; an error at the next try must not lose it."""
    path = tmp_path / "model"
    (tmp_path / ".model.old").mkdir()
    fill(tmp_path / ".model.old", "first")
    with pytest.raises(RuntimeError, match="halfway"), replaced_directory(path):
        raise RuntimeError("halfway")
    assert names(path) == ["first"]


def test_the_content_is_found_between_the_two_renames_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "model"
    assert current_directory(path) == path
    (tmp_path / ".model.old").mkdir()
    (tmp_path / ".model.new").mkdir()
    assert current_directory(path) == tmp_path / ".model.old"
    assert names(tmp_path) == [".model.new", ".model.old"]
    path.mkdir()
    assert current_directory(path) == path


def test_a_removed_directory_is_gone_and_what_a_crash_left_of_it_too(tmp_path: Path) -> None:
    path = tmp_path / "mask.part"
    for _ in range(2):
        path.mkdir()
        fill(path, "first")
        remove_directory(path)
        assert names(tmp_path) == []
    (tmp_path / ".mask.part.gone").mkdir()
    fill(tmp_path / ".mask.part.gone", "half")
    recover_directory(path)
    assert names(tmp_path) == []


def test_a_lock_has_one_holder_and_another_after_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    assert lock_holder(tmp_path) == str(os.getpid())
    with pytest.raises(CheckpointError, match=rf"in use by another process \({os.getpid()}\)"):
        DirectoryLock(tmp_path)
    lock.release()
    assert names(tmp_path) == []
    (tmp_path / ".lock").write_text("1\n")  # of a process that was killed
    assert lock_holder(tmp_path) is None
    clear_lock(tmp_path)
    assert names(tmp_path) == []
    clear_lock(tmp_path)
    lock = DirectoryLock(tmp_path)
    with pytest.raises(CheckpointError, match="in use by another process"):
        clear_lock(tmp_path)
    lock.release()


def test_a_lock_that_is_being_released_is_waited_for(tmp_path: Path) -> None:
    """The holder removes the file and lets go after this process has opened it and before it has locked it."""
    first = DirectoryLock(tmp_path)
    timer = threading.Timer(0.05, first.release)
    timer.start()
    second = DirectoryLock(tmp_path)
    timer.join()
    assert lock_holder(tmp_path) == str(os.getpid())
    second.release()
    assert names(tmp_path) == []


COUNT = """
import sys, time
from pathlib import Path
from mtft.errors import CheckpointError
from mtft.io.directories import DirectoryLock

directory, counter = Path(sys.argv[1]), Path(sys.argv[2])
done = 0
while done < 30:
    try:
        lock = DirectoryLock(directory)
    except CheckpointError:
        continue
    number = int(counter.read_text())
    time.sleep(0.001)
    counter.write_text(str(number + 1))
    lock.release()
    done += 1
"""


def test_of_several_processes_one_at_a_time_has_the_lock(tmp_path: Path) -> None:
    """Each adds 1 to a number that it reads and writes; with two of them inside, an addition would be lost."""
    directory, counter = tmp_path / "run", tmp_path / "counter"
    directory.mkdir()
    counter.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, directory, counter]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "90"
    assert names(directory) == []


def test_a_killed_process_and_a_child_that_it_forked_keep_no_lock(tmp_path: Path) -> None:
    """The child sleeps on; a lock that it had inherited would keep everybody out."""
    script = (
        "import os, sys, time; from pathlib import Path; from mtft.io.directories import DirectoryLock\n"
        "lock = DirectoryLock(Path(sys.argv[1])); child = os.fork()\n"
        "child or (os.close(1), time.sleep(60)); print(child, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            with pytest.raises(CheckpointError, match=rf"in use by another process \({process.pid}\)"):
                DirectoryLock(tmp_path)
            process.kill()
            process.wait()
            lock = DirectoryLock(tmp_path)
            assert lock_holder(tmp_path) == str(os.getpid())
            lock.release()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError, match=r"cannot lock: Permission denied: .*\.lock"):
        DirectoryLock(tmp_path)
    tmp_path.chmod(0o755)


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(OSError, match=r"cannot lock: No locks available: .*\.lock"):
        DirectoryLock(tmp_path)
    with one_at_a_time(tmp_path):
        assert tmp_path.is_dir()


def both(directory: Path) -> list[str]:
    return [(directory / name).read_text() for name in "ab"]


def write_both(directory: Path, text: str) -> None:
    with replaced_directory(directory) as fresh:
        for name in "ab":
            (fresh / name).write_text(text)


def test_what_is_replaced_while_it_is_read_is_read_whole(tmp_path: Path) -> None:
    path, versions = tmp_path / "model", []

    @from_one_directory
    def read(directory: Path, suffix: str) -> list[str]:
        first = (directory / "a").read_text()
        versions.append(first)
        if len(versions) < 3:
            write_both(path, f"version {len(versions)}")
        return [first + suffix, (directory / "b").read_text() + suffix]

    write_both(path, "version 0")
    assert read(path, "!") == ["version 2!", "version 2!"]
    assert versions == ["version 0", "version 1", "version 2"]


def test_what_fails_because_it_was_replaced_is_read_again(tmp_path: Path) -> None:
    path, tries = tmp_path / "model", []

    @from_one_directory
    def read(directory: Path) -> list[str]:
        tries.append(directory.name)
        if len(tries) == 1:  # found between the two renames, which another process then ends
            shutil.rmtree(directory)
            write_both(path, "new")
        return both(directory)

    write_both(tmp_path / ".model.old", "former")
    assert read(path) == ["new", "new"]
    assert tries == [".model.old", "model"]


def test_what_fails_by_itself_is_an_error(tmp_path: Path) -> None:
    tries = []

    @from_one_directory
    def read(directory: Path) -> list[str]:
        tries.append(directory)
        return both(directory)

    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "model")
        (tmp_path / "model").mkdir(exist_ok=True)
    assert len(tries) == 2
