"""Devices are chosen or refused by name; products in bfloat16 give nearly the same model, gradient and step."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from commands import FEW, clean, cli
from factories import toy_model, toy_sources

from mtft.encoder.attention import has_varlen, packed_attention
from mtft.errors import ConfigError
from mtft.model.inference import apply
from mtft.model.multitask import to_device
from mtft.optimization.skip_unselected import skip_unselected_gradients
from mtft.runtime.devices import find_device, matmul_dtype
from mtft.testing.tiny import tiny_batch, tiny_encoder
from mtft.training.step import NotFiniteError, Stepper

SIZES = {"sst": 9, "quora": 8, "sts": 7}
CPU = torch.device("cpu")
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def test_auto_is_what_is_there() -> None:
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert find_device("cpu") == CPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"device: 'cuda' is not available .* \(allowed: auto, cpu\)"):
        find_device("cuda")


def test_precisions() -> None:
    assert matmul_dtype("fp32", CPU) is None
    assert matmul_dtype("bf16", CPU) is torch.bfloat16
    with pytest.raises(ConfigError, match="precision: 'tf32' needs device='cuda', not cpu"):
        matmul_dtype("tf32", CPU)


@pytest.mark.parametrize("rows", [False, True], ids=["all", "rows"])
def test_gradients_in_bfloat16_point_the_same_way(rows: bool) -> None:
    found = []
    for kind in (None, torch.bfloat16):
        model, flat = toy_model()
        to_device(model, flat, flat.theta.device, kind)
        if rows:
            skip_unselected_gradients(flat.module, torch.arange(0, len(flat), 50))
        sources = toy_sources(SIZES)
        stepper = Stepper(model, flat, sources, torch.arange(0, len(flat), 50) if rows else slice(None))
        result = stepper.step({name: np.arange(size) for name, size in SIZES.items()}, 1e-3, 0)
        found.append((torch.tensor(list(result.losses.values())), stepper.gradients.clone(), flat))
    (losses, exact, _), (low_losses, low, flat) = found
    torch.testing.assert_close(low_losses, losses, rtol=0.03, atol=0.03)
    assert not torch.equal(low, exact)
    assert bool((torch.cosine_similarity(low, exact) > 0.99).all())
    assert {parameter.dtype for parameter in flat.module.parameters()} == {torch.float32}
    assert bool(flat.theta.isfinite().all())


@pytest.mark.parametrize(("scale", "breaks"), [(1e6, False), (1e30, True)])
def test_what_overflows_in_bfloat16_is_named_and_changes_nothing(scale: float, breaks: bool) -> None:
    """Numbers beyond those of float16 are numbers; where even float32 ends, no step is taken."""
    model, flat = toy_model()
    to_device(model, flat, flat.theta.device, torch.bfloat16)
    stepper = Stepper(model, flat, toy_sources({"sst": 9, "sts": 7}), slice(None))
    layer: Any = model.encoder.get_submodule("layers.1")
    for part in (layer.output, layer.output_norm):
        part.weight.data *= scale
    before = {name: tensor.clone() for name, tensor in stepper.state().items()}
    rows = {"sst": np.arange(9), "sts": np.arange(7)}
    if breaks:
        with pytest.raises(
            NotFiniteError, match=r"step 1: the loss of task 'sst' is nan \(examples sst 0, .*no weight"
        ):
            stepper.step(rows, 1e-3, 0)
    else:
        assert np.isfinite(list(stepper.step(rows, 1e-3, 0).losses.values())).all()
        assert bool(stepper.gradients.isfinite().all())
    changed = [name for name, tensor in stepper.state().items() if not torch.equal(tensor, before[name])]
    assert bool(changed) is not breaks


def test_outputs_in_bfloat16_are_float32_and_close() -> None:
    outputs = []
    for kind in (None, torch.bfloat16):
        model, flat = toy_model()
        to_device(model, flat, flat.theta.device, kind)
        outputs.append(apply(model, toy_sources(SIZES)[0].table, ["sst"])["sst"])
    assert outputs[1].dtype == np.float32
    assert 0 < np.abs(outputs[0] - outputs[1]).max() < 0.05 * np.abs(outputs[0]).max()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_attention_in_bfloat16_with_dropout_has_finite_gradients(dropout: float) -> None:
    batch = tiny_batch(tiny_encoder(), [3, 4, 9, 9])
    qkv = torch.randn(batch.tokens, 48, device=batch.ids.device).bfloat16().requires_grad_()
    mixed = packed_attention(qkv, batch, 2, dropout)
    mixed.float().square().sum().backward()
    assert mixed.dtype == torch.bfloat16
    assert qkv.grad is not None
    assert bool(qkv.grad.isfinite().all())


def test_sequences_end_to_end_are_attended_on_cuda_alone() -> None:
    assert not has_varlen(torch.zeros(2, 48, dtype=torch.bfloat16), 2)


@pytest.mark.parametrize(
    ("size", "capability", "usable"),
    [
        (8, (8, 0), True),
        (64, (9, 0), True),
        (256, (12, 0), True),
        (64, (7, 5), False),
        (264, (9, 0), False),
        (20, (9, 0), False),
    ],
)
def test_flash_attention_needs_a_recent_device_and_fitting_heads(
    size: int, capability: tuple[int, int], usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch has it: its kernels begin at Ampere, and take heads of 8, 16, ..., 256 numbers."""
    monkeypatch.setattr("mtft.encoder.attention.find_spec", lambda _: object())
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    heads = 3
    on_cuda: Any = SimpleNamespace(is_cuda=True, dtype=torch.bfloat16, device="cuda:0", shape=(5, 3 * heads * size))
    assert has_varlen(on_cuda, heads) is usable
    on_cuda.dtype = torch.float32
    assert not has_varlen(on_cuda, heads)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_freed_memory_is_kept() -> None:
    """320 MiB freed and asked for again would cost 81,920 page faults if they were given back."""
    program = (
        "import resource, torch\nfrom mtft.runtime.devices import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "for _ in range(6):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    [torch.ones(1 << 22) for _ in range(20)]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], env=clean(), capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000


