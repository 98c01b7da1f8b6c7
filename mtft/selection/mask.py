"""The mask file: which of a base model's P weights are trained, how they were chosen, and for which base.

A safetensors file with one uint8 tensor `mask` and text metadata. The tensor has the smallest of three codings:

    all      nothing, every weight is selected
    bitmask  one bit per weight, lowest bit first, [ceil(P / 8)]
    gaps     LEB128 varints: the weights skipped before each selected one, seven bits a byte, lowest first

Equal masks give equal bytes, and a checksum covers all bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mtft.errors import CheckpointError
from mtft.io.files import write_bytes

FORMAT, VERSION = "mtft-mask", "1"
MAX_TOTAL = 1 << 31  # weights: far above any BERT, and a gap fits in 5 bytes
_FIELDS = ("base_digest", "coding", "format", "method", "selected", "total", "version")
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mask:
    """A selection of `total` weights: `indices` [k] int64, strictly increasing.

    `base_digest` identifies the weights for which it was chosen, and `method` describes how. ValueError if indices are
    of another type, empty, out of order or out of range.
    """

    indices: Tensor
    total: int
    base_digest: str
    method: Mapping[str, str]

    def __post_init__(self) -> None:
        indices, total = self.indices, self.total
        if not 1 <= total <= MAX_TOTAL:
            raise ValueError(f"total is {total}, allowed: 1 to {MAX_TOTAL}")
        if indices.dtype != torch.int64 or indices.ndim != 1:
            raise ValueError(f"indices are {indices.dtype} of shape {list(indices.shape)}, allowed: torch.int64 [k]")
        if not 1 <= len(indices) <= total:
            raise ValueError(f"{len(indices)} indices are selected, allowed: 1 to {total}")
        if not bool((indices[1:] > indices[:-1]).all()):
            raise ValueError("indices are not strictly increasing")
        low, high = int(indices[0]), int(indices[-1])
        if low < 0 or high >= total:
            raise ValueError(f"indices reach from {low} to {high}, allowed: 0 to {total - 1}")


def jaccard(a: Mask, b: Mask) -> float:
    """Of the weights that either mask selects, the share that both select, 0 to 1; ValueError for unequal totals."""
    if a.total != b.total:
        raise ValueError(f"masks of {a.total} and {b.total} weights cannot be compared")
    member = torch.zeros(a.total, dtype=torch.bool)
    member[a.indices] = True
    both = int(member[b.indices].sum())
    return both / (len(a.indices) + len(b.indices) - both)


def save_mask(path: Path | str, mask: Mask) -> None:
    """Write `mask` to `path` atomically."""
    coding, payload = _encode(mask)
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "coding": coding,
        "selected": str(len(mask.indices)),
        "total": str(mask.total),
        "base_digest": mask.base_digest,
        "method": json.dumps(dict(mask.method), sort_keys=True),
    }
    tensor = {"dtype": "U8", "shape": [len(payload)], "data_offsets": [0, len(payload)]}
    metadata = fields | {"checksum": _checksum(fields, payload)}
    header = json.dumps({"__metadata__": metadata, "mask": tensor}, sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    write_bytes(Path(path), len(header).to_bytes(8, "little") + header + payload.tobytes())


def load_mask(path: Path | str, total: int | None = None) -> Mask:
    """Read a mask file; CheckpointError names the file, the value found and the allowed values.

    Everything is checked before it is decoded. The file of a full mask is small whatever its total, so callers should
    give the `total` that they need, if known; a file with another total is then refused.
    """
    try:
        fields, payload = _read(Path(path))
        coding, count, selected = _check_fields(fields, len(payload))
        if total not in (None, count):
            raise ValueError(f"its total is {count}, allowed: {total}")
        if fields.pop("checksum") != _checksum(fields, payload):
            raise ValueError("its checksum does not match, it is damaged")
        return Mask(_decode(coding, payload, count, selected), count, fields["base_digest"], _method(fields["method"]))
    except SafetensorError as error:
        raise CheckpointError(f"mask file {path}: not a safetensors file: {error}") from None
    except OSError as error:
        raise CheckpointError(f"mask file {path}: not readable: {error.strerror or error}") from None
    except ValueError as error:
        raise CheckpointError(f"mask file {path}: {error}") from None


def _encode(mask: Mask) -> tuple[str, Bytes]:
    """Name and bytes of the smallest coding; the bitmask if gaps take equally many."""
    indices: Indices = mask.indices.cpu().numpy()
    if len(indices) == mask.total:
        return "all", np.empty(0, np.uint8)
    size = -(-mask.total // 8)
    if len(indices) < size:
        gaps = np.diff(indices, prepend=-1) - 1
        lengths = _varint_lengths(gaps)
        if int(lengths.sum(dtype=np.int64)) < size:
            return "gaps", _varints(gaps, lengths)
    member = np.zeros(mask.total, np.bool_)
    member[indices] = True
    return "bitmask", np.packbits(member, bitorder="little")


def _varint_lengths(values: Indices) -> Bytes:
    """Bytes [k] that each non-negative value takes as a varint."""
    lengths = np.ones(len(values), np.uint8)
    limit = 1 << 7
    while limit <= MAX_TOTAL and (longer := values >= limit).any():
        lengths += longer
        limit <<= 7
    return lengths


def _varints(values: Indices, lengths: Bytes) -> Bytes:
    """LEB128 code of non-negative values [k] of known lengths [k]."""
    ends = np.cumsum(lengths, dtype=np.int64)
    starts = ends - lengths
    code = np.empty(int(ends[-1]), np.uint8)
    for index in range(int(lengths.max())):
        more = np.flatnonzero(lengths > index)
        low = (values[more] >> 7 * index & 0x7F).astype(np.uint8)
        code[starts[more] + index] = low | (lengths[more] > index + 1).astype(np.uint8) << 7
    return code


def _decode(coding: str, payload: Bytes, total: int, selected: int) -> Tensor:
    """Indices [k] of a payload of checked size; ValueError if it does not code `selected` of `total` weights."""
    if coding == "all":
        return torch.arange(total)
    if coding == "gaps":
        return torch.from_numpy(_from_varints(payload, selected))
    if total % 8 and payload[-1] >> total % 8:
        raise ValueError(f"the bitmask goes on after its {total} bits")
    member = np.unpackbits(payload, bitorder="little", count=total)
    if (found := int(np.count_nonzero(member))) != selected:
        raise ValueError(f"the bitmask selects {found} weights, the metadata says {selected}")
    return torch.from_numpy(np.flatnonzero(member))


def _from_varints(code: Bytes, selected: int) -> Indices:
    """Indices [k] from the LEB128 code of their gaps; `Mask` checks their range."""
    ends = np.flatnonzero(code < 0x80)
    if code[-1] >= 0x80:
        raise ValueError("the last gap is cut off")
    if len(ends) != selected:
        raise ValueError(f"the gaps are those of {len(ends)} weights, the metadata says {selected}")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > 5 or bool((code[ends[lengths > 1]] == 0).any()):
        raise ValueError("a gap is not in its shortest code of up to 5 bytes")
    steps = np.ones(selected, np.int64)
    for index in range(longest):
        more = np.flatnonzero(lengths > index)
        steps[more] += (code[starts[more] + index].astype(np.int64) & 0x7F) << 7 * index
    return np.cumsum(steps) - 1


def _read(path: Path) -> tuple[dict[str, str], Bytes]:
    """Metadata and bytes of a safetensors file that holds only the tensor of a mask."""
    with path.open("rb"), safe_open(path, framework="numpy") as file:
        fields = dict(file.metadata() or {})
        if fields.get("format") != FORMAT:
            raise ValueError(f"its format is {fields.get('format')!r}, allowed: {FORMAT!r}")
        if fields.get("version") != VERSION:
            raise ValueError(f"its version is {fields.get('version')!r}, allowed: {VERSION!r}")
        if set(fields) != {*_FIELDS, "checksum"}:
            raise ValueError(f"its metadata are {sorted(fields)}, allowed: {sorted({*_FIELDS, 'checksum'})}")
        if list(file.keys()) != ["mask"]:
            raise ValueError(f"its tensors are {sorted(file.keys())}, allowed: ['mask']")
        entry = file.get_slice("mask")
        if entry.get_dtype() != "U8" or len(entry.get_shape()) != 1:
            raise ValueError(f"its tensor is {entry.get_dtype()} of shape {entry.get_shape()}, allowed: U8 [bytes]")
        return fields, file.get_tensor("mask")


def _check_fields(fields: Mapping[str, str], size: int) -> tuple[str, int, int]:
    """Coding, total and selected, checked against each other and against the `size` of the payload in bytes."""
    coding = fields["coding"]
    total = _count("total", fields["total"], MAX_TOTAL)
    selected = _count("selected", fields["selected"], total)
    bits = -(-total // 8)
    sizes = {"all": (0, 0), "bitmask": (bits, bits), "gaps": (selected, 5 * selected)}
    if coding not in sizes:
        raise ValueError(f"its coding is {coding!r}, allowed: {', '.join(sizes)}")
    low, high = sizes[coding]
    if not low <= size <= high:
        found = f"{selected} of {total} weights coded as {coding!r} take {size} bytes"
        raise ValueError(f"{found}, allowed: {low} to {high}")
    if coding == "all" and selected != total:
        raise ValueError(f"it selects {selected} of {total} weights, allowed for coding 'all': {total}")
    return coding, total, selected


def _count(name: str, text: str, highest: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 13 else 0
    if not 1 <= number <= highest:
        raise ValueError(f"its {name} is {text[:20]!r}, allowed: 1 to {highest}")
    return number


def _method(text: str) -> dict[str, str]:
    try:
        method = json.loads(text)
    except RecursionError:
        method = None
    if not isinstance(method, dict) or not all(isinstance(value, str) for value in method.values()):
        raise ValueError(f"its method is {text[:80]!r}, allowed: a mapping from names to texts")
    return method


def _checksum(fields: Mapping[str, str], payload: Bytes) -> str:
    """SHA-256 over metadata and payload."""
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    digest.update(payload.data)
    return digest.hexdigest()
