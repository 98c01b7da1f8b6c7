"""Data files with faults planted in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

SST = "\tid\tsentence\tsentiment\n"
STS = "\tid\tsentence1\tsentence2\tsimilarity\n"
QUORA = "\tid\tsentence1\tsentence2\tis_duplicate\n"


def sst(*rows: tuple[str, object]) -> str:
    return SST + "".join(f"{i}\tr{i}\t{text}\t{label}\n" for i, (text, label) in enumerate(rows))


def sts(*rows: tuple[str, str, object]) -> str:
    return STS + "".join(f"{i}\tr{i}\t{a}\t{b}\t{label}\n" for i, (a, b, label) in enumerate(rows))


CLEAN: Mapping[str, str] = MappingProxyType(
    {
        "ids-sst-train.csv": sst(*((f"film {i}", i % 5) for i in range(20))),
        "ids-sst-dev.csv": sst(*((f"movie {i}", i % 5) for i in range(10))),
        "sts-train.csv": sts(*((f"one {i}", f"two {i}", i % 5) for i in range(20))),
        "sts-dev.csv": sts(*((f"three {i}", f"four {i}", i % 5) for i in range(10))),
    }
)
"""Files without any fault."""


def write(folder: Path, **changed: str | bytes) -> Path:
    """Write the clean files, some of them changed (``sst_train=...``); return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str | bytes] = dict(CLEAN)
    for key, content in changed.items():
        name = f"{key.replace('_', '-')}.csv"
        files[f"ids-{name}" if name.startswith("sst") else name] = content
    for name, text in files.items():
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder
