"""The mask file: what is saved comes back, equal masks are equal bytes, and nothing damaged is taken for a mask."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import gap_code, gap_decode
from safetensors.numpy import load_file, save_file

from mtft.errors import CheckpointError
from mtft.selection.mask import Mask, jaccard, load_mask, save_mask

METHOD = {"score": "sam", "keep": "0.3", "scope": "überall"}
EXAMPLES = {
    "all": Mask(torch.arange(20), 20, "d1", METHOD),
    "bitmask": Mask(torch.tensor([0, 1, 2, 5, 9, 11, 12, 18]), 19, "d2", METHOD),
    "gaps": Mask(torch.tensor([0, 1, 130, 400, 20_000, 60_000]), 60_001, "d3", METHOD),
}
examples = pytest.mark.parametrize("coding", EXAMPLES)
method_texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


def assert_equal(found: Mask, expected: Mask) -> None:
    assert found.indices.dtype == torch.int64
    assert torch.equal(found.indices, expected.indices)
    assert (found.total, found.base_digest, dict(found.method)) == (
        expected.total,
        expected.base_digest,
        dict(expected.method),
    )


def metadata(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    fields: dict[str, str] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return fields


# ---- Round trips


@examples
def test_each_coding_round_trips(coding: str, tmp_path: Path) -> None:
    save_mask(tmp_path / "mask.safetensors", EXAMPLES[coding])
    assert metadata(tmp_path / "mask.safetensors")["coding"] == coding
    assert_equal(load_mask(str(tmp_path / "mask.safetensors")), EXAMPLES[coding])


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 300) | st.integers(1, 2**31), st.data(), st.text(max_size=8), method_texts)
def test_any_mask_round_trips(total: int, data: st.DataObject, digest: str, method: dict[str, str]) -> None:
    chosen = data.draw(st.sets(st.integers(0, total - 1), min_size=1, max_size=min(total, 300)))
    if total > 10**6:  # a bitmask of 2^31 weights would take its time: stay with gaps, of every length
        chosen |= {total - 1}
    mask = Mask(torch.tensor(sorted(chosen)), total, digest, method)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mask")
        save_mask(path, mask)
        assert_equal(load_mask(path), mask)
        payload, coding = load_file(path)["mask"].tobytes(), metadata(path)["coding"]
    sizes = {"bitmask": (total + 7) // 8, "gaps": len(gap_code(sorted(chosen)))}
    assert len(payload) == (0 if coding == "all" else min(sizes.values()))
    if coding == "gaps":
        assert payload == gap_code(sorted(chosen))
        assert gap_decode(payload) == sorted(chosen)


@pytest.mark.parametrize("keep", [0.001, 0.03, 0.12, 0.3, 0.999])
def test_a_large_mask_round_trips(keep: float, tmp_path: Path) -> None:
    chosen = torch.rand(300_000, generator=torch.Generator().manual_seed(0)) < keep
    mask = Mask(chosen.nonzero().flatten(), 300_000, "digest", {})
    save_mask(tmp_path / "mask", mask)
    assert_equal(load_mask(tmp_path / "mask"), mask)


def test_the_payloads_are_pinned(tmp_path: Path) -> None:
    expected = {"all": "", "bitmask": "271a04", "gaps": "000080018d028f9901bfb802"}
    for coding, mask in EXAMPLES.items():
        save_mask(tmp_path / coding, mask)
        assert load_file(tmp_path / coding)["mask"].tobytes().hex() == expected[coding]


@examples
def test_the_file_is_plain_safetensors_with_text_metadata(coding: str, tmp_path: Path) -> None:
    save_mask(tmp_path / "mask", EXAMPLES[coding])
    tensors, fields, mask = load_file(tmp_path / "mask"), metadata(tmp_path / "mask"), EXAMPLES[coding]
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {"mask": np.uint8}
    assert len(fields.pop("checksum")) == 64
    assert fields == {
        "format": "mtft-mask",
        "version": "1",
        "coding": coding,
        "selected": str(len(mask.indices)),
        "total": str(mask.total),
        "base_digest": mask.base_digest,
        "method": json.dumps(METHOD, sort_keys=True),
    }


@examples
def test_equal_masks_give_equal_bytes(coding: str, tmp_path: Path) -> None:
    mask = EXAMPLES[coding]
    turned = Mask(mask.indices.clone(), mask.total, mask.base_digest, dict(reversed(METHOD.items())))
    save_mask(tmp_path / "first", mask)
    save_mask(tmp_path / "second", turned)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_write_that_fails_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("disk full")

    save_mask(tmp_path / "mask", EXAMPLES["gaps"])
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        save_mask(tmp_path / "mask", EXAMPLES["bitmask"])
    assert_equal(load_mask(tmp_path / "mask"), EXAMPLES["gaps"])


# ---- Damage


@examples
def test_a_flipped_bit_in_any_byte_is_found(coding: str, tmp_path: Path) -> None:
    path = tmp_path / "mask"
    save_mask(path, EXAMPLES[coding])
    data = path.read_bytes()
    for index in range(len(data)):
        flipped = bytearray(data)
        flipped[index] ^= 1 << (index + index // 8) % 8
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=r"^mask file .*mask: "):
            load_mask(path)


@examples
def test_every_truncation_and_addition_is_found(coding: str, tmp_path: Path) -> None:
    path = tmp_path / "mask"
    save_mask(path, EXAMPLES[coding])
    data = path.read_bytes()
    for damaged in (*(data[:size] for size in range(len(data))), data + b"\0", b"\0" + data):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"^mask file .*mask: "):
            load_mask(path)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mask").write_bytes(data)
        with pytest.raises(CheckpointError, match="not a safetensors file"):
            load_mask(Path(folder, "mask"))


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(CheckpointError, match="not readable"):
            load_mask(path)


# ---- Forgeries: files that are sound in themselves, checksum and all


def forge(path: Path, payload: bytes, tensors: dict[str, Any] | None = None, **changes: str | None) -> None:
    """Write a mask file with a true checksum; a change to None drops a field."""
    fields = {
        "format": "mtft-mask",
        "version": "1",
        "coding": "bitmask",
        "selected": "3",
        "total": "10",
        "base_digest": "d",
        "method": "{}",
    }
    kept = {name: text for name, text in (fields | changes).items() if text is not None}
    checksum = hashlib.sha256(json.dumps(kept, sort_keys=True).encode() + payload).hexdigest()
    entries = {"mask": np.frombuffer(payload, np.uint8).copy()} if tensors is None else tensors
    save_file(entries, path, metadata=kept | {"checksum": checksum})


def test_the_forger_can_write_good_masks(tmp_path: Path) -> None:
    forge(tmp_path / "mask", b"\x07\x00")
    assert load_mask(tmp_path / "mask").indices.tolist() == [0, 1, 2]
    forge(tmp_path / "mask", b"\x00\x00\x07", coding="gaps")
    assert load_mask(tmp_path / "mask").indices.tolist() == [0, 1, 9]
    forge(tmp_path / "mask", b"", coding="all", selected="10")
    assert load_mask(tmp_path / "mask").indices.tolist() == list(range(10))


BITS = b"\x07\x00"
FORGERIES: list[tuple[bytes, dict[str, Any], str]] = [
    (BITS, {"format": None}, "its format is None, allowed: 'mtft-mask'"),
    (BITS, {"format": "pt"}, "its format is 'pt', allowed: 'mtft-mask'"),
    (BITS, {"version": "2"}, "its version is '2', allowed: '1'"),
    (BITS, {"method": None}, "its metadata are .* allowed: "),
    (BITS, {"extra": "x"}, "its metadata are .*'extra'.* allowed: "),
    (BITS, {"coding": "runs"}, "its coding is 'runs', allowed: all, bitmask, gaps"),
    (BITS, {"total": "0"}, "its total is '0', allowed: 1 to 2147483648"),
    (BITS, {"total": "-5"}, "its total is '-5'"),
    (BITS, {"total": "1e3"}, "its total is '1e3'"),
    (BITS, {"total": "٣"}, "its total is '٣'"),
    (BITS, {"total": "9" * 5000}, "its total is '99999999999999999999'"),
    (b"", {"total": "4294967296", "selected": "4294967296", "coding": "all"}, "its total is '4294967296'"),
    (BITS, {"selected": "0"}, "its selected is '0', allowed: 1 to 10"),
    (BITS, {"selected": "11"}, "its selected is '11', allowed: 1 to 10"),
    (BITS, {"selected": "4"}, "the bitmask selects 3 weights, the metadata says 4"),
    (BITS, {"total": "17"}, "3 of 17 weights coded as 'bitmask' take 2 bytes, allowed: 3 to 3"),
    (BITS, {"total": "8"}, "take 2 bytes, allowed: 1 to 1"),
    (b"\x03\x04", {}, "the bitmask goes on after its 10 bits"),
    (b"", {"coding": "all"}, "it selects 3 of 10 weights, allowed for coding 'all': 10"),
    (b"\x00", {"coding": "all", "selected": "10"}, "take 1 bytes, allowed: 0 to 0"),
    (b"\x00\x00", {"coding": "gaps"}, "take 2 bytes, allowed: 3 to 15"),
    (b"\x00\x00\x80", {"coding": "gaps"}, "the last gap is cut off"),
    (b"\x80\x80\x80", {"coding": "gaps"}, "the last gap is cut off"),
    (b"\x00\x00\x00\x80", {"coding": "gaps"}, "the last gap is cut off"),
    (b"\x00\x00\x00\x00", {"coding": "gaps"}, "the gaps are those of 4 weights"),
    (b"\x00\x00\x80\x00", {"coding": "gaps"}, "not in its shortest code"),
    (b"\x00\x80\x80\x80\x80\x80\x01\x00", {"coding": "gaps"}, "not in its shortest code of up to 5 bytes"),
    (b"\x00\x00\x08", {"coding": "gaps"}, "indices reach from 0 to 10, allowed: 0 to 9"),
    (BITS, {"method": "[]"}, "its method is '\\[\\]', allowed: a mapping"),
    (BITS, {"method": '{"a": 1}'}, "its method is"),
    (BITS, {"method": "{"}, "mask: "),
    (BITS, {"method": "[" * 100_000}, "its method is"),
    (BITS, {"tensors": {"mask": np.zeros(2, np.int8)}}, "its tensor is I8"),
    (BITS, {"tensors": {"mask": np.zeros((1, 2), np.uint8)}}, r"its tensor is U8 of shape \[1, 2\]"),
    (BITS, {"tensors": {"bits": np.zeros(2, np.uint8)}}, r"its tensors are \['bits'\], allowed: \['mask'\]"),
    (BITS, {"tensors": {"mask": np.zeros(2, np.uint8), "b": np.zeros(1)}}, r"its tensors are \['b', 'mask'\]"),
    (BITS, {"tensors": {"mask": np.array([11, 0], np.uint8)}}, "its checksum does not match, it is damaged"),
]


@pytest.mark.parametrize(("payload", "changes", "message"), FORGERIES)
def test_forgeries_are_refused(payload: bytes, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    forge(tmp_path / "mask", payload, **changes)
    with pytest.raises(CheckpointError, match=f"mask file .*{message}"):
        load_mask(tmp_path / "mask")


def test_gaps_whose_sum_overflows_are_refused(tmp_path: Path) -> None:
    """2^29 steps of almost 2^35 would wrap; fewer, of the longest code, must already be out of range."""
    forge(tmp_path / "mask", b"\xff\xff\xff\xff\x7f" * 1000, coding="gaps", selected="1000", total="2147483648")
    with pytest.raises(CheckpointError, match="indices reach from"):
        load_mask(tmp_path / "mask")


def test_a_caller_may_say_which_total_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "mask"
    forge(path, b"", coding="all", selected=str(2**31), total=str(2**31))
    with pytest.raises(CheckpointError, match="its total is 2147483648, allowed: 20"):
        load_mask(path, total=20)
    save_mask(path, EXAMPLES["all"])
    assert_equal(load_mask(path, total=20), EXAMPLES["all"])


# ---- Masks in memory


@pytest.mark.parametrize(
    ("indices", "total", "message"),
    [
        (torch.tensor([0]), 0, "total is 0, allowed: 1 to"),
        (torch.tensor([0]), 2**32, "total is 4294967296, allowed: 1 to"),
        (torch.tensor([0], dtype=torch.int32), 5, "indices are torch.int32"),
        (torch.tensor([[0]]), 5, r"of shape \[1, 1\]"),
        (torch.tensor([], dtype=torch.int64), 5, "0 indices are selected, allowed: 1 to 5"),
        (torch.arange(6), 5, "6 indices are selected, allowed: 1 to 5"),
        (torch.tensor([1, 1]), 5, "not strictly increasing"),
        (torch.tensor([2, 1]), 5, "not strictly increasing"),
        (torch.tensor([-1, 1]), 5, "indices reach from -1 to 1, allowed: 0 to 4"),
        (torch.tensor([1, 5]), 5, "indices reach from 1 to 5, allowed: 0 to 4"),
    ],
)
def test_a_mask_that_is_none_is_refused(indices: torch.Tensor, total: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mask(indices, total, "", {})


@given(st.sets(st.integers(0, 30), min_size=1), st.sets(st.integers(0, 30), min_size=1))
def test_jaccard_is_that_of_sets(a: set[int], b: set[int]) -> None:
    first, second = (Mask(torch.tensor(sorted(chosen)), 31, "", {}) for chosen in (a, b))
    assert jaccard(first, second) == jaccard(second, first) == len(a & b) / len(a | b)


def test_masks_of_different_totals_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="masks of 20 and 19 weights"):
        jaccard(EXAMPLES["all"], EXAMPLES["bitmask"])
