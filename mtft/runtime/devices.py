"""Devices, and the precision of matrix products; weights, gradients and moments are always float32."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from mtft.errors import ConfigError, setting
from mtft.runtime import processes


def find_device(name: str) -> torch.device:
    """Return the device of that name; "auto" is CUDA if available, else the CPU. ConfigError if it is not available.

    Each process that ``torchrun`` starts on one machine gets its own CUDA device.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"
    if not available.get(name):
        allowed = ", ".join(["auto", *(key for key, usable in available.items() if usable)])
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
    """Let this process keep the memory of freed tensors, if its C library is glibc.

    By default glibc returns large blocks to the kernel at once and gets them back page by page, zeroed. With
    activations of a few megabytes each, that costs 100,000 page faults per training step.
    """
    keep, top_pad = 1 << 30, 1 << 26
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((-3, keep), (-1, keep), (-2, top_pad)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD
            mallopt(option, size)


def matmul_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type of a model's matrix products, None for that of its weights; "tf32" is switched on in torch.

    ConfigError if the device does not support it.
    """
    if precision == "tf32" and device.type != "cuda":
        raise ConfigError(
            f"'tf32' needs {setting('device', 'cuda')}, not {device.type} (allowed: fp32, bf16)", setting="precision"
        )
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    return torch.bfloat16 if precision == "bf16" else None
