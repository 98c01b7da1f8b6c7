"""`mtft predict`: what it reads and answers, and how it fails."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import MTFT, Done, clean, cli, shell

LONG = "a " * 100


def jsonl(*rows: object) -> str:
    """Write JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


ROWS = (
    {"id": "one", "sentence": "What a film!"},
    {"id": 2, "sentence1": "How do I cook?", "sentence2": "How can I learn to cook?"},
    {"sentence": "No.", "stars": 1},
    {"id": None, "sentence": "Yes.", "sentence1": "a", "sentence2": "b"},
)


def test_every_record_is_answered_in_order(trained_run: Path) -> None:
    done = cli("predict", trained_run, stdin=jsonl(*ROWS))
    assert done.err == ""
    first, second, third, fourth = done.lines
    assert [list(each) for each in done.lines] == [
        ["id", "sst"],
        ["id", "quora", "sts"],
        ["id", "sst"],
        ["id", "sst", "quora", "sts"],
    ]
    assert [each["id"] for each in done.lines] == ["one", 2, 3, None]
    for found, names in ((first["sst"], "01234"), (second["quora"], "01")):
        chances = found["probabilities"]
        assert list(chances) == list(names)
        assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
        assert found["label"] == max(chances, key=chances.get)
    assert list(second["sts"]) == ["score"]
    assert 0 <= second["sts"]["score"] <= 5
    assert third["sst"] != fourth["sst"]


def test_forms_of_input_say_the_same(trained_run: Path, tmp_path: Path) -> None:
    texts = ["What a film!", "No, no.", "a b c"]
    expected = cli("predict", trained_run, stdin=jsonl(*({"sentence": text} for text in texts))).lines
    table = tmp_path / "table.tsv"
    table.write_text("sentence\tstars\n" + "".join(f"{text}\t3\n" for text in texts))
    found = [
        cli("predict", trained_run, stdin="\n".join(texts)),
        cli("predict", trained_run, "-", stdin="\r\n".join(texts) + "\r\n"),
        cli("predict", trained_run, stdin="\ufeffsentence\n" + "\n".join(texts)),
        cli("predict", trained_run, table),
        cli("predict", trained_run, table, "--format", "tsv", "--tasks", "sst"),
    ]
    for done in found:
        assert [each["sst"] for each in done.lines] == [each["sst"] for each in expected]
    assert [each["id"] for each in found[0].lines] == [1, 2, 3]
    assert [each["id"] for each in found[3].lines] == [2, 3, 4]  # lines of the file


def test_lines_are_texts_whatever_they_look_like_when_asked(trained_run: Path) -> None:
    done = cli("predict", trained_run, "--format", "lines", "--tasks", "sst", stdin='{"sentence": "a"}\n\nsentence\n')
    assert [each["id"] for each in done.lines] == [1, 2, 3]


def test_pairs_around_a_tab(trained_run: Path) -> None:
    (found,) = cli("predict", trained_run, stdin="A dog sleeps.\tA cat sleeps.\n").lines
    (same,) = cli(
        "predict", trained_run, stdin=jsonl({"sentence1": "A dog sleeps.", "sentence2": "A cat sleeps."})
    ).lines
    assert found == same


def test_a_text_that_was_cut_says_so(trained_run: Path) -> None:
    rows = [
        {"sentence": "short"},
        {"sentence": LONG},
        {"sentence1": "a", "sentence2": LONG},
        {"sentence1": "", "sentence2": "a"},
    ]
    done = cli("predict", trained_run, stdin=jsonl(*rows))
    assert [each.get("truncated") for each in done.lines] == [None, True, True, None]
    limit = jsonl(*({"sentence": "a " * count} for count in (46, 47)))  # 48 positions, two of them special
    assert [each.get("truncated") for each in cli("predict", trained_run, stdin=limit).lines] == [None, True]


