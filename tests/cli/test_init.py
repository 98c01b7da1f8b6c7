"""`mtft init`: from files of the user's own to settings that train."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from commands import MTFT, clean, cli, shell, summary
from small_disks import limited, restricted

from mtft.config.load import load
from mtft.config.schema import TrainConfig
from mtft.io import toml_parser
from mtft.tasks.declared import declare

WORDS = ("dull", "fine", "superb")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Reviews with two labels in CSV, pairs in TSV and JSON Lines, in a directory of their own."""
    folder = tmp_path / "own"
    folder.mkdir()
    rows = [f"{n},a {WORDS[n % 3]} film no {n},{n % 3 + 1},{('yes', 'no', '')[n % 3]}" for n in range(48)]
    (folder / "reviews.csv").write_text("id,review,stars,useful\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for split in ("train", "dev"):
        pairs = [f"{split} one {n}\tthe other {n}\t{n % 5 / 4}" for n in range(16)]
        (folder / f"near-{split}.tsv").write_text("text1\ttext2\tscore\n" + "\n".join(pairs), encoding="utf-8")
    nli = [{"premise": f"b {n}", "hypothesis": f"c {n}", "label": "xyz"[n % 3]} for n in range(36)]
    nli += [{"premise": "only", "hypothesis": "texts"}]
    (folder / "nli.jsonl").write_text("".join(json.dumps(row) + "\n" for row in nli), encoding="utf-8")
    return folder


NAMES = ("reviews.csv", "near-dev.tsv", "near-train.tsv", "nli.jsonl")


def test_what_it_writes_trains_at_once(files: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.toml"
    done = cli("init", "--from", *(files / name for name in NAMES), "--out", out)
    assert done.code == 0, done.err
    assert done.err.splitlines() == [
        f"{files}/reviews.csv: read as comma-separated, UTF-8",
        f"{files}/near-dev.tsv, near-train.tsv: read as tab-separated, UTF-8",
        f"{files}/nli.jsonl: read as JSON Lines, UTF-8",
        f"written: {out}; look at it, then: mtft train --config {out}",
    ]
    kinds = {line.split()[0]: line.split()[1] for line in done.out.splitlines()[1:]}
    assert kinds == {
        "reviews-stars": "ordinal",
        "reviews-useful": "binary",
        "near": "regression",
        "nli": "classification",
    }
    run = tmp_path / "run"
    done = cli("train", "--config", out, "--model", tiny_model, "--max-steps", 2, "--batches", 1, "--out", run)
    assert done.code == 0, done.err
    assert re.search(r"nli: 1 of \d+ rows have no label", done.err)
    assert set(summary(run)["tasks"]) == set(kinds)


def test_the_file_holds_what_it_says_and_the_defaults(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.toml"
    found = cli("init", files / "reviews.csv", "--out", out, "--json").json
    text = out.read_text(encoding="utf-8")
    written = toml_parser.loads(text)
    assert found["path"] == str(out)
    assert {name: task["table"] for name, task in found["tasks"].items()} == written["tasks"]
    assert "# guess; or classification or regression" in text
    loaded = load(TrainConfig, file=out)
    assert loaded.config.data_dir == files
    offered = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)
    assert offered != text
    (tmp_path / "all.toml").write_text(offered, encoding="utf-8")
    everything = load(TrainConfig, file=tmp_path / "all.toml").config
    assert everything.model_dump() == loaded.config.model_dump()
    for name, table in everything.declared.items():
        made, plain = (declare(name, each, "") for each in (table, written["tasks"][name]))
        assert {*table} == {*written["tasks"][name], "head", "metrics", "held_out"}
        assert (made.head, made.metric_names, made.output) == (plain.head, plain.metric_names, plain.output)


def test_nothing_is_overwritten_and_a_dash_prints(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.toml"
    out.write_text("mine", encoding="utf-8")
    done = cli("init", "--from", files / "nli.jsonl", "--out", out)
    assert (done.code, done.err) == (2, f"mtft: error: --out: {out} exists; choose another\n")
    assert out.read_text(encoding="utf-8") == "mine"
    done = cli("init", "--from", files / "nli.jsonl", "--out", "-")
    assert toml_parser.loads(done.out)["tasks"]["nli"]["names"] == ["x", "y", "z"]
    document = cli("init", "--from", files / "nli.jsonl", "--out", "-", "--json").json
    assert (document["path"], document["text"]) == (None, done.out)


def test_names_that_are_no_text_are_printed_as_they_are(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(place)
    rows = "".join(f"so so {n},{'ab'[n % 2]}\n" for n in range(40))
    Path(os.fsdecode(place), "x.csv").write_text("text,label\n" + rows, encoding="utf-8")
    done = shell(
        f"cd {tmp_path}; mtft init --quiet --from $'caf\\xe9/x.csv' --out - | LC_ALL=C grep -ac data_dir",
        LC_ALL="C.UTF-8",
    )
    assert (done.out, done.err) == ("1\n", "")


def test_settings_that_cannot_be_written_leave_no_half_file(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.toml"
    done = restricted(limited(64), "init", "--from", files / "nli.jsonl", "--out", out)
    assert done.code == 2
    assert f"--out: {out} cannot be written: file too large" in done.err
    assert not out.exists()


def test_files_are_named_from_their_common_directory(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "else").mkdir()
    os.rename(files / "nli.jsonl", tmp_path / "else/nli.jsonl")
    monkeypatch.chdir(tmp_path)
    done = cli("init", "--from", "own/near-train.tsv", "own/near-dev.tsv", "else/nli.jsonl", "--out", "-")
    written = toml_parser.loads(done.out)
    assert written["data_dir"] == "."
    assert (written["tasks"]["near"]["dev"], written["tasks"]["nli"]["train"]) == ("own/near-dev.tsv", "else/nli.jsonl")


def test_names_of_installed_tasks_are_left_to_them(files: Path) -> None:
    os.rename(files / "nli.jsonl", files / "sts.jsonl")
    assert list(toml_parser.loads(cli("init", files / "sts.jsonl", "--out", "-").out)["tasks"]) == ["sts-2"]


def test_columns_and_labels_of_any_kind_are_written_as_toml(tmp_path: Path) -> None:
    names = ['"quoted" # and\tmore', "back\\slash", "x\x7f", "Σ 日本"]
    rows = [{'a "text"\n#': f"some words {n}", "label": names[n % 4]} for n in range(16)]
    path = tmp_path / "odd.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = cli("init", path, "--out", "-")
    (table,) = toml_parser.loads(done.out)["tasks"].values()
    assert (table["text"], set(table["names"])) == ('a "text"\n#', set(names))


def test_every_file_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("[1]\n", encoding="utf-8")
    done = cli("init", tmp_path / "a.csv", tmp_path / "b.jsonl", "--out", "-")
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path}/a.csv:1: one column only" in done.err
    assert "b.jsonl:1: found list where an object is needed" in done.err
    assert cli("init").code == 2


@pytest.mark.real_data
def test_real_datasets_without_a_plugin(real_data: Path) -> None:
    files = [file for name in ("cb", "cola", "rte") for file in sorted((real_data / "other").glob(f"{name}-*.jsonl"))]
    if not files:
        pytest.skip("no datasets under other/")
    tables = toml_parser.loads(cli("init", "--from", *files, "--out", "-").out)["tasks"]
    assert {name: (table["kind"], table["text"], table["names"]) for name, table in tables.items()} == {
        "cb": ("classification", ["premise", "hypothesis"], ["contradiction", "entailment", "neutral"]),
        "cola": ("binary", "text", ["0", "1"]),
        "rte": ("binary", ["premise", "hypothesis"], ["not_entailment", "entailment"]),
    }
    assert all("train" in table and table["dev"].endswith("val.jsonl") for table in tables.values())


@pytest.mark.real_data
def test_the_files_that_built_in_tasks_read_are_understood_too(real_data: Path) -> None:
    tables = toml_parser.loads(cli("init", "--from", *sorted(real_data.glob("*.csv")), "--out", "-").out)["tasks"]
    found = {name: (table["kind"], table["text"], table["label"]) for name, table in tables.items()}
    pair = ["sentence1", "sentence2"]
    assert found == {
        "ids-cfimdb": ("binary", "sentence", "sentiment"),
        "ids-sst": ("classification", "sentence", "sentiment"),
        "quora-2": ("binary", pair, "is_duplicate"),
        "sts-2": ("regression", pair, "similarity"),
    }
    assert tables["sts-2"]["range"] == [0, 5]


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """A table whose labels differ in case alone."""
    labels = ("yes", "no", "Yes", "no")
    return write(tmp_path / "case.csv", "text,label", *(f"row no {n},{labels[n % 4]}" for n in range(48)))


def test_a_doubt_is_refused_without_a_terminal_and_settled_by_options(doubtful: Path) -> None:
    done = cli("init", doubtful, "--out", "-")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"{doubtful}: read as comma-separated, UTF-8\n"
        f"mtft: error: {doubtful}: labels of column 'label' differ only in case, spaces, "
        "punctuation, or characters that are invisible or look alike: "
        "'yes' (12) and 'Yes' (12); choose: --read label=joined (they are one label); --read label=apart (they are "
        "different labels)\nmtft: or take the first of each, which is likelier: --yes\n"
    )
    (table,) = toml_parser.loads(cli("init", doubtful, "--out", "-", "--read", "label=joined").out)["tasks"].values()
    assert (table["names"], table["aliases"]) == (["no", "yes"], {"Yes": "yes"})
    (table,) = toml_parser.loads(cli("init", doubtful, "--out", "-", "--read", "label=apart").out)["tasks"].values()
    assert table["names"] == ["Yes", "no", "yes"]
    done = cli("init", doubtful, "--out", "-", "--yes")
    assert "# guess: one label each: 'yes' (12) and 'Yes' (12)" in done.out


@pytest.mark.parametrize(
    ("typed", "names"), [("1\n", ["no", "yes"]), ("7\n2\n", ["Yes", "no", "yes"]), ("\n", ["no", "yes"])]
)
def test_on_a_terminal_it_asks(doubtful: Path, typed: str, names: list[str]) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*MTFT, "init", str(doubtful), "--out", "-"], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=clean()
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    out, _ = running.communicate(timeout=60)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert running.returncode == 0
    (table,) = toml_parser.loads(out.decode())["tasks"].values()
    assert table["names"] == names
    assert "1  they are one label  (--read label=joined)" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--read", "lable=joined"], "--read: unknown column 'lable'; did you mean 'label'? (allowed: label, text)"),
        (["--read", "label"], "--read: 'label' is not NAME=VALUE (values allowed: binary, classification"),
        (["--read", "label=sorted"], "--read: label: unknown value 'sorted'"),
        (["--split", "cas.csv=train"], "--split: unknown file 'cas.csv'; did you mean 'case.csv'?"),
        (["--missing", "NA"], "--missing: unknown label 'NA' (allowed: none)"),
    ],
)
def test_options_that_settle_nothing_are_named(doubtful: Path, options: list[str], message: str) -> None:
    done = cli("init", doubtful, "--out", "-", "--yes", *options)
    assert done.code == 2
    assert message in done.err


