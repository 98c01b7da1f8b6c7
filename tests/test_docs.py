"""Documents say what is true: generated help, every command and hook named, examples that run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import generate_architecture
import generate_docs
import pytest
from commands import clean

import mtft
from mtft.cli.main import COMMANDS, main, run
from mtft.config.load import load
from mtft.config.schema import SCHEMAS, TrainConfig
from mtft.data.declared_reader import DeclaredReader
from mtft.io import toml_parser
from mtft.tasks.declared import declare

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "examples" / "guide"
EXAMPLES = sorted((ROOT / "examples").glob("*/run.toml"))
PROJECT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PLUGINS = sorted(ROOT.glob("plugins/*/README.md"))
MADE = {"commands.md", "architecture.md"}
TUTORIALS = sorted(ROOT.glob("examples/*/README.md"))
PAGES = sorted(GUIDE.glob("*.md"))
WRITTEN = [ROOT / "README.md", *(page for page in PAGES if page.name not in MADE), *TUTORIALS]
"""Documents whose commands are checked; those of plugins need them installed."""

LOGS = {"benchmarks", "experiments", "reliability"}
"""Pages of figures, written by programs or line by line."""

ELSEWHERE = {"--max-restarts", "--nproc-per-node", "--local-addr", "--work"}
"""Options of torchrun and of the programs of examples/report."""

CLICK = tuple(int(part) for part in importlib.metadata.version("click").split(".")[:2])


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def each(pages: list[Path]) -> pytest.MarkDecorator:
    """Run a test for every page."""
    return pytest.mark.parametrize("page", pages, ids=name_of)


@pytest.mark.skipif(CLICK < (8, 5), reason="the page is made with click 8.5, which words usage lines in another way")
def test_generated_help_is_up_to_date() -> None:
    assert text_of(generate_docs.PLACE) == generate_docs.document(), "run: make docs"


def test_generated_architecture_is_up_to_date() -> None:
    assert text_of(generate_architecture.PAGE) == generate_architecture.document(), "run: make docs"


def test_contributing_is_short() -> None:
    assert len(text_of(ROOT / "CONTRIBUTING.md").splitlines()) < 200


@pytest.mark.parametrize("name", COMMANDS)
def test_the_guide_describes_every_command(name: str) -> None:
    assert f"| `mtft {name}" in text_of(GUIDE / "shell.md") or f", `mtft {name}" in text_of(GUIDE / "shell.md")


def test_the_guide_quotes_the_smallest_plugin_as_it_is() -> None:
    assert text_of(ROOT / "plugins/mtft-minimal/mtft_minimal.py") in text_of(GUIDE / "plugins.md")


def test_the_table_of_a_task_in_the_guide_declares_it() -> None:
    block, split = re.findall(r"^```toml\n(.*?)^```", text_of(GUIDE / "data.md"), re.MULTILINE | re.DOTALL)
    tables = toml_parser.loads(block)["tasks"]
    assert declare("mood", tables["mood"], "data.md").metric_names[0] == "kappa"
    assert tables["sts"] == {}
    mood = {key: value for key, value in tables["mood"].items() if key != "dev"}
    reader = declare("mood", {**mood, **toml_parser.loads(split)}, "data.md").source.reader
    assert isinstance(reader, DeclaredReader)
    assert reader.column is not None
    assert reader.column.splits == {"train", "dev", "test"}


def test_the_kinds_in_the_guide_have_these_metrics() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([a-z0-9, ]+) \|$", text_of(GUIDE / "tasks.md"), re.MULTILINE)
    kinds = {kind: metrics.split(", ") for kind, metrics in rows}
    assert set(kinds) == {"binary", "classification", "ordinal", "regression"}
    common = {"text": "text", "label": "label", "train": "train.csv", "dev": 0.1}
    for kind, metrics in kinds.items():
        labels = {"range": [0, 5]} if kind == "regression" else {"names": ["a", "b"]}
        assert list(declare(kind, {"kind": kind, **common, **labels}, "tasks.md").metric_names) == metrics


def test_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 100


@each([page for page in [*WRITTEN, *PROJECT[1:3]] if page.stem not in LOGS])
def test_prose_fits_120_columns(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(re.sub(r"\]\(http[^)]*\)", "]", line)) > 120] == []


def known_options(words: list[str]) -> tuple[set[str], set[str]]:
    """Return the options that a command line uses, and those that its command has."""
    command: click.Command | None = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command is not None
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {word.partition("=")[0] for word in words if word.startswith("--")}, known | {"--help"}


@each(WRITTEN)
def test_commands_in_documents_parse(page: Path) -> None:
    """Every `$ mtft ...` line, and every command quoted in a sentence, names a command and options that it has."""
    lines = re.findall(r"^\$ (?:.*(?:\||-m) )?(mtft .*)$", text_of(page), re.MULTILINE)
    quoted = re.findall(r"(?<!`)`(mtft [a-z][^`]*)`", re.sub(r"\s+", " ", text_of(page)))
    assert lines or page.parent == GUIDE
    for line in lines + quoted:
        used, known = known_options(shlex.split(line.partition(" #")[0])[1:])
        assert used <= known, line


@each(WRITTEN)
def test_options_in_documents_exist(page: Path) -> None:
    help_text = text_of(GUIDE / "commands.md")
    for option in re.findall(r"`(--[a-z][a-z0-9-]*)", text_of(page)):
        assert option in ELSEWHERE or re.search(rf"(?<![\w-]){option}(?![\w-])", help_text), option


@each([GUIDE / "python.md", ROOT / "examples/api/README.md"])
def test_names_of_the_library_exist(page: Path) -> None:
    names = set(re.findall(r"\bmtft\.([A-Za-z]\w*)", text_of(page)))
    listed = text_of(page).partition("is a function:")[2].partition(".")[0]
    names |= set(re.findall(r"`([a-z_]+)`", listed))
    assert len(names) >= 4
    for name in names:
        assert hasattr(mtft, name), name


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the target and the anchor of each link that stays in the repository."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"\]\((?!http)([^)#\s]*)#?([^)\s]*)\)", text)


@each([*PROJECT, *PAGES, *TUTORIALS, *PLUGINS, ROOT / "examples/report/results.md"])
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, not to a directory: the site shows files."""
    for target, anchor in links(page):
        found = page.parent / target if target else page
        assert found.is_file(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", text_of(found), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_tests_named_in_the_security_policy_exist() -> None:
    text = text_of(ROOT / "SECURITY.md")
    sources = {path: text_of(path) for path in (ROOT / "tests").rglob("test_*.py")}
    files = set(re.findall(r"\btest_\w+\.py", text))
    assert files
    assert files <= {path.name for path in sources}
    for name in set(re.findall(r"\btest_\w+\b(?!\.py)", text)):
        assert any(f"def {name}(" in source for source in sources.values()), name


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [(page.parent / target).resolve() for target, _ in links(page) if target.endswith(".md")]
    assert [name_of(page) for page in [*PAGES, *TUTORIALS, *PLUGINS] if page.resolve() not in reached] == []


def test_the_menu_of_the_site_names_pages_that_are_there() -> None:
    spec = importlib.util.spec_from_file_location("site_settings", GUIDE / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    settings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(settings)
    listed = {name for names in settings.PARTS.values() for name in names}
    assert listed <= {page.stem for page in PAGES}


RECORDED = {
    "three individual models, 3 epochs": "individual, all weights",
    "three individual models, all weights, 3 epochs": "individual, all weights",
    "three individual models, 5 epochs": "individual, all weights, five epochs",
    "three individual models, all weights, 5 epochs": "individual, all weights, five epochs",
    "three individual models, SAM 10 %, 3 epochs": "individual, SAM 10 %",
    "one model, the report's method": "unified, SAM 30 %",
    "one unified model, SAM 30 %, PCGrad, 3 epochs with augmentation": "unified, SAM 30 %",
    "one model, `--preset best`, 5 epochs": "unified, preset best",
    "one unified model, `--preset best` (5 epochs)": "unified, preset best",
}
"""Rows of Table 1 in documents -> rows of examples/report/results.md."""


@each([ROOT / "README.md", GUIDE / "results.md"])
def test_table_1_is_what_was_recorded(page: Path) -> None:
    record = text_of(ROOT / "examples/report/results.md").partition("Differences")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text_of(page).splitlines()
        if line.startswith(("| three", "| one"))
    ]
    assert len(rows) >= 4
    for name, seeds, *cells in rows:
        (line,) = (line for line in record.splitlines() if line.startswith(f"| {RECORDED[name]} |"))
        recorded = [cell.strip() for cell in line.strip("|").split("|")][1:]
        assert seeds == recorded[0]
        for cell, whole in zip(cells[:3], recorded[1:4], strict=True):
            numbers = [float(number) for number in re.findall(r"[.\d]+", cell)]
            exact = [float(number) for number in re.findall(r"[.\d]+", whole)][:3]
            assert numbers == pytest.approx(exact, abs=0.00051), (name, cell)
        stored, tuned = (float(number.replace(",", "")) / 1e6 for number in recorded[4:6])
        assert [cell.removesuffix(" M") for cell in cells[3:5]] == [f"{stored:.1f}", f"{tuned:.1f}"]


def test_the_readme_compares_with_the_individual_models_that_were_tuned() -> None:
    title = "## One model against individual ones at its rate"
    table = text_of(ROOT / "examples/report/results.md").partition(title)[2]
    numbers = re.compile(r"[-+]?\.?\d[.\d]*")
    (line,) = (line for line in table.splitlines() if line.startswith("| individual, all weights, rate 1e-4 | 2 |"))
    sst, sts = ([float(number) for number in numbers.findall(cell)][:3] for cell in line.split("|")[3:5])
    text = text_of(ROOT / "README.md")
    (row,) = (line for line in text.splitlines() if line.startswith("| individual models for SST and STS, rate 1e-4"))
    for cell, exact in ((row.split("|")[3], sst), (row.split("|")[5], sts)):
        assert [float(number) for number in numbers.findall(cell)] == pytest.approx(exact, abs=0.00051)
    differences = table.partition("Differences")[2].splitlines()
    best = next(line for line in differences if line.startswith("| unified, preset best"))
    for cell in best.split("|")[2:4]:
        difference = [f"{float(number):+.3f}".replace("0.", ".", 1) for number in numbers.findall(cell)[:3]]
        plain = " ".join(text.split()).replace("(", "").replace(")", "").replace(",", "")
        assert f"{difference[0]} {difference[1]} to {difference[2]}" in plain, difference


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_example_runs(path: Path, tiny_model: Path, tmp_path: Path) -> None:
    arguments = ["--max-steps", "2", "--batches", "1", "--model", str(tiny_model), "--max-length", "40"]
    own = load(TrainConfig, file=path).config.declared  # the files are in its directory
    data = ["--data-dir", str(path.parent)] if own else ["--sample"]
    out = tmp_path / "run"
    assert run(["train", "--config", str(path), *data, *arguments, "--out", str(out), "--quiet"]) == 0
    assert (out / "summary.json").is_file()
    assert (path.parent / "README.md").is_file()


def test_the_laptop_example_is_the_default() -> None:
    defaults = load(TrainConfig, given={"tasks": "sst,quora,sts"}).config
    assert load(TrainConfig, file=ROOT / "examples/laptop/run.toml").config == defaults


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_setting_is_described(schema: type) -> None:
    for name, field in schema.model_fields.items():  # type: ignore[attr-defined]
        assert field.description, name


def test_api_reference_documents_every_public_name(tmp_path: Path) -> None:
    """In a process of its own, because pages are made from what modules hold."""
    generate = [sys.executable, "-W", "error", str(ROOT / "tests" / "generate_api.py"), str(tmp_path)]
    done = subprocess.run(generate, capture_output=True, text=True, check=False, env=clean())
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "mtft.html").read_text(encoding="utf-8")
    modules = {"heads", "losses", "metrics"}
    assert [name for name in set(mtft.__all__) - modules if f'id="{name}"' not in page] == []
    assert all((tmp_path / "mtft" / f"{name}.html").is_file() for name in modules)
    assert "assert_task_conforms" in (tmp_path / "mtft" / "testing" / "conformance.html").read_text(encoding="utf-8")