def test_tables(trained_run: Path) -> None:
    options = ("predict", trained_run, "--tasks", "quora,sts", "--output-format", "tsv")
    rows = [{"id": "a\tb", "sentence1": "a", "sentence2": "b"}, {"id": "c", "sentence1": LONG, "sentence2": "b"}]
    done = cli(*options, stdin=jsonl(*rows))
    header, *lines = csv.reader(io.StringIO(done.out), delimiter="\t")
    assert header == ["id", "quora.label", "quora.probabilities.0", "quora.probabilities.1", "sts.score", "truncated"]
    assert [(line[0], line[-1]) for line in lines] == [("a\tb", "false"), ("c", "true")]
    expected = cli("predict", trained_run, stdin=jsonl(*rows)).lines
    assert [float(line[4]) for line in lines] == [each["sts"]["score"] for each in expected]
    done = cli("predict", trained_run, "--output-format", "tsv", stdin=jsonl(*ROWS[:2]))
    assert (done.code, len(done.out.splitlines())) == (2, 2)
    assert done.err == "mtft: error: record 2: its columns differ from the first one's; use --output-format jsonl\n"


@pytest.mark.parametrize("text", ["", "sentence1\tsentence2\n"], ids=repr)
def test_nothing_in_nothing_out(text: str, trained_run: Path) -> None:
    done = cli("predict", trained_run, stdin=text)
    assert (done.code, done.out) == (0, "")
    assert done.err == ("not answered, for lack of columns: sst (needs sentence)\n" if text else "")
    assert cli("predict", trained_run, "--tasks", "sts", stdin=text) == Done(0, "", "")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            '{"sentence": "a"}\n\n{"text": "b"}\n',
            [],
            "input line 3: no task applies; a record needs sentence or sentence1",
        ),
        ('{"sentence": "a"}\n', ["--tasks", "sst,sts"], "input line 1: task 'sts' needs sentence1 and sentence2"),
        ('{"sentence1": "a"}\n', ["--tasks", "quora"], "input line 1: task 'quora' needs sentence1 and sentence2"),
        ("a\tb\nc\n", ["--tasks", "sts"], "input line 2: task 'sts' needs sentence1 and sentence2"),
        ('{"sentence": "a"}\n[1]\n', [], "input line 2: found list where an object is needed"),
        ('{"sentence": "a"}\n{"sentence": "b"\n', [], "input line 2: not JSON: "),
        ('{"sentence": 7}\n', [], "input line 1: sentence is 7, not a text"),
        ('{"sentence": null}\n', [], "input line 1: sentence is null, not a text"),
        ("a\tb\tc\n", [], "input line 1: 3 tab-separated texts where one or two are needed"),
        ("sentence\tid\na\n", [], "input line 2: 1 fields where the header has 2"),
        ("a\n", ["--format", "jsonl"], "input line 1: not JSON: "),
        ("a\n", ["--format", "jso"], "flag --format: 'jso' is not one of auto, csv, tsv, jsonl, json, txt, parquet"),
        ("a\n", ["--tasks", "ssst"], "unknown task of this run 'ssst'; did you mean 'sst'?"),
        ("a\n", ["--batch-size", "0"], "flag --batch-size: '0' is not a whole number >= 1"),
        (b"ok\n\xff\xfe\n", [], "input line 2: not UTF-8 text (byte 0xff)"),
        ("a" * 1_000_001, [], "input line 1: longer than 1,000,000 characters"),
        ("sentence\tsentence\na\tb\n", [], "input line 1: column 'sentence' appears twice"),
        ("a\n", ["--on-error", "null", "--output-format", "tsv"], "--on-error null writes errors in place"),
    ],
    ids=lambda value: repr(value)[:40] if not isinstance(value, list) else "",
)
def test_what_is_wrong_is_named_with_its_line(
    text: str | bytes, options: list[str], message: str, trained_run: Path
) -> None:
    done = cli("predict", trained_run, *options, stdin=text)
    assert done.code == 2
    assert message in done.err
    found = re.search(r"input line (\d+)", done.err)
    assert len(done.out.splitlines()) <= (int(found[1]) - 1 if found else 0)


