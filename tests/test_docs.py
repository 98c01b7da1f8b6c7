"""Documents say what is true: generated help, every command and hook named, examples that run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import generate_docs
import pytest
from commands import clean

import mtft
from mtft.cli.main import COMMANDS, main, run
from mtft.config.load import load
from mtft.config.schema import SCHEMAS, TrainConfig
from mtft.io import toml_parser
from mtft.tasks.declared import declare

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "examples" / "guide" / "data.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*/run.toml"))


def test_generated_help_is_up_to_date() -> None:
    assert generate_docs.PLACE.read_text(encoding="utf-8") == generate_docs.document(), "run: make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_names_every_command(name: str) -> None:
    assert f"mtft {name}" in README


def test_readme_quotes_the_smallest_plugin_as_it_is() -> None:
    assert (ROOT / "plugins/mtft-minimal/mtft_minimal.py").read_text(encoding="utf-8") in README


def test_the_table_of_a_task_in_the_readme_declares_it() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    tables = toml_parser.loads(block)["tasks"]
    assert declare("mood", tables["mood"], "guide.md").metric_names[0] == "kappa"
    assert tables["sts"] == {}


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *ROOT.glob("examples/guide/[!c]*.md"), *ROOT.glob("examples/*/README.md")], ids=str
)
def test_commands_in_documents_parse(path: Path) -> None:
    """Every `$ mtft ...` line names a command and options that it has."""
    lines = re.findall(r"^\$ (?:.*\| )?(mtft .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert lines or path.parent.name == "guide"
    for line in lines:
        _, *arguments = shlex.split(line.partition(" #")[0])
        command: click.Command | None = main
        while isinstance(command, click.Group):
            command = command.get_command(click.Context(command), arguments.pop(0))
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        used = {argument for argument in arguments if argument.startswith("--")}
        assert used <= known, line


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *ROOT.glob("examples/**/*.md"), *ROOT.glob("plugins/*/*.md")], ids=str
)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)#?([^)\s]*)\)", text):
        found = path.parent / target if target else path
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_example_runs(path: Path, tiny_model: Path, tmp_path: Path) -> None:
    arguments = ["--max-steps", "2", "--batches", "1", "--model", str(tiny_model), "--max-length", "40"]
    own = load(TrainConfig, file=path).config.declared  # the files lie beside it
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
