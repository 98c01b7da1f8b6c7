"""`mtft data check` and the gate in `train`: what is printed, exit codes, and the form of the JSON document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from commands import Done, cli
from faulty_data import CLEAN, sst, write

FILMS = [(f"film {i}", i % 5) for i in range(20)]
CHECK = ("data", "check", "--tasks", "sst,sts", "--data-dir")
EVIL = "\x1b[31m<script>\x07\u202e"


def train(folder: Path, tiny_model: Path, out: Path, *more: object) -> Done:
    return cli(
        "train",
        "--tasks",
        "sst",
        "--data-dir",
        folder,
        "--model",
        tiny_model,
        "--max-steps",
        1,
        "--keep",
        1,
        "--out",
        out,
        "--json",
        *more,
    )


def test_clean_files_exit_with_0_and_warnings_do_not_change_that(tmp_path: Path) -> None:
    assert cli(*CHECK, write(tmp_path)).code == 0
    done = cli(*CHECK, write(tmp_path, sst_train=sst(*FILMS, ("movie 1", 1))))
    assert done.code == 0
    assert re.search(r"^1  warning +leakage +sst +dev +1  1 of 10 rows", done.out, re.MULTILINE)


def test_a_length_without_a_model_is_for_other_commands_unless_a_flag(tmp_path: Path) -> None:
    folder, shared = write(tmp_path / "data"), tmp_path / "run.toml"
    shared.write_text("max_length = 32\n", encoding="utf-8")
    assert cli(*CHECK, folder, "--config", shared).code == 0
    done = cli(*CHECK, folder, "--max-length", "32")
    assert done.code == 2
    assert "--max-length counts the tokens of a model; give --model too" in done.err


def test_copies_do_not_go_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, here = write(tmp_path / "data"), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert "--fix: . is there already" in cli(*CHECK, folder, "--fix", ".").err


def test_errors_exit_with_2_after_everything_is_printed(tmp_path: Path) -> None:
    done = cli(*CHECK, write(tmp_path, sst_train=sst(*FILMS, ("x", 7), ("", 1))))
    assert done.code == 2
    assert done.err.splitlines()[-1] == "mtft: error: 1 kind of error in the data"
    assert re.search(r"^1  error +label-invalid +sst +train +1  column 'sentiment'", done.out, re.MULTILINE)
    assert f"{tmp_path / 'ids-sst-train.csv'}:22" in done.out
    assert "text-empty" in done.out


def test_the_json_document_has_its_promised_form(tmp_path: Path) -> None:
    done = cli(*CHECK, write(tmp_path / "data", sst_train=sst(*FILMS, ("x", 7))), "--json", "--fix", tmp_path / "new")
    assert done.code == 2
    document: dict[str, Any] = Done(0, done.out, "").json
    assert list(document) == ["version", "counts", "files", "findings", "fixed"]
    assert document["version"] == 1
    assert document["counts"] == {"error": 1, "warning": 0, "note": 4}
    name = str(tmp_path / "data" / "ids-sst-train.csv")
    assert document["files"][0] == {"path": name, "source": "sst", "split": "train", "rows": 21, "lines": 22}
    assert document["findings"][0] == {
        "check": "label-invalid",
        "severity": "error",
        "source": "sst",
        "split": "train",
        "file": name,
        "line": 22,
        "count": 1,
        "message": "column 'sentiment': label '7' is not one of 0, 1, 2, 3, 4",
        "example": "20\tr20\tx\t7",
        "advice": "mend the label, or leave such rows out with --skip-bad-rows",
    }
    dropped = {"ids-sst-train.csv": 1, "ids-sst-dev.csv": 0, "sts-train.csv": 0, "sts-dev.csv": 0}
    assert document["fixed"] == {"path": str(tmp_path / "new"), "dropped": dropped}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {*CLEAN, "changes.diff"}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_control_characters_of_texts_never_reach_the_terminal(more: tuple[str, ...], tmp_path: Path) -> None:
    bad = sst(*FILMS, (EVIL, 9), (EVIL, ""), (f"{EVIL}  film", 1), (f"{EVIL} film", 1), (EVIL + "\0", 1))
    done = cli(*CHECK, write(tmp_path, sst_train=bad), *more)
    assert done.code == 2
    assert "<script>" in done.out
    assert not set("\x1b\x07\u202e\0") & set(done.out + done.err)


def test_a_pipe_that_breaks_does_not_hide_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("mtft.cli.data.print_json", broken)
    assert cli(*CHECK, write(tmp_path, sst_train=""), "--json").code == 2


def test_the_group_names_its_commands() -> None:
    assert cli("data").code == 2
    assert "check" in cli("data", "--help").out
    done = cli("data", "chekc")
    assert (done.code, done.out) == (2, "")
    assert "chekc" in done.err


# ---- The gate in train


def test_a_bad_row_stops_training_until_it_is_skipped_and_counted(tiny_model: Path, tmp_path: Path) -> None:
    bad = sst(*FILMS, ("x", 7), ("y", "")) + "1\t2\n" + "9\tr\ta\0b\t1\n"
    folder = write(tmp_path / "data", sst_train=bad)
    done = train(folder, tiny_model, tmp_path / "run")
    place = folder / "ids-sst-train.csv"
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        f"mtft: error: {place}:22: column 'sentiment': label '7' is not one of 0, 1, 2, 3, 4, and 2 more bad rows; "
        "--skip-bad-rows leaves such rows out"
    )
    assert not (tmp_path / "run").exists()
    done = train(folder, tiny_model, tmp_path / "run", "--skip-bad-rows")
    assert done.code == 0, done.err
    (note,) = [line for line in done.err.splitlines() if "are bad" in line]
    assert note.startswith(f"sst: 3 of 24 rows of train are bad (first: {place}:22: column 'sentiment'")
    assert note.endswith("left out")
    assert f"sst: 1 of 21 rows have no label (first: {place}:23); left out" in done.err


def test_what_is_wrong_with_a_whole_file_cannot_be_skipped(tiny_model: Path, tmp_path: Path) -> None:
    folder = write(tmp_path, sst_dev=sst(*FILMS).replace("sentiment", "mood"))
    done = train(folder, tiny_model, tmp_path / "run", "--skip-bad-rows")
    assert done.code == 2
    assert f"{folder / 'ids-sst-dev.csv'}:2: no column 'sentiment'" in done.err


def test_a_broken_file_that_only_helps_to_train_is_no_silent_loss(tiny_model: Path, tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "ids-cfimdb-train.csv").write_bytes(b"\xff\xfe")
    done = train(folder, tiny_model, tmp_path / "run")
    assert done.code == 2
    assert f"{folder / 'ids-cfimdb-train.csv'}:1" in done.err


def test_leakage_is_a_loud_warning(tiny_model: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", sst_train=sst(*FILMS, ("Movie 1", 1)))
    done = train(folder, tiny_model, tmp_path / "run")
    assert done.code == 0
    (line,) = [line for line in done.err.splitlines() if "warning: leakage" in line]
    assert line == (
        "mtft: warning: leakage: sst: 1 of 10 rows are in train too: its scores look better than they are "
        f"(first: {folder / 'ids-sst-dev.csv'}:3); see `mtft data check`"
    )
    assert "warning: leakage" not in train(write(tmp_path / "clean"), tiny_model, tmp_path / "second").err
    refined = cli("refine", tmp_path / "second", "--tasks", "sst", "--data-dir", folder, "--epochs", 1)
    assert (refined.code, line in refined.err.splitlines()) == (0, True)


def test_other_warnings_are_told_in_one_line_before_training(tiny_model: Path, tmp_path: Path) -> None:
    more = (("film 1", 1), ("film 2", 3), (" ", 1), ("x", ""))
    folder = write(tmp_path / "data", sst_train=sst(*FILMS, *more))
    done = train(folder, tiny_model, tmp_path / "run")
    assert done.code == 0
    (line,) = [line for line in done.err.splitlines() if line.startswith("data: ")]
    assert line == ("data: text-empty (1 rows), duplicate (1 rows), conflict (2 rows); `mtft data check` shows them")
    assert "data: " not in train(write(tmp_path / "clean"), tiny_model, tmp_path / "second").err


def test_training_does_not_read_test(tiny_model: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", sst_test=b"\xff")
    assert train(folder, tiny_model, tmp_path / "run").code == 0