FAULTY = (
    '{"sentence": "a"}',
    "",
    "[]",
    '{"id": "x", "sentence": 7}',
    '{"sentence": "b"}',
    '{"text": 1}',
    '{"sentence": "d"}',
)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_what_came_before_an_error_is_answered_whatever_the_batch_size(size: int, trained_run: Path) -> None:
    done = cli("predict", trained_run, "--batch-size", size, stdin="\n".join([FAULTY[0], *FAULTY[4:5] * 3, *FAULTY]))
    assert done.code == 2
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == [1, 2, 3, 4, 5]
    assert done.err.splitlines() == [
        "mtft: error: input line 7: found list where an object is needed",
        "mtft: all before it is answered; --on-error skip or --on-error null goes on after it",
    ]


@pytest.mark.parametrize("size", [1, 2, 64])
@pytest.mark.parametrize("output", ["jsonl", "tsv"])
def test_records_that_cannot_be_answered_are_skipped_and_counted(size: int, output: str, trained_run: Path) -> None:
    options = ("--batch-size", size, "--on-error", "skip", "--output-format", output)
    done = cli("predict", trained_run, *options, stdin="\n".join(FAULTY))
    assert done.code == 0
    assert done.err == "3 records left out; first: input line 3: found list where an object is needed\n"
    if output == "jsonl":
        assert [each["id"] for each in done.lines] == [1, 5, 7]
    else:
        assert [line.partition("\t")[0] for line in done.out.splitlines()] == ["id", "1", "5", "7"]
    assert cli("predict", trained_run, *options, "--quiet", stdin="\n".join(FAULTY)).err == ""


@pytest.mark.parametrize("size", [1, 2, 64])
def test_records_that_cannot_be_answered_stay_in_place_with_an_error(size: int, trained_run: Path) -> None:
    done = cli("predict", trained_run, "--batch-size", size, "--on-error", "null", stdin="\n".join(FAULTY))
    assert [each["id"] for each in done.lines] == [1, 3, "x", 5, 6, 7]
    assert [list(each) for each in done.lines if "error" in each] == [["id", "error"]] * 3
    assert done.lines[2] == {"id": "x", "error": "input line 4: sentence is 7, not a text"}
    assert done.lines[4]["error"].startswith("input line 6: no task applies; a record needs sentence or")
    assert done.err.startswith("3 records answered with an error; first: input line 3: ")