@NO_CUDA
def test_varlen_attention_equals_blocks() -> None:
    batch = tiny_batch(tiny_encoder(), [3, 4, 9, 9])
    qkv = torch.randn(batch.tokens, 48, device="cuda").bfloat16()
    assert has_varlen(qkv, 2)
    expected = packed_attention(qkv.clone().requires_grad_(), batch, 2)
    torch.testing.assert_close(packed_attention(qkv, batch, 2), expected.detach(), rtol=0.02, atol=0.02)


def test_the_commands_take_them(tiny_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    common = ("--sample", "--device", "cpu", "--precision", "bf16")
    done = cli("train", "--tasks", "sst,sts", "--model", tiny_model, "--out", run, *FEW, *common[1:])
    assert done.code == 0, done.err
    low, exact = (cli("eval", run, *options, "--resamples", "0", "--json").json for options in (common, common[:1]))
    assert low != exact
    kept = cli("refine", run, "--tasks", "sts", "--out", tmp_path / "refined", "--epochs", "1", *common)
    assert kept.code == 0, kept.err
    assert len(cli("predict", run, *common[1:], stdin="one text\nanother text\n").lines) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "gpu"), "auto, cpu, cuda, mps"),
        (("--precision", "tf32", "--device", "cpu"), "needs --device cuda"),
    ],
)
def test_what_is_not_there_is_refused(options: tuple[str, ...], said: str, tiny_model: Path, tmp_path: Path) -> None:
    done = cli("train", "--tasks", "sst", "--model", tiny_model, "--out", tmp_path / "run", *FEW, *options)
    assert done.code == 2
    assert said in done.err
    assert list(tmp_path.iterdir()) == []
