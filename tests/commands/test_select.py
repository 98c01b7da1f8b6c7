"""What `mtft select` reports of masks that are there, and how shares are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from commands import cli

from mtft.commands.select import kind_of, layer_of, shares
from mtft.model.flat import FlatParameters
from mtft.selection.mask import Mask
from mtft.testing.tiny import tiny_encoder, write_tiny_model

ANEW = {"TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_MAX_RESTARTS": "3"}


@pytest.fixture
def select(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """A selection that reads little, and writes `mask`."""
    monkeypatch.chdir(tmp_path)
    return ("select", "--tasks", "sts", "--sample", "--model", tiny_model, "--batches", "1", "--out", "mask")


def stamp(path: Path) -> tuple[int, int, int]:
    """Return what another file at a path, or other content, would have otherwise; not when it was read."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_processes_started_anew_after_the_mask_was_written_report_it(
    overwrite: tuple[str, ...], select: tuple[object, ...]
) -> None:
    first = cli(*select, *overwrite, "--json", TORCHELASTIC_MAX_RESTARTS="3")
    before = stamp(Path("mask"))
    again = cli(*select, *overwrite, "--json", **ANEW)
    assert again.json == first.json
    assert again.err == "mask is complete: nothing is left to do\n"
    assert stamp(Path("mask")) == before


def test_processes_started_anew_take_no_other_mask_for_theirs(select: tuple[object, ...], tmp_path: Path) -> None:
    assert cli(*select).code == 0
    other = write_tiny_model(tmp_path / "other", seed=1)
    for options in (("--keep", "0.1"), ("--seed", "1"), ("--model", other)):
        done = cli(*select, *options, **ANEW)
        assert done.code == 2
        assert "--out: mask exists; choose another or give --overwrite" in done.err
    assert cli(*select, "--keep", "0.1", "--overwrite", "--json", **ANEW).json["selected"] == 657
    Path("mask").write_text("mine")
    assert cli(*select, **ANEW).code == 2


def test_a_complete_mask_is_reported_when_it_is_to_go_on(select: tuple[object, ...], tiny_model: Path) -> None:
    first = cli(*select, "--json")
    again = cli("select", "--resume", "mask", "--model", tiny_model)
    assert again.code == 0
    assert "1,972 of 6,576 encoder weights selected; mask: mask" in again.err
    shown = {line.split()[0]: line.split()[1] for line in again.out.splitlines()[1:]}
    assert shown.keys() == {*first.json["layers"], *first.json["kinds"]}
    quiet = cli("select", "--resume", "mask", "--model", tiny_model, "--quiet")
    assert (quiet.code, quiet.err, quiet.out) == (0, "", again.out)


def test_a_mask_of_another_base_is_reported_without_shares(select: tuple[object, ...], tmp_path: Path) -> None:
    first = cli(*select, "--json")
    for model, problem in ((write_tiny_model(tmp_path / "other", seed=1), "made for other base"), ("/none", "/none")):
        again = cli("select", "--resume", "mask", "--model", model, "--json")
        assert again.json == {**first.json, "layers": {}, "kinds": {}}
        assert "mask: shares of layers are not known" in again.err
        assert problem in again.err


def test_a_directory_is_no_mask(select: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "mask").mkdir()
    for given in ((*select, "--overwrite"), ("select", "--resume", "mask", "--tasks", "sts")):
        assert cli(*given).code == 2


def test_shares_are_of_the_weights_of_each_part() -> None:
    flat = FlatParameters(tiny_encoder())
    indices = torch.arange(1, len(flat), 3)
    mask = Mask(indices, len(flat), "0" * 64, {})
    chosen = torch.zeros(len(flat)).index_fill_(0, indices, 1.0).split(flat.sizes)
    for part_of in (layer_of, kind_of):
        found = shares(flat, mask, part_of)
        for part, share in found.items():
            own = torch.cat([each for name, each in zip(flat.names, chosen, strict=True) if part_of(name) == part])
            assert share == pytest.approx(float(own.mean()))
        assert list(found) == list(dict.fromkeys(map(part_of, flat.names)))


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("layers.3.norm.bias", "layers.3", "norm.bias"),
        ("encoder.layer.11.attention.weight", "encoder.layer.11", "attention.weight"),
        ("embeddings.word.weight", "embeddings", "embeddings.word.weight"),
        ("pooler.bias", "pooler", "pooler.bias"),
    ],
)
def test_names_of_tensors_are_taken_apart(name: str, layer: str, kind: str) -> None:
    assert (layer_of(name), kind_of(name)) == (layer, kind)
