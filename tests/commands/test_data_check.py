"""`mtft data check`: each fault that is planted is found, with its location, and clean data has none."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from factories import REGISTRY
from faulty_data import CLEAN, SST, sst, sts, write
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.commands.data_check import DataCheckResult, check_data
from mtft.config.schema import DataCheckConfig
from mtft.data.audit.findings import Finding
from mtft.data.audit.scan import scan_file
from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.data.example import Example
from mtft.errors import ConfigError, DataError
from mtft.plugin.context import Context
from mtft.plugin.manager import Plugins
from mtft.plugin.provenance import Provenance
from mtft.tasks.registry import Contribution, Registry, assemble
from mtft.tasks.task import Source, Task

FILMS = [(f"film {i}", i % 5) for i in range(20)]
QUOTED = [(f'"film {i}"', i % 5) for i in range(20)]
PAIRS = [(f"one {i}", f"two {i}", i % 5) for i in range(20)]


def check(folder: Path, registry: Registry = REGISTRY, **settings: Any) -> DataCheckResult:
    config = DataCheckConfig(**{"tasks": ("sst", "sts"), "data_dir": folder, **settings})
    return check_data(config, Context(registry, Provenance(registry, Plugins())))


def serious(result: DataCheckResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.severity != "note"]


def test_clean_files_have_nothing_but_notes(tmp_path: Path) -> None:
    result = check(write(tmp_path))
    assert serious(result) == []
    assert [finding.check for finding in result.findings] == ["balance"] * 4
    assert [(each.path.name, each.rows, each.lines) for each in result.files] == [
        ("ids-sst-train.csv", 20, 21),
        ("ids-sst-dev.csv", 10, 11),
        ("sts-train.csv", 20, 21),
        ("sts-dev.csv", 10, 11),
    ]


@pytest.mark.parametrize(
    ("changed", "check_name", "severity", "location", "count", "words"),
    [
        (
            {"sst_train": sst(*FILMS).replace("sentiment", "mood")},
            "columns",
            "error",
            "ids-sst-train.csv:2",
            1,
            "no column 'sentiment'",
        ),
        (
            {"sst_train": sst(*FILMS, ("x", ""), ("y", " "))},
            "label-missing",
            "warning",
            "ids-sst-train.csv:22",
            2,
            "without a label",
        ),
        (
            {"sst_dev": sst(("x", 5), ("y", "good"), ("z", 1))},
            "label-invalid",
            "error",
            "ids-sst-dev.csv:2",
            2,
            "label '5' is not one of 0, 1, 2, 3, 4",
        ),
        ({"sts_train": sts(*PAIRS, ("a", "b", 5.5))}, "label-invalid", "error", "sts-train.csv:22", 1, "from 0 to 5"),
        (
            {"sst_train": sst(*FILMS).encode() + b"20\tr\t\xe9t\xe9\t1\n"},
            "encoding",
            "error",
            "ids-sst-train.csv:22",
            1,
            "not UTF-8",
        ),
        ({"sst_train": sst(*FILMS, ("a\0b", 1))}, "nul", "error", "ids-sst-train.csv:22", 1, "NUL"),
        (
            {"sst_train": sst(*FILMS) + "20\tr\tx\n"},
            "ragged",
            "error",
            "ids-sst-train.csv:22",
            1,
            "3 fields where the header has 4",
        ),
        (
            {"sst_train": sst(('"x"', 1), ('"y', 1), *QUOTED)},
            "quotes",
            "error",
            "ids-sst-train.csv:3",
            1,
            "opened here swallows 1 line: a tab or the end of the line expected",
        ),
        (
            {"sst_train": sst(*QUOTED, ('"a', 1), ('b"', 2))},
            "quotes",
            "error",
            "ids-sst-train.csv:22",
            1,
            "swallows 1 line of other rows",
        ),
        ({"sst_train": ""}, "header", "error", "ids-sst-train.csv:1", 1, "no header line"),
        ({"sst_dev": SST}, "file", "error", "ids-sst-dev.csv", 1, "no labelled row"),
        ({"sst_train": sst(*FILMS, (" ", 1))}, "text-empty", "warning", "ids-sst-train.csv:22", 1, "empty text"),
        ({"sst_train": sst(*FILMS, ("Film  3", 3))}, "duplicate", "warning", "ids-sst-train.csv:22", 1, "repeat"),
        ({"sst_train": sst(*FILMS, ("film 3", 4))}, "conflict", "warning", "ids-sst-train.csv:22", 2, "(1 texts)"),
        (
            {"sts_train": sts(*PAIRS, ("two 3", "one 3", 4))},
            "swapped",
            "warning",
            "sts-train.csv:22",
            1,
            "1 of them with different labels",
        ),
        (
            {"sst_train": sst(*FILMS, ("MOVIE 7", 2))},
            "leakage",
            "warning",
            "ids-sst-dev.csv:9",
            1,
            "1 of 10 rows are in train too",
        ),
        (
            {"sts_train": sts(*PAIRS, ("four 2", "three 2", 2))},
            "leakage",
            "warning",
            "sts-dev.csv:4",
            1,
            "1 of 10 rows",
        ),
        ({"sst_test": sst(("movie 3", 1))}, "leakage", "warning", "ids-sst-test.csv:2", 1, "are in dev too"),
        (
            {"sst_train": sst(*FILMS, ("three 5", 2))},
            "leakage-across",
            "warning",
            "sts-dev.csv:7",
            1,
            "have a text that is in train of sst",
        ),
        (
            {"sst_train": sst(*((f"film {i}", 0) for i in range(20)))},
            "balance",
            "warning",
            "ids-sst-train.csv:2",
            20,
            "no row of class 1, 2, 3, 4",
        ),
        (
            {"sst_train": sst(*((f"film {i}", i if i < 5 else 0) for i in range(200)))},
            "balance",
            "warning",
            "ids-sst-train.csv:2",
            200,
            "nearly all rows are of one class",
        ),
        (
            {"sst_dev": sst(*((f"movie {i}", 4) for i in range(100)))},
            "drift",
            "warning",
            "ids-sst-dev.csv:2",
            100,
            "total variation 0.800",
        ),
        (
            {"sts_dev": sts(*((f"three {i}", f"four {i}", 5) for i in range(100)))},
            "drift",
            "warning",
            "sts-dev.csv:2",
            100,
            "Kolmogorov-Smirnov distance 1.000",
        ),
    ],
)
def test_what_is_planted_is_found(
    changed: dict[str, str | bytes],
    check_name: str,
    severity: str,
    location: str,
    count: int,
    words: str,
    tmp_path: Path,
) -> None:
    result = check(write(tmp_path, **changed))
    (found,) = [each for each in serious(result) if each.check == check_name]
    assert (found.severity, found.location, found.count) == (severity, str(tmp_path / location), count)
    assert words in found.message
    assert found.advice


def test_a_missing_file_of_a_task_is_an_error_and_one_that_only_helps_is_not(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "sts-dev.csv").unlink()
    (found,) = serious(check(folder))
    assert (found.check, found.severity, found.location) == ("file", "error", str(folder / "sts-dev.csv"))
    assert found.message == "no such file or directory"


def test_faults_that_training_would_accept_weigh_less_and_those_it_refuses_more(tmp_path: Path) -> None:
    folder = write(tmp_path, sst_train=sst(*FILMS, ("x", 9), ("y", "")))
    reports = (check(folder), check(folder, skip_bad_rows=True), check(folder, strict=True))
    counts = [report.counts() for report in reports]
    assert [(each["error"], each["warning"]) for each in counts] == [(1, 1), (0, 2), (2, 0)]


def test_a_label_as_long_as_a_book_is_not_quoted_in_full(tmp_path: Path) -> None:
    (found,) = serious(check(write(tmp_path, sst_train=sst(*FILMS, ("x", "y" * 100_000)))))
    assert (found.check, len(found.message)) == ("label-invalid", 503)
    assert len(found.example) < 100


def test_quoted_fields_over_lines_that_are_no_rows_are_only_noted(tmp_path: Path) -> None:
    result = check(write(tmp_path, sst_train=sst(*FILMS, ('"one\ntwo"', 1))))
    assert serious(result) == []
    (found,) = [each for each in result.findings if each.check == "lines"]
    assert (found.location, found.message) == (
        f"{tmp_path / 'ids-sst-train.csv'}:22",
        "quoted fields go over several lines (21 rows in 23 lines)",
    )


def test_chance_is_no_drift(tmp_path: Path) -> None:
    few = sst(*((f"movie {i}", label) for i, label in enumerate([0, 0, 1, 2])))
    assert serious(check(write(tmp_path, sst_dev=few), tasks=("sst",)))[0].check == "balance"


def test_cut_texts_are_counted_with_a_model(tiny_model: Path, tmp_path: Path) -> None:
    folder = write(tmp_path, sst_train=sst(*FILMS, ("a " * 40, 1)))
    (found,) = serious(check(folder, model=str(tiny_model), max_length=32))
    assert (found.check, found.count, found.location) == ("text-length", 1, f"{folder / 'ids-sst-train.csv'}:22")
    assert "1 of 21 texts cut" in found.message


def test_a_text_in_very_many_rows_is_found_once_per_row(tmp_path: Path) -> None:
    many = 3000  # locations per text times rows with the text would be millions
    same = [("film 1", "x", 1)] * many
    folder = write(tmp_path, sst_train=sst(*[("film 1", 1)] * many), sts_train=sts(*same), sts_dev=sts(*same))
    found = {each.check: each for each in serious(check(folder)) if each.check.startswith("leakage")}
    assert {name: (each.count, len(each.drop)) for name, each in found.items()} == {
        "leakage": (many, many),
        "leakage-across": (many, many),
    }


# ---- Readers of plugins


def plugin(reader: Any) -> Registry:
    own = Source("own", reader, input="single", loss="mtft.losses:cross_entropy")
    output = REGISTRY.tasks["sst"].output
    return assemble([Contribution("own", (Task("own", output, own, metrics=("accuracy",)),))])[0]


def test_a_reader_without_files_is_checked_by_its_examples(tmp_path: Path) -> None:
    def reader(split: str, data_dir: Path) -> Iterable[Example]:
        yield Example("a", ("same",), 1.0, "somewhere")
        yield Example("b", ("other",), 0.0, "elsewhere")

    result = check(tmp_path, plugin(reader), tasks=("own",))
    assert [(each.check, each.split, each.location) for each in serious(result)] == [("leakage", "dev", "somewhere")]
    assert result.files == ()


def test_the_error_of_such_a_reader_is_a_finding(tmp_path: Path) -> None:
    def reader(split: str, data_dir: Path) -> Iterable[Example]:
        yield Example("a", (split,), 1.0, "somewhere")
        raise DataError("the service is closed")

    found = serious(check(tmp_path, plugin(reader), tasks=("own",)))
    assert [(each.check, each.severity, each.message) for each in found] == [
        ("reader", "error", "the service is closed")
    ] * 2


class Wrapped:
    """A reader that lists its files and turns no single row into an example."""

    inner = REGISTRY.tasks["sst"].source.reader

    def files(self, split: str, data_dir: Path) -> list[Path]:
        return [data_dir / f"ids-sst-{split}.csv"]

    def __call__(self, split: str, data_dir: Path) -> Iterable[Example]:
        return self.inner(split, data_dir)


def test_rows_of_a_reader_that_takes_files_as_a_whole_cannot_be_left_out(tmp_path: Path) -> None:
    good = sst(*FILMS)
    first = good.index("\n", len(SST)) + 1
    folder = write(tmp_path, sst_train=good[:first] + "1\t2\n" + good[first:])
    found = read_split("own", "train", Wrapped(), folder, 1)
    assert len(found.examples) == 1
    with pytest.raises(DataError, match="the reader of 'own' cannot leave out rows"):
        usable_examples(found, skip_bad_rows=True)
    found = read_split("own", "train", Wrapped.inner, folder, 1)
    assert len(usable_examples(found, skip_bad_rows=True)[0]) == len(FILMS)


def test_files_that_a_reader_lists_are_scanned_even_if_only_it_can_parse_them(tmp_path: Path) -> None:
    folder = write(tmp_path, sst_train=sst(*FILMS) + "1\t2\n", sst_dev=sst(("movie", 7)))
    found = serious(check(folder, plugin(Wrapped()), tasks=("own",)))
    assert [(each.check, each.location) for each in found] == [
        ("ragged", f"{folder / 'ids-sst-train.csv'}:22"),
        ("label-invalid", f"{folder / 'ids-sst-dev.csv'}:2"),
    ]


# ---- Cleaned copies

BAD = sst(*FILMS, ("x", 9), ("film 3", 3), ("y", ""), ("movie 2", 1), (" ", 1), ("a\0b", 1)) + "1\t2\n"


def test_cleaned_copies_pass_and_keep_the_bytes_of_good_rows(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "data", sst_train=BAD, sts_train=sts(*PAIRS, ("four 2", "three 2", 2)).replace("\n", "\r\n")
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert check(folder).counts()["error"] == 3
    fixed = check(folder, fix=tmp_path / "clean").fixed
    assert fixed is not None
    assert fixed.dropped == {"ids-sst-train.csv": 7, "ids-sst-dev.csv": 0, "sts-train.csv": 1, "sts-dev.csv": 0}
    assert serious(check(tmp_path / "clean")) == []
    assert (tmp_path / "clean" / "ids-sst-train.csv").read_text() == CLEAN["ids-sst-train.csv"]
    assert (tmp_path / "clean" / "sts-train.csv").read_bytes() == CLEAN["sts-train.csv"].replace("\n", "\r\n").encode()
    assert (tmp_path / "clean" / "sts-dev.csv").read_bytes() == before["sts-dev.csv"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_cleaned_copies_never_take_the_place_of_anything(tmp_path: Path) -> None:
    folder = write(tmp_path / "data")
    (tmp_path / "link").symlink_to(folder)
    for location in (folder, folder / "sts-dev.csv", tmp_path / "link"):
        with pytest.raises(ConfigError, match="is there already"):
            check(folder, fix=location)


def test_files_outside_of_the_data_directory_are_not_copied(tmp_path: Path) -> None:
    folder, other = write(tmp_path / "data"), write(tmp_path / "other")
    (folder / "sts-dev.csv").unlink()
    (folder / "sts-dev.csv").symlink_to(other / "sts-dev.csv")
    fixed = check(folder, fix=tmp_path / "clean").fixed
    assert fixed is not None
    assert "sts-dev.csv" not in fixed.dropped
    assert not (tmp_path / "clean" / "sts-dev.csv").exists()


pieces = st.lists(
    st.sampled_from([b'"', b"\t", b"\n", b"\r", b"\r\n", b"a\tb\tfilm\t1\n", b"a\tb\tmovie 3\t2\n", b"\t\tx\t9\n"])
    | st.sampled_from([b"\0", b"\xff", b"a\tb\t\t1\n", b"1\t2\tx\t\n", b"\xef\xbb\xbf", b"\x1b[0m", b"a\tb\t", b"3"]),
    max_size=25,
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(pieces, pieces)
def test_whatever_the_files_hold_cleaned_copies_pass_and_are_parts_of_them(
    tmp_path_factory: pytest.TempPathFactory, train: bytes, dev: bytes
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder = write(root / "data", sst_train=CLEAN["ids-sst-train.csv"].encode() + train, sst_dev=SST.encode() + dev)
    fixed = check(folder, tasks=("sst",), fix=root / "clean").fixed
    assert fixed is not None
    for name, dropped in fixed.dropped.items():
        before, after = row_bytes(folder / name), row_bytes(root / "clean" / name)
        assert len(after) == len(before) - dropped
        rest = iter(before)
        assert all(row in rest for row in after)  # in order: each search goes on where the last one ended
    left = {each.check for each in serious(check(root / "clean", tasks=("sst",)))}
    assert left <= {"balance", "drift", "conflict", "file", "lines"}  # a file may end up with no row


def row_bytes(path: Path) -> list[bytes]:
    """Return the bytes of each row, without its line end: what is left of two may become one."""
    found = scan_file(path)
    return [found.data[row.begin : row.end].rstrip(b"\r\n") for row in found.rows]


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.booleans(), st.booleans())
def test_the_diff_applies_and_says_what_difflib_says(
    tmp_path_factory: pytest.TempPathFactory, good: list[bool], last: bool, quoted: bool
) -> None:
    text = '"two\nlines {}"' if quoted else "text {}"
    content = sst(*((text.format(i), i % 5 if fine else 9) for i, fine in enumerate(good)))
    root = tmp_path_factory.mktemp("diff")
    folder = write(root / "data", sst_train=content if last else content[:-1])
    check(folder, tasks=("sst",), fix=root / "clean")
    name = "ids-sst-train.csv"
    wanted, given_diff = (root / "clean" / name).read_bytes(), (root / "clean" / "changes.diff").read_bytes()
    expected = difflib.unified_diff(
        (folder / name).read_text().splitlines(True), wanted.decode().splitlines(True), f"a/{name}", f"b/{name}"
    )
    removed = [line for line in expected if line.startswith("-") and not line.startswith("---")]
    lines = given_diff.decode().splitlines(True)
    assert sorted(line.rstrip() for line in lines if line.startswith("-") and not line.startswith("---")) == sorted(
        line.rstrip() for line in removed
    )
    if removed:
        subprocess.run(["patch", "-p1", "--quiet"], cwd=folder, input=given_diff, check=True, capture_output=True)
    assert (folder / name).read_bytes() == wanted


def test_files_whose_lines_end_in_a_bare_carriage_return_are_replaced_whole_in_the_diff(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", sst_train=sst(*FILMS, ("x", 9), ("y", 1)).replace("\n", "\r"))
    check(folder, tasks=("sst",), fix=tmp_path / "clean")
    clean = (tmp_path / "clean" / "ids-sst-train.csv").read_bytes()
    assert clean == (folder / "ids-sst-train.csv").read_bytes().replace(b"20\tr20\tx\t9\r", b"")
    diff = (tmp_path / "clean" / "changes.diff").read_bytes()
    assert b"@@ -1,1 +1,1 @@\n" in diff
    assert b"+" + clean in diff


@pytest.mark.real_data
def test_the_real_data_has_no_error_and_the_two_rows_without_label(real_data: Path) -> None:
    result = check(real_data, tasks=("sst", "quora", "sts"))
    assert result.counts()["error"] == 0
    (found,) = [each for each in result.findings if each.check == "label-missing"]
    assert (found.count, found.location) == (2, f"{real_data / 'quora-train.csv'}:1805")
