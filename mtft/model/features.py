"""Features: the outputs of a frozen encoder for a token table, computed once and kept in a memory-mapped file.

The file holds float32 rows [S + N, H] as `TokenTable.features` describes them, in the table's order, and grows at its
end. A JSON file next to it holds the key of what the features were computed from, the number of sequences and a
checksum; features that it does not cover are not used.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from mtft.data.packing import micro_batches, pack
from mtft.data.tokenization import TokenTable
from mtft.errors import CheckpointError
from mtft.io.files import read_json, to_json, write_json
from mtft.model.inference import BUDGET
from mtft.model.multitask import MultiTaskModel

CHUNK = 2 * BUDGET
"""Tokens that are encoded between two writes."""
BLOCK = 1 << 24
"""Bytes that are read at once when a file is checked."""
FORMAT = 1

Watch = Callable[[int, int, Callable[[], None]], None]
"""Called after each chunk with the sequences done, their tokens, and a function that saves them to the disk."""


def feature_bytes(table: TokenTable, hidden_size: int) -> int:
    """Return the bytes that a table's features take."""
    return 4 * hidden_size * _rows(table, len(table.lengths))


def feature_key(model: MultiTaskModel, weights: str, table: TokenTable) -> str:
    """Return a digest of all that determines features: weights (by their digest), sizes, number type, tokens.

    The tokens represent the texts, the tokenizer and the length limit.
    """
    device = next(model.parameters()).device.type
    facts = {"format": FORMAT, "weights": weights, "encoder": asdict(model.encoder.config), "device": device}
    hasher = hashlib.sha256(to_json({**facts, "products": str(model.matmul_dtype)}).encode())
    for array in (table.ids, table.segments, table.offsets):
        hasher.update(array.tobytes())
    return hasher.hexdigest()


def with_features(model: MultiTaskModel, table: TokenTable, path: Path, key: str, watch: Watch) -> TokenTable:
    """Return the table with its features, mapped from `path`; missing ones are encoded first, without dropout.

    A file that is damaged or has another key is replaced. The bits do not depend on how often encoding was interrupted.
    """
    width, total = model.encoder.config.hidden_size, len(table.lengths)
    done, checksum = _usable(path, key, table, width)
    model.eval()
    with path.open("r+b" if done else "wb") as file:

        def save() -> None:
            file.flush()
            os.fsync(file.fileno())
            write_json(_facts_file(path), {"key": key, "sequences": done, "checksum": checksum})

        file.truncate(4 * width * _rows(table, done))
        file.seek(0, os.SEEK_END)
        for begin, end in _chunks(table, done):
            block = _encode(model, table, begin, end)
            file.write(block.data)
            done, checksum = end, zlib.crc32(block.data, checksum)
            watch(done, int(table.offsets[done]), save)
        save()
    rows = np.memmap(path, np.float32, "r", shape=(_rows(table, total), width))
    return replace(table, features=rows.view(np.ndarray))


def remove_features(path: Path) -> None:
    """Remove a file of features, if there is one."""
    for file in (_facts_file(path), path):
        file.unlink(missing_ok=True)


def _facts_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _rows(table: TokenTable, sequences: int) -> int:
    """Return the number of rows of the first `sequences` sequences."""
    return sequences + int(table.offsets[sequences])


def _chunks(table: TokenTable, done: int) -> Iterator[tuple[int, int]]:
    """Cut all sequences into runs of about `CHUNK` tokens, and yield (begin, end) of those after the first `done`."""
    begin, total = 0, len(table.lengths)
    while begin < total:
        reached = int(np.searchsorted(table.offsets, table.offsets[begin] + CHUNK, side="right")) - 1
        end = min(max(reached, begin + 1), total)
        if begin >= done:
            yield begin, end
        begin = end


@torch.no_grad()
def _encode(model: MultiTaskModel, table: TokenTable, begin: int, end: int) -> NDArray[np.float32]:
    """Return the features of sequences `begin` to `end`."""
    device = next(model.parameters()).device
    single = replace(table, per_example=1, features=None)
    block = np.empty((_rows(table, end) - _rows(table, begin), model.encoder.config.hidden_size), np.float32)
    for cut in micro_batches(table.lengths[begin:end], BUDGET):
        batch = pack((single, begin + cut), device=device)
        encoded = model.encode(batch)
        sequences = begin + cut[batch.inverse.argsort().cpu().numpy()]
        first = table.offsets[sequences] + sequences - _rows(table, begin)
        others = np.repeat(first + 1, batch.lengths) + batch.positions.cpu().numpy()
        block[first], block[others] = (part.float().cpu().numpy() for part in (encoded.pooled, encoded.packed))
    return block


def _usable(path: Path, key: str, table: TokenTable, width: int) -> tuple[int, int]:
    """Return how many sequences have intact features in a file, and their checksum; 0, 0 without any."""
    with suppress(CheckpointError, OSError):
        facts = read_json(_facts_file(path))
        done = facts.get("sequences")
        if facts.get("key") == key and isinstance(done, int) and 0 < done <= len(table.lengths):
            with path.open("rb") as file:
                checksum = _checksum(file, 4 * width * _rows(table, done))
            if checksum is not None and checksum == facts.get("checksum"):
                return done, checksum
    return 0, 0


def _checksum(file: BinaryIO, size: int) -> int | None:
    """Return the checksum of the first bytes of a file, None if there are fewer."""
    checksum = 0
    while size:
        block = file.read(min(BLOCK, size))
        if not block:
            return None
        checksum, size = zlib.crc32(block, checksum), size - len(block)
    return checksum