def test_a_line_without_end_stops_at_the_limit_and_endless_lines_are_answered(trained_run: Path) -> None:
    done = shell(f"tr '\\0' a < /dev/zero | mtft predict {trained_run}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("mtft: error: input line 1: longer than 1,000,000 characters\n")
    done = shell(f"yes 'A film.' | mtft predict {trained_run} | head -n 300 | tail -n 1")
    assert (json.loads(done.out)["id"], done.err) == (300, "")


class Terminal(io.TextIOWrapper):
    """A standard input at which someone sits."""

    def isatty(self) -> bool:
        return True


def test_no_file_no_run_no_input(trained_run: Path, tmp_path: Path) -> None:
    done = cli("predict", trained_run, tmp_path / "gone.tsv")
    assert (done.code, done.err) == (2, f"mtft: error: {tmp_path}/gone.tsv: no such file or directory\n")
    assert cli("predict", trained_run, tmp_path).code == 2
    done = cli("predict", tmp_path, stdin="a\n")
    assert (done.code, done.err) == (2, f"mtft: error: {tmp_path}/model: holds no trained model (no model.json)\n")
    done = cli("predict", trained_run, stdin=Terminal(io.BytesIO()))
    assert done.code == 2
    assert "no input: name a file or pipe texts into standard input" in done.err
    assert "try 'mtft predict --help'" in done.err


def test_a_reader_that_has_enough(trained_run: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("What a film.\n" * 2000)
    done = shell(f"set -o pipefail; mtft predict {trained_run} {texts} | head -n 1; echo $? >&2")
    assert json.loads(done.out)["id"] == 1
    assert done.err == "0\n"


def test_answers_come_while_questions_are_open(trained_run: Path) -> None:
    with subprocess.Popen(
        [*MTFT, "predict", str(trained_run), "--batch-size", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean(),
    ) as predicting:
        assert predicting.stdin is not None
        assert predicting.stdout is not None
        for number in (1, 2):
            predicting.stdin.write(f"Question {number}.\n")
            predicting.stdin.flush()
            assert json.loads(predicting.stdout.readline())["id"] == number
        predicting.stdin.close()
        assert predicting.stdout.read() == ""
    assert predicting.returncode == 0


# ---- Forms of files


def test_a_file_whose_header_lacks_the_columns_is_refused(trained_run: Path, tmp_path: Path) -> None:
    for name, text in (("a.csv", "Id,Sentence\nr0,x\n"), ("a.tsv", "id\ttext\nr0\tx\n"), ("a.json", '{"a": [1,\n2]}')):
        (tmp_path / name).write_text(text, encoding="utf-8")
        done = cli("predict", trained_run, tmp_path / name)
        assert (done.code, done.out) == (2, "")
    (tmp_path / "a.csv").write_text("Id,Sentence\nr0,x\n", encoding="utf-8")
    assert cli("predict", trained_run, tmp_path / "a.csv").err == (
        f"mtft: error: {tmp_path}/a.csv:1: the run's tasks need sentence or sentence1 and sentence2; the columns are "
        "Id, Sentence; 'Sentence' differs only in case, spaces, punctuation, or characters that are invisible "
        "or look alike\n"
    )
    (tmp_path / "a.csv").write_text("id,sentence\nr0,x\n", encoding="utf-8")
    done = cli("predict", trained_run, tmp_path / "a.csv", "--tasks", "sts")
    assert "task 'sts' needs sentence1 and sentence2; the columns are id, sentence" in done.err


def test_a_table_without_the_columns_of_some_tasks_says_which_are_not_answered(
    trained_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("sentence,sentence1\na film,b\n", encoding="utf-8")
    done = cli("predict", trained_run, tmp_path / "a.csv")
    assert [sorted(line) for line in done.lines] == [["id", "sst"]]
    assert done.err.splitlines()[-1] == (
        "not answered, for lack of columns: quora (needs sentence1 and sentence2), sts (needs sentence1 and sentence2)"
    )
    done = cli("predict", trained_run, tmp_path / "a.csv", "--tasks", "sst")
    assert "not answered" not in done.err


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ('[\n {"sentence": "a"},\n {"sentence": "b"}\n]\n', "a JSON array"),
        ('{"sentence": "a"}\n{"sentence": "b"}\n', "JSON Lines"),
        ("id,Sentence\n1,a\n", "the header of a table"),
        ("sentence\na\n", "the header of a table"),
        ("a film\n{broken\n", ""),
        ("\n\na film, and more\n", ""),
    ],
)
def test_lines_that_look_like_a_table_or_json_are_reported(
    text: str, looks: str, trained_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    done = cli("predict", trained_run, path, "--tasks", "sst")
    assert len(done.lines) == text.count("\n")
    told = f"{path}: each line is one text, as the suffix says, but the first looks like {looks}; --format csv or"
    assert done.err.startswith(told) if looks else done.err == ""
    assert cli("predict", trained_run, path, "--tasks", "sst", "--format", "txt").err == ""


def test_every_form_of_a_file_is_answered_alike(trained_run: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": f"r{n}", "sentence": f'film "{n}", fine', "stars": n} for n in range(3)]
    (tmp_path / "a.csv").write_text(
        "id;sentence;stars\n"
        + "".join(f'{r["id"]};"{r["sentence"].replace(chr(34), chr(34) * 2)}";{r["stars"]}\n' for r in rows)
    )
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "a.jsonl").write_text(jsonl(*rows))
    tables = []
    for name in ("a.csv", "a.json", "a.jsonl"):
        done = cli("predict", trained_run, tmp_path / name, "--tasks", "sst", "--keep", "stars")
        assert [list(each) for each in done.lines] == [["id", "stars", "sst"]] * 3
        assert done.err == (
            f"{tmp_path}/a.csv: read as semicolon-separated, fields in quotes, UTF-8\n" if name == "a.csv" else ""
        )
        tables.append([{**each, "stars": str(each["stars"])} for each in done.lines])
    assert tables[0] == tables[1] == tables[2]
    options = ("--tasks", "sst", "--id", "stars", "--keep", "sentence", "--output-format", "csv")
    header, *lines = csv.reader(io.StringIO(cli("predict", trained_run, tmp_path / "a.csv", *options).out))
    assert header[:3] == ["id", "sentence", "sst.label"]
    assert [line[:2] for line in lines] == [[str(n), f'film "{n}", fine'] for n in range(3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "sst"], "--keep: an answer has 'sst' already"),
        (["--keep", "id"], "--keep: an answer has 'id' already"),
        (["--keep", "gone"], "there is no column 'gone'; the columns are id, sentence"),
        (["--id", "gone"], "there is no column 'gone'; the columns are id, sentence"),
        (["--no-header"], "--no-header needs the names of the columns: --columns NAME,..."),
        (["--columns", "sentence"], "--columns: it names the columns of files without a header line; give --no-header"),
        (["--encoding", "nonsense"], "--encoding: 'nonsense' is not an encoding that Python knows"),
        (["--on-error", "null", "--output-format", "csv"], "--on-error null writes errors in place"),
    ],
)
def test_what_is_asked_of_the_input_must_fit(
    options: list[str], message: str, trained_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("id,sentence\nr0,x\n", encoding="utf-8")
    done = cli("predict", trained_run, tmp_path / "a.csv", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_table_without_a_header_is_read_as_it_is_said(trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("r0|x, y\nr1|z\n", encoding="utf-8")
    options = ("--no-header", "--columns", "id,sentence", "--delimiter", "bar", "--tasks", "sst")
    assert [each["id"] for each in cli("predict", trained_run, tmp_path / "a.csv", *options).lines] == ["r0", "r1"]


def test_standard_input_is_decoded_as_it_is_said(trained_run: Path) -> None:
    options = ("--tasks", "sst", "--format", "txt")
    (expected,) = cli("predict", trained_run, *options, stdin="caf\u00e9\n").lines
    assert cli("predict", trained_run, *options, "--encoding", "cp1252", stdin=b"caf\xe9\n").lines == [expected]
    done = cli("predict", trained_run, *options, "--encoding", "ascii", stdin=b"caf\xe9\n")
    assert (done.code, done.out) == (2, "")
    assert "input is not ascii text" in done.err
    done = cli("predict", trained_run, *options, "--encoding", "base64", stdin=b"caf\xe9\n")
    assert "--encoding: 'base64' is not an encoding" in done.err


def test_one_line_in_is_one_answer_out(trained_run: Path, tmp_path: Path) -> None:
    text = "first\n\nhas a\rreturn\n \u2028 \n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    for done in (cli("predict", trained_run, tmp_path / "a.txt"), cli("predict", trained_run, stdin=text)):
        assert [each["id"] for each in done.lines] == [1, 2, 3, 4]
    done = cli("predict", trained_run, tmp_path / "a.txt", "--on-error", "null")
    assert [each.get("error", "") for each in done.lines] == [
        "",
        "input line 2: a blank line",
        "",
        "input line 4: a blank line",
    ]
