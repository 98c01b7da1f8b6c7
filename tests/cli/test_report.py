"""`mtft report`: the page says what the files say, escapes what they hold, and needs nothing else."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from commands import FEW, TASKS, Done, cli, digests, records, reseal, summary

from mtft.data.dataset import sample_dir

FAST = ("--resamples", "20")
VOID = {"meta", "link", "br", "img"}
HOSTILE = "<script>alert('x')</script><img src=http://evil.example/a.png>\x1b[31mred\u202e\""


class Page(HTMLParser):
    """Reads a page: elements with their attributes and all they hold as text; unbalanced tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "text": "", **{name: value or "" for name, value in attrs}}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()["tag"] == tag
        if tag in ("td", "th"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [element for element in self.elements if element["tag"] == tag]

    def texts(self, tag: str) -> list[str]:
        return [" ".join(element["text"].split()) for element in self.all(tag)]

    def row(self, start: str) -> str:
        (found,) = [text for text in self.texts("tr") if text.startswith(start)]
        return found


def report(*args: object) -> tuple[Page, str]:
    done = cli("report", *args, *FAST)
    assert done.code == 0, done.err
    text = Path(done.out.strip()).read_text(encoding="utf-8")
    return Page(text), text


@pytest.fixture(scope="module")
def run(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained run that reports may be written into."""
    return shutil.copytree(trained_run, tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def page(run: Path) -> tuple[Page, str]:
    return report(run)


def test_values_are_those_of_the_files(run: Path, page: tuple[Page, str]) -> None:
    found, _ = page
    told = summary(run)
    evaluated = cli("eval", run, "--sample", *FAST, "--json").json["tasks"]
    for task, metric in told["tasks"].items():
        score = evaluated[task]["metrics"][metric]
        assert f"{score['value']:.4f}" == f"{told['dev'][task][metric]:.4f}"
        line = f"{task} {metric}, n = 60 {score['value']:.4f} {score['low']:.4f} to {score['high']:.4f}"
        assert found.row(f"{task} {metric}") == f"{line} {score['baseline']:.4f}"
        reason = evaluated[task]["doubt"]
        assert reason is None or reason in found.texts("li")
        if calibration := evaluated[task]["calibration"]:
            (words,) = [text for text in found.texts("section") if text.startswith("Answers")]
            assert f"Expected calibration error {calibration['ece']:.4f}" in words
    for number in (told["parameters"]["stored"], told["parameters"]["tunable"], *told["parameters"]["heads"].values()):
        assert f" {number:,} " in f" {' '.join(found.texts('table'))} "
    size = sum(file.stat().st_size for file in (run / "model").iterdir())
    assert found.row("bytes of model files").endswith(f" {size:,}")
    counts = evaluated["sst"]["confusion"]
    for label, row in zip(evaluated["sst"]["labels"], counts, strict=True):
        assert " ".join([label, *(f"{count:,}" for count in row)]) in found.texts("tr")


def test_logs_are_shown(run: Path, page: tuple[Page, str]) -> None:
    found, text = page
    (epoch,) = records(run / "metrics.jsonl")
    accuracy, loss = epoch["dev"]["sst"]["accuracy"], epoch["train"]["sst"]
    assert f"run 1 (to step {epoch['step']}) {epoch['step']} {accuracy:.4f} {loss:.4f}" in found.texts("tr")
    (conflicts,) = records(run / "conflicts.jsonl")
    rows = " ".join(found.texts("tr"))
    for pair, each in conflicts["pairs"].items():
        name = f"{pair.replace('/', ' · ')} 1 (to step {epoch['step']})"
        assert f"{name} {each['conflict_rate']:.1%} {each['cosine']:+.4f}" in rows
    for step in records(run / "steps.jsonl"):
        for cosine in step["cosines"].values():
            assert f"mean cosine {cosine:+.4f}" in text
    assert re.search(r"30\.0% of the encoder's", " ".join(found.texts("figcaption")))
    assert found.row("batch_size") == "batch_size 32"
    assert found.row("packages.torch").startswith("packages.torch ")


def test_hardest_examples_are_those_with_the_least_probability_of_the_truth(run: Path, page: tuple[Page, str]) -> None:
    held = sorted(each["value"][int(each["target"])] for each in records(run / "predictions" / "sst.dev.jsonl"))
    facts = [text for text in page[0].texts("p") if text.startswith("true")][:5]
    assert [re.findall(r"\((.*?)%\)", text)[0] for text in facts] == [f"{100 * share:.1f}" for share in held[:5]]
    distance = [abs(each["value"] - each["target"]) for each in records(run / "predictions" / "sts.dev.jsonl")]
    assert f"off by {max(distance):.2f}" in " ".join(page[0].texts("p")).replace("-", "").replace("+", "")
    assert len(page[0].all("blockquote")) == 5 + 10 + 10
    none, _ = report(run, "--examples", "0")
    assert (none.all("blockquote"), "Hardest examples" in none.texts("h2")) == ([], False)


def test_the_page_stands_alone(page: tuple[Page, str]) -> None:
    found, text = page
    assert found.all("script") == []
    for element in found.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            assert element.get(name, "#").startswith("#") or element[name] == "data:,", element
        assert not [name for name in element if name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", text)
    (policy,) = [meta["content"] for meta in found.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_page_is_accessible(page: tuple[Page, str]) -> None:
    found, _ = page
    ids = [element["id"] for element in found.elements if "id" in element]
    assert len(ids) == len(set(ids))
    for link in found.all("a"):
        assert link["href"].removeprefix("#") in ids
    for svg in found.all("svg"):
        assert svg["role"] == "img"
        assert set(svg["aria-labelledby"].split()) <= set(ids)
    for name in ("html", "head", "main", "nav", "h1"):
        assert len(found.all(name)) == 1
    assert found.all("html")[0]["lang"] == "en"
    levels = [int(element["tag"][1]) for element in found.elements if re.fullmatch(r"h\d", element["tag"])]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("scope" in header for header in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table"))
    for region in [element for element in found.elements if element.get("class") == "scroll"]:
        assert (region["tabindex"], region["role"]) == ("0", "region")
        assert region["aria-label"]


def test_the_same_run_gives_the_same_page(run: Path, tmp_path: Path) -> None:
    pages = [report(run, "--out", tmp_path / name)[1] for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def perfect(run: Path, task: str) -> None:
    """Turn a run into one of a single task, which answers everything right."""
    path = run / "predictions" / f"{task}.dev.jsonl"
    rows = [{**row, "value": [float(row["target"] == label) for label in range(5)]} for row in records(path)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    reseal(path)
    changed = {**summary(run), "tasks": {task: "accuracy"}, "dev": {task: {"accuracy": 1.0}}}
    (run / "summary.json").write_text(json.dumps(changed))


def test_several_runs_are_compared_with_the_first(run: Path, tmp_path: Path) -> None:
    other, copy = shutil.copytree(run, tmp_path / "other"), shutil.copytree(run, tmp_path / "again" / "run")
    perfect(other, "sst")
    found, _ = report(run, other, copy, "--out", tmp_path / "all.html")
    labels = [f"{run.parent.name}/run", f"{other.parent.name}/other", "again/run"]
    assert found.texts("h1") == [", ".join(labels)]
    compared = cli("compare", f"a={run}", f"b={copy}", *FAST, "--json").json["columns"][1]["differences"]
    assert (compared["sst"]["difference"], compared["sst"]["p"]) == (0.0, 1.0)
    evaluated = cli("eval", run, "--sample", *FAST, "--json").json
    share = evaluated["tasks"]["sst"]["metrics"]["accuracy"]["baseline"]
    assert found.row("sst accuracy").endswith(f" the same {share:.4f}")
    difference = 1.0 - summary(run)["dev"]["sst"]["accuracy"]
    assert re.search(
        rf"1\.0000 to 1\.0000 \{difference:+.4f} \(\+0\.\d+ to \+0\.\d+\) higher", found.row("sst accuracy")
    )
    (lead,) = [text for text in found.texts("p") if text.startswith("Dev scores with 95 % boot")]
    count = sum(len(metrics) for metrics in summary(run)["dev"].values()) + 1  # one of other, all of copy
    assert f"not over seeds; verdicts are corrected for {count} comparisons (Holm), intervals are not." in lead
    assert found.row("quora accuracy").count("–") == 1
    headings = [text for text in found.texts("h3") if text.startswith("sst: ")]
    assert headings == 2 * [f"sst: {labels[0]}, {labels[2]}", f"sst: {labels[1]}"]  # equal answers are shown once


def test_pictures_as_files(run: Path, tmp_path: Path) -> None:
    done = cli("report", run, "--out", tmp_path / "a.html", "--figures", tmp_path / "pictures", *FAST, "--json")
    found = done.json
    assert [Path(path).suffix for path in found["figures"]] == [".svg"] * len(found["figures"])
    names = {Path(path).stem for path in found["figures"]}
    assert {
        "scores-intervals",
        "curves-sst-loss",
        "conflicts-time",
        "selection-layers",
        "answers-sts-agreement",
    } <= names
    assert names == {svg["aria-labelledby"].partition("-title")[0] for svg in report(run)[0].all("svg")}
    for path in map(Path, found["figures"]):
        assert path.read_bytes().startswith(b"<svg")


def test_hostile_texts_are_shown_as_they_are_written(run: Path, tmp_path: Path) -> None:
    hostile = shutil.copytree(run, tmp_path / "<b>run")
    data = shutil.copytree(Path(json.loads((run / "environment.json").read_text())["data_dir"]), tmp_path / "data")
    quoted = HOSTILE.replace('"', '""')
    dev = data / "sts-dev.csv"
    header, *rows = dev.read_text(encoding="utf-8").splitlines()
    at = header.split("\t").index("sentence1")
    texts = [[*row.split("\t")[:at], f'"{quoted}"', *row.split("\t")[at + 1 :]] for row in rows]
    dev.write_text("\n".join([header, *map("\t".join, texts)]) + "\n", encoding="utf-8")
    (hostile / "config.toml").write_text(f"tasks = [{json.dumps(HOSTILE)}]\nlr = {json.dumps(HOSTILE)}\n")
    for name in ("summary.json", "model/model.json"):
        path = hostile / name
        path.write_text(path.read_text().replace('"pearson": ', f'{json.dumps(HOSTILE)}: 1, "pearson": '))
    for line in ("metrics", "steps", "conflicts"):
        path = hostile / f"{line}.jsonl"
        path.write_text(path.read_text().replace("sst/", f"{json.dumps(HOSTILE)[1:-1]}/"))
    found, text = report(hostile, "--data-dir", data)
    assert any("<script>alert('x')</script>" in quote for quote in found.texts("blockquote"))
    assert any("<script>alert('x')</script>" in row for row in found.texts("tr"))
    assert found.texts("h1") == ["<b>run"]
    assert not found.all("script") + found.all("img")
    assert "\\u001b[31mred\\u202e" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def damage(path: Path, text: str | None) -> None:
    """Remove a file or directory, or write something else in its place."""
    if text is not None:
        path.write_text(text)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@pytest.mark.parametrize("text", [None, "{", '{"a": 1}\n', "\x00\xff"])
@pytest.mark.parametrize(
    "name",
    [
        "summary.json",
        "metrics.jsonl",
        "steps.jsonl",
        "conflicts.jsonl",
        "times.jsonl",
        "config.toml",
        "environment.json",
        "predictions/sts.dev.jsonl",
        "model/mask.safetensors",
        "model/model.json",
    ],
)
def test_what_is_missing_or_damaged_is_left_out(run: Path, tmp_path: Path, name: str, text: str | None) -> None:
    broken = shutil.copytree(run, tmp_path / "run")
    damage(broken / name, text)
    done = cli("report", broken, *FAST)
    assert done.code == 0, done.err
    found = Page(Path(done.out.strip()).read_text(encoding="utf-8"))
    assert len(found.all("svg")) > 5
    silent = name in ("steps.jsonl", "conflicts.jsonl", "times.jsonl", "metrics.jsonl") and text is None
    mapping = name in ("summary.json", "environment.json") and text == '{"a": 1}\n'
    if not (silent or mapping):
        assert name.partition("/")[0] in done.err
        assert name.partition("/")[0] in " ".join(found.texts("aside"))


def test_a_run_that_has_only_begun(run: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in ("config.toml", "environment.json", "steps.jsonl"):
        shutil.copy(run / name, begun)
    found, _ = report(begun)
    assert [found.row(task) for task in TASKS] == [f"{task} – –" for task in TASKS]
    assert {"Learning curves", "Conflicts between tasks", "Settings and environment"} <= set(found.texts("h2"))


def test_a_run_without_texts_shows_ids(run: Path, tmp_path: Path) -> None:
    found, _ = report(run, "--data-dir", tmp_path, "--out", tmp_path / "a.html")
    assert found.all("blockquote") == []
    assert records(run / "predictions" / "sts.dev.jsonl")[0]["id"][:4]
    ids = {each["id"] for task in TASKS for each in records(run / "predictions" / f"{task}.dev.jsonl")}
    assert len(ids & set(found.texts("code"))) == 15


def test_rows_of_one_id_are_told_apart_by_their_order(run: Path, tmp_path: Path) -> None:
    copy, data = shutil.copytree(run, tmp_path / "run"), shutil.copytree(sample_dir(), tmp_path / "data")
    lines = (data / "ids-sst-dev.csv").read_text().splitlines()
    fields = [line.split("\t") for line in lines]
    found = copy / "predictions/sst.dev.jsonl"
    found.write_text("".join(json.dumps({**each, "id": "same"}) + "\n" for each in records(found)))
    reseal(found)
    (data / "ids-sst-dev.csv").write_text(
        "\n".join([lines[0], *("\t".join([row[0], "same", *row[2:]]) for row in fields[1:])]) + "\n"
    )
    shown, _ = report(copy, "--data-dir", data, "--out", tmp_path / "a.html")
    assert len(shown.all("blockquote")) == 5 + 10 + 10  # of sst, sts and quora
    assert len({text for text in shown.texts("code") if text.startswith("ids-sst-dev.csv, line ")}) == 5


def test_a_declared_task_is_shown_like_any_other(tiny_model: Path, tmp_path: Path) -> None:
    rows = [f"stars worth {row},{row % 4}" for row in range(16)]
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("\n".join(["review,stars", *rows]) + "\n")
    (tmp_path / "run.toml").write_text(
        'batches = 1\n[tasks.stars]\nkind = "ordinal"\ntext = "review"\nlabel = "stars"\n'
        'names = ["0", "1", "2", "3"]\ntrain = "train.csv"\ndev = "dev.csv"\n'
    )
    out = tmp_path / "run"
    done = cli(
        "train",
        "--config",
        tmp_path / "run.toml",
        "--data-dir",
        tmp_path,
        "--max-steps",
        "1",
        "--model",
        tiny_model,
        "--out",
        out,
        "--quiet",
    )
    assert done.code == 0, done.err
    found, _ = report(out)
    kappa = summary(out)["dev"]["stars"]["kappa"]
    assert found.row("stars kappa").startswith(f"stars kappa, n = 16 {kappa:.4f}")
    quotes = found.texts("blockquote")
    assert len(quotes) == 5
    assert set(quotes) <= {row.partition(",")[0] for row in rows}


def test_a_report_changes_nothing_but_itself(trained_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    before = digests(run)
    report(run)
    report(run)
    assert {name: digest for name, digest in digests(run).items() if name != "report.html"} == before


def test_refusals(run: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    for args, message in (
        ((), "missing argument"),
        ((tmp_path / "gone",), f"{tmp_path / 'gone'}: no such run directory"),
        ((tmp_path,), f"{tmp_path}: not an mtft run"),
        ((run, run), f"{run} is given twice"),
        ((run, "--out", taken), f"--out: {taken} exists; choose another or give --overwrite"),
        ((run, "--figures", tmp_path), f"--figures: {tmp_path} exists; choose another or give --overwrite"),
        ((run, "--data-dir", tmp_path / "gone"), f"--data-dir: {tmp_path / 'gone'} is not a directory"),
        ((run, "--resamples", "0"), "--resamples"),
    ):
        done = cli("report", *args)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
    assert taken.read_text() == "mine"
    assert cli("report", run, "--out", taken, "--overwrite", *FAST).code == 0
    assert taken.read_text().startswith("<!doctype html>")


def test_training_ends_by_naming_the_report(trained: tuple[Path, Done], tiny_model: Path, tmp_path: Path) -> None:
    assert "mtft report" not in trained[1].err  # --json has a reader that is no person
    out = tmp_path / "a run"
    done = cli("train", "--tasks", "sst", *FEW, "--model", tiny_model, "--out", out)
    assert done.err.splitlines()[-1] == f"to look at it: mtft report '{out}'"


SHARDS = """\
data_dir = "{folder}"

[tasks.given]
kind = "binary"
text = "text"
label = "label"
names = ["no", "yes"]
train = ["train-1.csv", "train-2.csv"]
dev = "dev-*.csv"

[tasks.held]
kind = "binary"
text = "text"
label = "label"
names = ["no", "yes"]
train = ["train-1.csv", "train-2.csv"]
dev = 0.25
"""


def test_hardest_examples_name_file_and_first_line(tiny_model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "own", tmp_path / "run"
    folder.mkdir()
    for name in ("train-1", "train-2", "dev-1", "dev-2"):
        cells = [f'"{name} first {n}\n\n{name} last {n}"' if n % 3 else f"{name} short {n}" for n in range(24)]
        rows = [f"{cell},{('no', 'yes', '')[n % 5 % 3]}" for n, cell in enumerate(cells)]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "run.toml").write_text(SHARDS.format(folder=folder), encoding="utf-8")
    few = ("--max-steps", 1, "--batches", 1, "--out", out)
    done = cli("train", "--config", tmp_path / "run.toml", "--model", tiny_model, *few)
    assert done.code == 0, done.err
    page, _ = report(out, "--examples", "1000")
    shown = [element["text"] for element in page.all("li") if element.get("class") == "example"]
    assert len(shown) == sum(len(records(out / "predictions" / f"{task}.dev.jsonl")) for task in ("given", "held"))
    files = set()
    for text in shown:
        file, line = re.search(r"((?:dev|train)-\d\.csv), line (\d+)", text).groups()
        begins = (folder / file).read_text(encoding="utf-8").split("\n")[int(line) - 1].split(",")[0].strip('"')
        assert f"{begins}\n" in text
        files.add(file)
    assert files == {"dev-1.csv", "dev-2.csv", "train-1.csv", "train-2.csv"}
