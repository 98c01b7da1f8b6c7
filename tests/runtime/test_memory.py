"""What the machine has left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtft.runtime.memory import available_bytes, peak_bytes, release, resident_bytes

MIB = 1 << 20


def write(root: Path, **files: object) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("memory_", "memory.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def test_what_a_process_holds_grows_with_what_it_keeps() -> None:
    before = resident_bytes()
    kept = torch.ones(16 * MIB)
    assert 60 * MIB < resident_bytes() - before < 80 * MIB
    assert peak_bytes() >= resident_bytes() - 8 * MIB
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
    ("files", "found"),
    [
        ({"proc__meminfo": "MemTotal: 9 kB\nMemAvailable:   2048 kB"}, 2 * MIB),
        ({"proc__meminfo": "MemAvailable: 2048 kB", "sys__fs__cgroup__memory_max": "max"}, 2 * MIB),
        (
            {
                "proc__meminfo": "MemAvailable: 2048 kB",
                "sys__fs__cgroup__memory_max": 3000,
                "sys__fs__cgroup__memory_current": 1000,
            },
            2000,
        ),
        ({"proc__meminfo": "MemTotal: 9 kB"}, None),
        ({}, None),
    ],
    ids=["system", "no limit", "group", "old kernel", "elsewhere"],
)
def test_memory_that_can_be_had(tmp_path: Path, files: dict[str, object], found: int | None) -> None:
    assert available_bytes(write(tmp_path, **files)) == found
