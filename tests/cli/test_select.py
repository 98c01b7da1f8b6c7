"""`mtft select`: what it prints and writes, and how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from commands import TASKS, cli

from mtft.selection.mask import jaccard, load_mask
from mtft.testing.tiny import tiny_encoder

SELECT = ("select", "--sample", "--batches", "1")


def test_json_says_what_the_mask_holds(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks" / "all.safetensors"
    done = cli(*SELECT, "--tasks", ",".join(TASKS), "--model", tiny_model, "--out", out, "--keep", "0.25", "--json")
    result, mask = done.json, load_mask(out)
    assert list(result) == ["path", "selected", "total", "layers", "kinds"]
    assert (result["path"], result["selected"], result["total"]) == (str(out), 1644, 6576)
    assert len(mask.indices) == 1644
    assert list(result["layers"]) == ["embeddings", "layers.0", "layers.1", "pooler"]
    assert len(result["kinds"]) == 5 + 12 + 2
    kept = torch.zeros(6576)
    kept[mask.indices] = 1
    parts = kept.split([parameter.numel() for parameter in tiny_encoder().parameters()])
    names = [name for name, _ in tiny_encoder().named_parameters()]
    for layer, share in result["layers"].items():
        own = torch.cat([part for name, part in zip(names, parts, strict=True) if name.startswith(f"{layer}.")])
        assert share == pytest.approx(float(own.mean()))
    for kind, share in result["kinds"].items():
        own = torch.cat([part for name, part in zip(names, parts, strict=True) if f".{name}".endswith(f".{kind}")])
        assert share == pytest.approx(float(own.mean()))
    assert mask.method["tasks"] == "sst,quora,sts"
    assert mask.method["sources"] == "sst,quora,sts,cfimdb,quora-consistency,sts-consistency"
    assert "selecting 25% of 6,576 encoder weights by sum" in done.err


def test_a_table_for_people_and_silence_when_asked(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*SELECT, "--tasks", "sts", "--model", tiny_model, "--score", "magnitude")
    assert done.out.splitlines()[0].split() == ["part", "share", "kept"]
    assert done.err.splitlines()[-1] == ("1,972 of 6,576 encoder weights selected; mask: masks/sts.safetensors")
    done = cli(*SELECT, "--tasks", "sts", "--model", tiny_model, "--score", "magnitude", "--quiet")
    assert (done.code, done.err) == (0, "")
    first, second = Path("masks/sts.safetensors"), Path("masks/sts-2.safetensors")
    assert first.read_bytes() == second.read_bytes()


def test_each_way_of_scoring_gives_another_mask(tiny_model: Path, tmp_path: Path) -> None:
    masks = {}
    for options in (
        ("sum",),
        ("abs",),
        ("fisher",),
        ("random",),
        ("magnitude",),
        ("bitfit",),
        ("sum", "--scope", "tensor"),
        ("sum", "--granularity", "row"),
        ("sum", "--granularity", "tensor"),
        ("sum", "--combine", "normalised"),
        ("random", "--seed", "1"),
    ):
        out = tmp_path / f"{'-'.join(options)}.safetensors"
        done = cli(*SELECT, "--tasks", "sst,sts", "--model", tiny_model, "--out", out, "--score", *options, "--json")
        masks[options] = load_mask(out)
        assert done.json["selected"] == len(masks[options].indices) <= 1973
    found = list(masks.values())
    assert all(jaccard(a, b) < 1 for place, a in enumerate(found) for b in found[:place])
    assert jaccard(masks["sum",], masks["abs",]) > jaccard(masks["sum",], masks["random",])


def test_rows_are_selected_whole(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.safetensors"
    cli(*SELECT, "--tasks", "sts", "--model", tiny_model, "--out", out, "--granularity", "row", "--keep", "0.1")
    mask = load_mask(out)
    assert mask.method["granularity"] == "row"
    start = 0
    chosen = torch.zeros(mask.total, dtype=torch.bool)
    chosen[mask.indices] = True
    for parameter in tiny_encoder().parameters():
        rows = chosen[start : start + parameter.numel()].view(len(parameter), -1)
        assert torch.equal(rows.all(1), rows.any(1))
        start += parameter.numel()


def test_keeping_everything_scores_nothing(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "full.safetensors"
    done = cli(*SELECT, "--tasks", "sts", "--model", tiny_model, "--out", out, "--keep", "1")
    assert "selecting" not in done.err
    assert torch.equal(load_mask(out).indices, torch.arange(6576))
    assert out.stat().st_size < 1000


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--tasks", "stss"], ["unknown task 'stss'; did you mean 'sts'?"]),
        (["--score", "summ"], ["--score: unknown score 'summ'; did you mean 'sum'? (allowed: abs, "]),
        (["--keep", "30%"], ["flag --keep: "]),
        (["--keep", "1.5"], ["flag --keep: "]),
        (["--augment", "cfimdb"], ["--augment: unknown source of these tasks 'cfimdb'"]),
        (["--max-length", "512"], ["--max-length is 512; the model has 48 positions"]),
        (["--no-sample", "--data-dir", "/no/such"], ["--data-dir: /no/such is not a directory"]),
        (["--scope", "tensor", "--granularity", "row"], ["--scope tensor ranks single weights, not a row"]),
        (
            ["--granularity", "tensor", "--keep", "0.001"],
            ["--keep: 6 weights hold no whole group, the smallest"],
        ),
        (["--surgery", "sum"], ["no such option", "--surgery"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    options: list[str], parts: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mask.safetensors"
    done = cli(
        *SELECT, *([] if "--tasks" in options else ["--tasks", "sts"]), "--model", tiny_model, "--out", out, *options
    )
    assert (done.code, done.out) == (2, "")
    for part in parts:
        assert part.lower() in done.err.lower()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_there(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask.safetensors"
    out.write_text("mine")
    options = (*SELECT, "--tasks", "sts", "--model", tiny_model, "--score", "random")
    done = cli(*options, "--out", out)
    assert (done.code, out.read_text()) == (2, "mine")
    assert f"--out: {out} exists; choose another or give --overwrite" in done.err
    assert cli(*options, "--out", out, "--overwrite").code == 0
    assert load_mask(out).method["score"] == "random"
    done = cli(*options, "--out", tmp_path, "--overwrite")
    assert (done.code, done.err) == (2, f"mtft: error: --out: {tmp_path} is a directory; a mask is a file\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mask.safetensors"]