def test_a_column_that_tells_splits_is_trained_and_evaluated_by(tmp_path: Path, tiny_model: Path) -> None:
    splits = ("train", "train", "train", "train", "dev", "test")
    rows = (f"row no {n},{('OFF', 'NOT', 'NULL')[n // 6 % 3]},{splits[n % 6]}" for n in range(90))
    path, out = write(tmp_path / "all.csv", "text,label,split", *rows), tmp_path / "run.toml"
    done = cli("init", path, "--out", out)
    assert done.code == 0, done.err
    (table,) = toml_parser.loads(out.read_text(encoding="utf-8"))["tasks"].values()
    assert table["split"] == {"column": "split", "train": ["train"], "dev": ["dev"], "test": ["test"]}
    assert (table["names"], table["missing"]) == (["NOT", "OFF"], ["NULL"])
    assert "# 40 labelled rows in train, 10 labelled rows in dev, 10 labelled rows in test" in out.read_text("utf-8")
    run = tmp_path / "run"
    done = cli("train", "--config", out, "--model", tiny_model, "--max-steps", 2, "--batches", 1, "--out", run)
    assert done.code == 0, done.err
    for split in ("dev", "test"):
        assert cli("eval", run, "--split", split, "--resamples", 0, "--json").json["tasks"]["task-all"]["n"] == 10


