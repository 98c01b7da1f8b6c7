"""Where tensors live and how precisely they are multiplied; weights, gradients and moments are always float32."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from mtft.errors import ConfigError, setting
from mtft.runtime import processes


def find_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is CUDA if there is one, else the CPU. ConfigError if it is not there.

    Of the processes that ``torchrun`` starts on one machine, each gets a CUDA device of its own.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if there["cuda"] else "cpu"
    if not there.get(name):
        allowed = ", ".join(["auto", *(key for key, found in there.items() if found)])
        raise ConfigError(
            f"{name!r} is not available to torch {torch.__version__} here (allowed: {allowed})", setting="device"
        )
    if name != "cuda":
        return torch.device(name)
    number, count = processes.local_rank(), torch.cuda.device_count()
    if number >= count:
        raise ConfigError(
            f"local process {number} finds {count} CUDA devices; start at most one for each", setting="device"
        )
    return torch.device("cuda", number)


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed tensors, where its C library is glibc.

    By default large blocks go back to the kernel at once and come again page by page, zeroed: with activations of some
    megabytes each, 100,000 page faults in a training step.
    """
    keep, top_pad = 1 << 30, 1 << 26
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((-3, keep), (-1, keep), (-2, top_pad)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD
            mallopt(option, size)


def matmul_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type in which a model multiplies matrices, None for that of its weights; "tf32" is set in torch.

    ConfigError for what the device cannot do.
    """
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError(
            f"'tf32' needs {setting('device', 'cuda')}, not {device.type} (allowed: fp32, bf16)", setting="precision"
        )
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    return torch.bfloat16 if precision == "bf16" else None
