"""`mtft config show`: every value, and where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import cli, process

from mtft.config.load import load
from mtft.config.schema import SCHEMAS, TrainConfig


def test_each_layer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('tasks = ["sst"]\nepochs = 7\nseed = 3\npreset = "report"\n', encoding="utf-8")
    found = cli("config", "show", "train", "--config", path, "--set", "seed=4", "--lr", "3e-5", "--json").json
    assert found["tasks"] == {"value": ["sst"], "origin": f"file {path}"}
    assert found["epochs"] == {"value": 7, "origin": f"file {path}"}
    assert found["seed"] == {"value": 4, "origin": "--set"}
    assert found["lr"] == {"value": 3e-5, "origin": "flag --lr"}
    assert found["batch_size"] == {"value": 512, "origin": "preset report"}
    assert found["dropout"] == {"value": 0.1, "origin": "default"}
    assert set(found) == set(TrainConfig.settings())


def test_without_a_command_it_is_train_and_nothing_is_required() -> None:
    assert cli("config", "show", "--json").json == cli("config", "show", "train", "--json").json
    lines = cli("config", "show").out.splitlines()
    assert lines[0].split() == ["setting", "value", "from"]
    assert [line.split() for line in lines if line.startswith(("tasks ", "epochs "))] == [
        ["tasks", "not", "set"],
        ["epochs", "3", "default"],
    ]


@pytest.mark.parametrize("command", ["train --tasks sst", "eval", "data check --tasks a,b", "predict"])
def test_toml_gives_the_same_settings(command: str, tmp_path: Path) -> None:
    path = tmp_path / "shown.toml"
    words, _, rest = command.partition(" --")
    flags = f"--{rest}".split() if rest else []
    path.write_text(cli("config", "show", *words.split(), *flags, "--toml").out, encoding="utf-8")
    first = cli("config", "show", *words.split(), *flags, "--json").json
    again = cli("config", "show", *words.split(), "--config", path, "--json").json
    assert {key: entry["value"] for key, entry in again.items()} == {key: e["value"] for key, e in first.items()}


def test_toml_holds_declared_tasks(tmp_path: Path) -> None:
    path, shown = tmp_path / "run.toml", tmp_path / "shown.toml"
    path.write_text(
        '[tasks.mood]\nkind = "binary"\ntext = ["a", "b"]\nlabel = "l"\nnames = ["no", "yes"]\n'
        'train = "t.csv"\ndev = 0.25\n[tasks.sts]\n',
        encoding="utf-8",
    )
    shown.write_text(cli("config", "show", "--config", path, "--toml").out, encoding="utf-8")
    assert load(TrainConfig, file=shown).config == load(TrainConfig, file=path).config
    for command in ("verify", "eval"):  # one has no tasks to choose from, and none are chosen
        assert '[tasks."mood"]' in cli("config", "show", command, "--config", path, "--toml").out


def test_json_is_utf_8_whatever_the_locale() -> None:
    done = process("config", "show", "--data-dir", "Ä", "--json", PYTHONIOENCODING="ascii")
    assert done.json["data_dir"]["value"] == "Ä"


def test_settings_are_checked_as_the_command_does() -> None:
    done = cli("config", "show", "train", "--lr", "-1", "--set", "epoch=3")
    assert done.code == 2
    assert "flag --lr: '-1' is not a number > 0" in done.err
    assert "--set: epoch: unknown key 'epoch'; did you mean 'epochs'?" in done.err
    assert cli("config", "show", "tasks").code == 2
    assert cli("config", "show", "config").code == 2


def test_every_command_with_settings_is_there() -> None:
    listed = cli("config", "show", "--help").out.partition("Commands:")[2]
    names = {line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "}
    assert {"train", "eval", "data", "report"} <= names
    assert len(names) >= len(SCHEMAS)  # `plan` shares the settings of `train`
    assert "tasks" not in names