def test_files_without_a_common_directory_are_named_in_full(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtft.commands.init.os.path.commonpath", lambda parents: "/")
    written = toml_parser.loads(
        cli("init", "--from", files / "near-train.tsv", files / "near-dev.tsv", "--out", "-").out
    )
    assert "data_dir" not in written
    assert written["tasks"]["near"]["train"] == str(files / "near-train.tsv")


def test_a_share_that_training_will_refuse_is_a_warning(tmp_path: Path, tiny_model: Path) -> None:
    path = write(tmp_path / "few.csv", "text,label", *(f"row {n},{'ab'[n < 8]}" for n in range(40)))
    done = cli("init", path, "--out", tmp_path / "run.toml")
    assert done.code == 0
    assert "warning: " in done.err
    assert (
        "cannot hold out 5 rows of each label and leave as many to train on: 'b' has 8 (1 would be dev, 7 train)"
        in done.err
    )
    done = cli("train", "--config", tmp_path / "run.toml", "--model", tiny_model, "--out", tmp_path / "run")
    assert done.code == 2
    assert "few.csv: dev = 0.1 cannot hold out 5 labelled rows of each label of 'label'" in done.err


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A table without a header, cut at semicolons, with decimal commas, in an old encoding."""
    rows = [f"schön {n};{('gut', 'böse')[n % 2]};{n % 7},5" for n in range(40)]
    path = tmp_path / "old.csv"
    path.write_bytes(("\n".join(rows) + "\n").encode("cp1252"))
    return path


FORM = (
    *("--delimiter", "semicolon", "--no-header", "--columns", "text,label,score"),
    *("--encoding", "cp1252", "--decimal", "comma", "--quotes", "no"),
)


def test_the_form_of_the_files_is_read_as_it_is_set_and_written(old: Path, tiny_model: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "run.toml", tmp_path / "run"
    done = cli("init", old, "--out", out, *FORM)
    assert done.code == 0, done.err
    assert "semicolon-separated, quotes are text, no header line, decimal comma, CP1252" in done.err
    tables = toml_parser.loads(out.read_text(encoding="utf-8"))["tasks"]
    form = {"header": False, "columns": ["text", "label", "score"], "encoding": "cp1252", "decimal": ","}
    for table in tables.values():
        assert {key: table[key] for key in form} == form
        assert (table["delimiter"], table["quotes"]) == ("semicolon", False)
    assert tables["old-label"]["names"] == ["böse", "gut"]
    assert tables["old-score"]["range"] == [0, 10]
    done = cli("train", "--config", out, "--model", tiny_model, "--max-steps", 1, "--batches", 1, "--out", run)
    assert done.code == 0, done.err


def test_nothing_that_is_detected_is_written(tmp_path: Path) -> None:
    rows = (f"schön {n};{('gut', 'böse')[n % 2]}" for n in range(40))
    (table,) = toml_parser.loads(cli("init", write(tmp_path / "a.csv", "text;label", *rows), "--out", "-").out)[
        "tasks"
    ].values()
    assert not {*table} & {"delimiter", "quotes", "header", "columns", "encoding", "decimal"}


def test_keys_stand_where_they_concern_a_file(old: Path, files: Path) -> None:
    done = cli("init", old, files / "nli.jsonl", "--out", "-", *FORM[:5], "--encoding", "cp1252")
    tables = toml_parser.loads(done.out)["tasks"]
    assert "delimiter" in tables["old-label"]
    assert "delimiter" not in tables["nli"]
    assert tables["nli"]["encoding"] == "cp1252"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--encoding", "nonsense"], "--encoding: 'nonsense' is not an encoding that Python knows, as in utf-8"),
        (["--delimiter", "x"], "flag --delimiter: 'x' is not one of auto, tab, comma, semicolon, bar"),
        (["--decimal", ","], "flag --decimal: ',' is not one of auto, comma, point"),
        (["--no-header"], "--no-header needs the names of the columns: --columns NAME,..."),
        (["--columns", "text,label"], "--columns: it names the columns of files without a header line; give --no-h"),
        (["--no-header", "--columns", "a,a"], "flag --columns: 'a' is given twice"),
        (["--no-header", "--columns", "a", "--encoding", "cp1252"], "old.csv:1: 2 fields where the setting columns"),
    ],
)
def test_a_form_that_cannot_be_is_an_error(old: Path, options: list[str], message: str) -> None:
    done = cli("init", old, "--out", "-", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_form_for_no_file_is_an_error(files: Path) -> None:
    done = cli("init", files / "nli.jsonl", "--out", "-", "--delimiter", "comma")
    assert (done.code, done.err) == (2, f"mtft: error: --delimiter: no file is a table of text: {files}/nli.jsonl\n")


@pytest.mark.parametrize("rare", [3, 8, 10])
def test_plan_refuses_no_dev_that_init_has_not_announced(rare: int, tiny_model: Path, tmp_path: Path) -> None:
    rows = (f"a row of words no {n},{'ab'[n < rare]}" for n in range(40))
    out = tmp_path / "run.toml"
    done = cli("init", write(tmp_path / "few.csv", "text,label", *rows), "--out", out)
    announced = "cannot hold out 5 rows of each label" in done.err
    assert (done.code, announced) == (0, rare < 10)
    for command in (("plan", "--model", tiny_model, "--batches", 1), ("data", "check")):
        found = cli(*command, "--config", out)
        assert (found.code == 2) == announced, found.err
        assert ("cannot hold out 5 labelled rows" in found.err + found.out) == announced
    advised = re.search(r'dev = (0\.\d) and held_out = "texts"', done.err)
    assert bool(advised) == announced
    if advised:
        keys = f'dev = {advised[1]}\nheld_out = "texts"'
        out.write_text(re.sub(r"(?m)^dev = .*$", keys, out.read_text(encoding="utf-8")), encoding="utf-8")
        done = cli("plan", "--model", tiny_model, "--batches", 1, "--config", out)
        assert done.code == 0, done.err
