"""What a training takes: the steps ahead, what is counted, bytes on disk, and limits that are kept."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import rowless

from mtft.config.schema import TrainConfig
from mtft.data.sampling import epoch_batches
from mtft.errors import ConfigError
from mtft.model.parameters import ParameterCount
from mtft.selection.mask import Mask, save_mask
from mtft.training.loop import Plan
from mtft.training.resources import Disk, Memory, check_machine, disk, schedule, scored

SIZES = {"a": 50, "b": 21}
MEMORY = Memory({"load": 10, "train": 1 << 60}, 2048)


def config(**values: object) -> TrainConfig:
    return TrainConfig(tasks=("sst",), **values)


@pytest.mark.parametrize(("steps", "expected"), [(None, 6), (5, 5), (2, 2), (9, 6)])
def test_the_schedule_is_that_of_training(steps: int | None, expected: int) -> None:
    found = list(schedule(Plan(2, 32, 1e-4, max_steps=steps), rowless(SIZES)))  # type: ignore[arg-type]
    assert len(found) == expected
    first, second = epoch_batches(SIZES, 32, 0, 1), epoch_batches(SIZES, 32, 0, 2)
    for mine, theirs in zip(found, [*first, *second], strict=False):
        assert {name: rows.tolist() for name, rows in mine.items()} == {n: r.tolist() for n, r in theirs.items()}


def test_selection_reads_all_rows_at_once_for_a_sum_and_batch_by_batch_otherwise() -> None:
    (whole,) = scored(config(batch_size=32), SIZES)
    assert {name: sorted(rows) for name, rows in whole.items()} == {name: list(range(n)) for name, n in SIZES.items()}
    assert len(scored(config(batch_size=32, score="abs"), SIZES)) == 3
    (part,) = scored(config(batch_size=32, batches=1), SIZES)
    assert sum(map(len, part.values())) == 32


@pytest.mark.parametrize("values", [{"mask": Path("m")}, {"keep": Decimal(1)}, {"score": "random"}], ids=str)
def test_selection_may_need_no_data(values: dict[str, object]) -> None:
    assert scored(config(**values), SIZES) == []


def test_bytes_on_disk() -> None:
    found = disk(ParameterCount(800_000, 240_000, {"a": 500}))
    assert (found.model, found.state) == (100_000 + 4 * 240_500, 12 * 240_500)
    assert disk(ParameterCount(800, 800, {"a": 500})).model == 4 * 1300
    rare = disk(ParameterCount(800_000, 8_000, {})).model - 4 * 8_000
    assert 8_000 < rare < 16_000


def test_a_mask_on_disk_is_as_large_as_foretold(tmp_path: Path) -> None:
    for chosen in (200, 2_000, 30_000):
        indices = np.sort(np.random.default_rng(0).choice(100_000, chosen, replace=False))
        save_mask(tmp_path / "mask", Mask(torch.from_numpy(indices), 100_000, "", {}))
        foretold = disk(ParameterCount(100_000, chosen, {})).model - 4 * chosen
        assert (tmp_path / "mask").stat().st_size - 330 == pytest.approx(foretold, rel=0.1)


def test_a_full_disk_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    needed = Disk(1 << 60, 5)
    with pytest.raises(ConfigError, match=r"out: .*run has [\d,]+ bytes free; this run needs [\d,]+$"):
        check_machine(tmp_path / "run", needed, MEMORY, lambda *notice: said.append(notice))
    assert said[0][1].startswith("memory: up to ")


def test_too_little_memory_is_a_warning(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    check_machine(tmp_path, Disk(1, 1), MEMORY, lambda *notice: said.append(notice))
    level, text = said[1]
    assert level == "warning"
    assert text.startswith("memory: this run needs ")
    assert "max_memory" in text
    check_machine(tmp_path, Disk(1, 1), Memory({"train": 1}, 1), lambda *notice: said.append(notice))
    assert len(said) == 3
