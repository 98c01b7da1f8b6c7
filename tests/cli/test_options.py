import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from pydantic import Field

from mtft.cli.flags import Flags, flag
from mtft.cli.options import json_option, options_for
from mtft.config.groups import Options
from mtft.config.load import Loaded, choices
from mtft.config.schema import SCHEMAS
from mtft.config.values import Limits, Names
from mtft.errors import ConfigError, worded


class Toy(Options):
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"big": {"size": 9}}

    names: Names = Field(min_length=1, description="some names")
    size: int = Field(3, ge=1, description="size in examples")
    keep: Decimal = Field(Decimal("0.3"), description="a share")
    colour: Literal["red", "green"] = Field("red", description="a colour")
    fast: bool = Field(False, description="be fast")
    place: Path | None = Field(None, description="a place")
    limits: Limits = Field({}, description="some limits")


@click.command("toy")
@click.argument("run")
@options_for(Toy)
@json_option
def toy(run: str, loaded: Loaded[Toy], as_json: bool) -> None:
    """A toy."""
    print(run, as_json, repr(loaded.config))
    print({key: origin for key, origin in loaded.origins.items() if origin != "default"})


def call(*args: str) -> Result:
    with worded(Flags()):
        return CliRunner().invoke(toy, ["run", *args], catch_exceptions=False)


def test_a_command_gets_settings_its_own_arguments_and_nothing_else() -> None:
    config = Toy(names=("a", "b"), size=9, keep=Decimal("0.10"), fast=True, place=Path("p"))
    origins = {"names": "flag --names", "size": "preset big", "keep": "flag --keep", "fast": "flag --fast"}
    found = call("--names", "a,b", "--preset", "big", "--keep", "0.10", "--fast", "--place", "p", "--json")
    assert found.stdout == f"run True {config!r}\n{origins | {'place': 'flag --place'}}\n"


def test_layers_reach_load(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('names = ["x"]\nfast = true\nsize = 4')
    found = call("--config", str(file), "--set", "size=5", "--set", "colour=green", "--no-fast").stdout
    assert "size=5" in found
    assert "fast=False" in found
    assert "colour='green'" in found
    assert f"'names': 'file {file}'" in found


def test_options_given_twice_add_up() -> None:
    found = call("--names", "a", "--names", "b,c", "--limits", "a.b=1", "--limits", "c.d=2").stdout
    assert "names=('a', 'b', 'c')" in found
    assert "limits={'a.b': 1.0, 'c.d': 2.0}" in found


def test_all_errors_come_from_load() -> None:
    with pytest.raises(ConfigError) as caught:
        call("--colour", "gren", "--size", "many", "--preset", "bigg")
    assert str(caught.value).splitlines() == [
        "flag --preset: unknown preset 'bigg'; did you mean 'big'? (allowed: big)",
        "names: required; give --names, or set it in a --config file: some names",
        "flag --size: 'many' is not a whole number >= 1",
        "flag --colour: 'gren' is not one of red, green; did you mean 'green'?",
    ]


def test_an_unknown_option_names_its_near_match() -> None:
    found = CliRunner().invoke(toy, ["run", "--colou", "red"])
    assert found.exit_code == 2
    assert "--colour" in found.stderr


def test_help_is_made_from_the_schema() -> None:
    lines = " ".join(CliRunner().invoke(toy, ["--help"], terminal_width=200).stdout.split())
    for part in (
        "--names NAME,... Some names. [required]",
        "--size N Size in examples. [default: 3]",
        "--colour red|green A colour. [default: red]",
        "--fast / --no-fast Be fast.",
        "--place PATH A place.",
        "--preset NAME Named settings: big.",
        "--set KEY=VALUE",
        "--config",
    ):
        assert part in lines


def test_choices_and_presets_are_completed() -> None:
    completion = ShellComplete(toy, {}, "toy", "_TOY_COMPLETE")

    def offered(*args: str) -> list[str]:
        return [item.value for item in completion.get_completions(list(args[:-1]), args[-1])]

    assert offered("run", "--colour", "") == ["red", "green"]
    assert offered("run", "--colour", "g") == ["green"]
    assert offered("run", "--preset", "") == ["big"]
    assert "--colour" in offered("run", "--co")


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_each_command_documents_each_setting(schema: type[Options]) -> None:
    text = CliRunner().invoke(click.command("any")(options_for(schema)(lambda loaded: None)), ["--help"]).stdout
    for name, field in schema.settings().items():
        assert f"{flag(name)} " in text
        assert all(choice in text for choice in choices(field))


def test_importing_options_imports_neither_torch_nor_plugins() -> None:
    probe = "import sys, mtft.cli.options; print(sorted({'torch', 'pluggy', 'numpy', 'rich'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "[]\n"
