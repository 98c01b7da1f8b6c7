"""A split of a source is read, tokenized and reported the same wherever it is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtft.config.schema import EvalConfig
from mtft.data.dataset import sample_dir
from mtft.data.shares import in_share
from mtft.data.tokenization import Tokenizer, load_tokenizer
from mtft.errors import DataError
from mtft.tasks.sst import SST
from mtft.tasks.sts import STS
from mtft.training.loading import Loader, missing_files


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    return load_tokenizer(tiny_model)


def test_each_task_has_its_split(tokenizer: Tokenizer) -> None:
    loader = Loader(sample_dir(), tokenizer, 64)
    found = loader.load_tasks([SST, STS], "dev")
    assert [*found] == ["sst", "sts"]
    assert list(found["sst"].ids) == list(loader.load(SST.source, "dev").ids)
    assert (found["sst"].table.per_example, found["sts"].table.per_example) == (1, 1)


def test_a_share_is_a_part_of_the_rows_and_is_reported(tokenizer: Tokenizer) -> None:
    said: list[tuple[str, str]] = []
    loader = Loader(sample_dir(), tokenizer, 64, notify=lambda *notice: said.append(notice))
    whole = loader.load(SST.source, "train")
    half = loader.load(SST.source, "train", 0.5)
    assert list(half.ids) == [key for key, by in zip(whole.ids, whole.keys, strict=True) if in_share(by, 0.5)]
    assert ("info", f"sst: {len(half):,} of {len(whole):,} rows are in the share of 0.5") in said


def test_a_missing_file_is_named_with_what_helps(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (missing,) = missing_files(SST.source, "dev", tmp_path)
    with pytest.raises(DataError, match=rf"^sst: {missing}: no such file; give data_dir, set .* with sample=True$"):
        Loader(tmp_path, tokenizer, 64).load(SST.source, "dev")


def test_rows_without_a_label_are_left_out_unless_strict(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (path,) = missing_files(STS.source, "dev", tmp_path)
    source = (sample_dir() / path.name).read_text(encoding="utf-8").splitlines()
    header, first, second, *_ = source
    column = header.split("\t").index("similarity")
    cells = second.split("\t")
    cells[column] = ""
    path.write_text("\n".join([header, first, "\t".join(cells)]) + "\n", encoding="utf-8")
    said: list[tuple[str, str]] = []
    loader = Loader(tmp_path, tokenizer, 64, notify=lambda *notice: said.append(notice))
    assert len(loader.load(STS.source, "dev")) == 1
    assert said[0][1].startswith("sts: 1 of 2 rows have no label (first: ")
    with pytest.raises(DataError, match=r"; strict=True allows none$"):
        replace(loader, strict=True).load(STS.source, "dev")


def test_settings_choose_strictness(tokenizer: Tokenizer, tmp_path: Path) -> None:
    loader = Loader.of(EvalConfig(strict=True), tmp_path, tokenizer, 64, lambda *_: None)
    assert (loader.strict, loader.skip_bad_rows, loader.data_dir) == (True, False, tmp_path)
