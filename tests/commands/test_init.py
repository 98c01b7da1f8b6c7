"""`mtft.commands.init`, called directly: the settings that it guesses can be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.commands.init import described, init
from mtft.config.load import load
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError, DataError
from mtft.plugin.context import new_context


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two splits of a dataset of questions and statements."""
    for split, count in (("train", 40), ("dev", 12)):
        rows = [f"text number {number} of {split},{('question', 'statement')[number % 2]}" for number in range(count)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return [str(tmp_path / "train.csv"), str(tmp_path / "dev.csv")]


def test_the_settings_declare_what_the_files_hold(files: list[str], tmp_path: Path) -> None:
    found = init(files, tmp_path / "run.toml", new_context())
    (task,) = found.tasks
    assert found.path == tmp_path / "run.toml"
    assert found.path.read_text(encoding="utf-8") == found.text
    assert (task.table["text"], task.table["label"]) == ("text", "label")
    assert (task.table["train"], task.table["dev"]) == ("train.csv", "dev.csv")
    declared = load(TrainConfig, file=found.path).config.declared
    assert list(declared) == [task.name]
    assert set(declared[task.name]["names"]) == {"question", "statement"}


def test_without_a_path_nothing_is_written(files: list[str], tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    found = init(files, None, new_context())
    assert found.path is None
    assert "[tasks." in found.text
    assert set(tmp_path.iterdir()) == before


def test_an_existing_file_and_one_without_labels_are_refused(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dev\.csv exists; choose another"):
        init(files, Path(files[1]), new_context())
    (tmp_path / "plain.csv").write_text("a\n" + "only one text\n" * 3, encoding="utf-8")
    with pytest.raises(DataError, match=r"plain\.csv"):
        init([str(tmp_path / "plain.csv")], None, new_context())


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"range": [0, 5]}, "0 to 5"),
        ({"names": ["no", "yes"]}, "no, yes"),
        ({"names": [f"class-{number:02}" for number in range(20)]}, "20 classes"),
    ],
)
def test_labels_are_described_in_a_few_words(table: dict[str, object], text: str) -> None:
    assert described(table) == text
