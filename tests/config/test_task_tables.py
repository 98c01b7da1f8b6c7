"""Tables [tasks.NAME] in a settings file: read, overridden, written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.config.load import dump, load
from mtft.config.schema import CompareConfig, EvalConfig, TrainConfig
from mtft.errors import ConfigError

FILE = """
epochs = 2
[tasks.mine]
kind = "regression"
range = [0, 4.5]
dev = 0.1
[tasks.sst]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_tables_name_the_tasks_and_declare_those_that_are_not_empty(file: Path) -> None:
    loaded = load(TrainConfig, file=file)
    assert loaded.config.tasks == ("mine", "sst")
    assert loaded.config.declared == {"mine": {"kind": "regression", "range": [0, 4.5], "dev": 0.1}}
    assert (loaded.origins["tasks"], loaded.origins["declared"]) == (f"file {file}", f"file {file}")
    assert load(EvalConfig, file=file).config.declared == loaded.config.declared
    assert load(CompareConfig, file=file).config == CompareConfig()


def test_a_flag_chooses_among_them(file: Path) -> None:
    config = load(TrainConfig, file=file, given={"tasks": "quora,mine"}).config
    assert config.tasks == ("quora", "mine")
    assert set(config.declared) == {"mine"}


@pytest.mark.parametrize("tasks", [None, "mine", "quora,mine", "sst"])
def test_what_is_written_is_read_back(file: Path, tmp_path: Path, tasks: str | None) -> None:
    config = load(TrainConfig, file=file, given={"tasks": tasks}).config
    (tmp_path / "again.toml").write_text(dump(config), encoding="utf-8")
    again = load(TrainConfig, file=tmp_path / "again.toml").config
    chosen = {name: table for name, table in config.declared.items() if name in config.tasks}
    assert again == config.model_copy(update={"declared": chosen})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tasks]\nmine = 1\n", "tasks.mine: not a table"),
        ("[tasks.mine]\n[declared.mine]\nkind = 'binary'\n", "unknown key 'declared'"),
        ("[tasks]\n", "tasks: name at least one"),
    ],
)
def test_errors(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load(TrainConfig, file=path)


def test_no_flag_and_no_set_declares(file: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key 'declared'"):
        load(TrainConfig, file=file, sets=["declared={}"])


SHARED = """
[tasks.mood]
kind = "binary"
text = "review"
label = "mood"
train = "t.csv"
dev = 0.1
[tasks.stars]
kind = "regression"
text = "review"
label = "stars"
train = "t.csv"
dev = 0.1
[tasks.other]
kind = "binary"
text = "review"
label = "other"
train = "t.csv"
dev = 0.2
[tasks.filed]
kind = "binary"
text = "review"
label = "mood"
train = "t.csv"
dev = "d.csv"
"""


def test_tables_that_hold_out_the_same_rows_are_stratified_together(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(SHARED, encoding="utf-8")
    config = load(TrainConfig, file=path).config
    assert {name: table.get("held_out") for name, table in config.declared.items()} == {
        "mood": {"classes": ["mood"], "numbers": ["stars"]},
        "stars": {"classes": ["mood"], "numbers": ["stars"]},
        "other": {"classes": ["other"]},
        "filed": None,
    }
    path.write_text(dump(config), encoding="utf-8")
    assert load(TrainConfig, file=path).config == config


def test_a_rule_that_is_given_or_that_a_run_recorded_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SHARED.replace("dev = 0.2", 'dev = 0.2\nheld_out = "texts"'), encoding="utf-8")
    assert load(TrainConfig, file=path).config.declared["other"]["held_out"] == "texts"
    path.write_text(SHARED, encoding="utf-8")
    (tmp_path / "environment.json").write_text("{}", encoding="utf-8")  # the directory of a run
    rules = [table.get("held_out") for table in load(TrainConfig, file=path).config.declared.values()]
    assert rules == [None, None, None, None]


def test_files_are_looked_for_in_the_data_directory_and_then_next_to_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MTFT_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("own/t.csv", "own/d.csv", "data/t.csv", "more/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    path = tmp_path / "own/run.toml"
    path.write_text(SHARED, encoding="utf-8")
    filed = load(TrainConfig, file=path).config.declared["filed"]
    assert (filed["train"], filed["dev"]) == ("t.csv", str(tmp_path / "own/d.csv"))
    filed = load(TrainConfig, file=path, given={"data_dir": "more"}).config.declared["filed"]
    assert (filed["train"], filed["dev"]) == (str(tmp_path / "own/t.csv"), "d.csv")
    path.write_text(SHARED.replace('"d.csv"', '"none.csv"'), encoding="utf-8")
    assert load(TrainConfig, file=path).config.declared["filed"]["dev"] == "none.csv"
