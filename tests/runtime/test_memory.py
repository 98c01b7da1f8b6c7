"""What the machine has left."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from mtft.runtime.memory import available_bytes, release, resident_bytes

MIB = 1 << 20


def test_what_a_process_holds_grows_with_what_it_keeps() -> None:
    before = resident_bytes()
    kept = torch.ones(16 * MIB)
    assert 60 * MIB < resident_bytes() - before < 80 * MIB
    del kept


def test_small_blocks_that_were_freed_go_back_to_the_system() -> None:
    blocks = [torch.ones(MIB // 64) for _ in range(2048)]  # 128 MiB in all
    keep = blocks[-1]
    full = resident_bytes()
    del blocks
    release()
    assert resident_bytes() < full - 100 * MIB
    assert keep[0] == 1


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"memory.max": "max", "memory.current": 1000}, None),
        ({"memory.max": 3000, "memory.current": 1000}, 2000),
        ({"memory.max": 3000, "memory.current": 4000}, 0),
        ({"memory/memory.limit_in_bytes": 3000, "memory/memory.usage_in_bytes": 500}, 2500),
        ({"memory.max": 2**62, "memory.current": 0}, None),
        ({"memory.max": 3000}, None),
    ],
    ids=["no group", "no limit", "limit", "over its limit", "version 1", "above the system", "no usage"],
)
def test_the_smaller_of_system_and_control_group_can_be_had(
    tmp_path: Path, files: dict[str, object], limit: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    found = available_bytes(tmp_path)
    assert found == limit if limit is not None else MIB < found < psutil.virtual_memory().total


def test_memory_in_use_can_not_be_had() -> None:
    assert 0 < available_bytes() < psutil.virtual_memory().total - resident_bytes()
