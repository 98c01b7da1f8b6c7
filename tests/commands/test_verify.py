"""`mtft.commands.verify`, called directly: what is counted, and which file is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mtft.commands.verify import verify, verify_mask
from mtft.config.schema import VerifyConfig
from mtft.errors import CheckpointError
from mtft.io.digests import read_digests
from mtft.plugin.context import new_context


def test_a_whole_run_has_no_problems_and_answers_with_the_same_bits(trained_run: Path, tiny_model: Path) -> None:
    found = verify(trained_run, VerifyConfig(), new_context())
    assert (found.path, found.kind, found.finished, found.problems) == (trained_run, "run", True, ())
    assert (found.probe, found.base) == ("the same bits", str(tiny_model))
    parts = [path.parent for path in trained_run.rglob("digests.json")]
    listed = [path for part in parts for path in map(part.joinpath, read_digests(part))]
    assert (found.files, found.bytes) == (len(listed), sum(path.stat().st_size for path in listed))
    assert {path.name for path in listed} >= {"config.toml", "mask.safetensors", "summary.json", "heads.safetensors"}


def test_a_flipped_byte_is_found_in_its_file(trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained_run, tmp_path / "run"))
    content = bytearray((run / "model" / "heads.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "model" / "heads.safetensors").write_bytes(content)
    found = verify(run, VerifyConfig(), new_context())
    assert [problem.file for problem in found.problems] == ["model/heads.safetensors"]
    assert found.probe == "not run"


def test_a_mask_is_one_file_and_damage_is_an_error(trained_run: Path, tmp_path: Path) -> None:
    mask = Path(shutil.copy(trained_run / "mask.safetensors", tmp_path / "mask"))
    found = verify_mask(mask)
    assert (found.kind, found.files, found.bytes, found.problems) == ("mask", 1, mask.stat().st_size, ())
    mask.write_bytes(mask.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="mask"):
        verify_mask(mask)
