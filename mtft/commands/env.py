"""``mtft env``: facts about this installation for a bug report, without private ones."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mtft.config.values import size_text
from mtft.encoder.directory import MINILM
from mtft.errors import DISTRIBUTION
from mtft.io.text import printable
from mtft.plugin.manager import build_registry, load_plugins
from mtft.runtime.memory import available_bytes

PACKAGES = (
    "mtft",
    "torch",
    "numpy",
    "tokenizers",
    "safetensors",
    "click",
    "rich",
    "pluggy",
    "pydantic",
    "jinja2",
    "filelock",
    "psutil",
    "tomli",
    "tomli-w",
    "huggingface_hub",
    "datasets",
    "pyarrow",
    "onnx",
    "onnxruntime",
    "transformers",
    MINILM,
)

VALUES = (
    "MTFT_DISABLE_PLUGINS",
    "MTFT_STRICT_PLUGINS",
    "MTFT_TRACEBACK",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "PYTORCH_CUDA_ALLOC_CONF",
    "HF_HUB_OFFLINE",
    "NO_COLOR",
    "TERM",
    "LANG",
    "LC_ALL",
    "WORLD_SIZE",
    "PYTHONUTF8",
    "PYTHONWARNINGS",
)
"""Environment variables that are shown with their values."""

NAMES = (
    "MTFT_DATA_DIR",
    "HF_HOME",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "PYTHONPATH",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
)
"""Environment variables that are shown without their values: paths, addresses, secrets."""


def environment() -> dict[str, dict[str, Any]]:
    """Return versions, machine, devices, plugins and variables, section by section."""
    return {
        "versions": {name: _version(name) for name in PACKAGES},
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "environment": "virtual" if sys.prefix != sys.base_prefix else "system",
            "encoding": sys.stdout.encoding,
        },
        "machine": _machine(),
        "torch": _torch(),
        "plugins": _plugins(),
        "variables": _variables(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(DISTRIBUTION if name == "mtft" else name)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()) or None,
        "processor": _processor(),
        "cores": f"{usable} of {os.cpu_count()}",
        "memory available": size_text(available_bytes()),
    }


def _processor() -> str:
    """Return the name of the processor from Linux, else from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return printable(names[0] if names else platform.processor() or platform.machine())


def _torch() -> dict[str, Any]:
    cuda = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "threads": torch.get_num_threads(),
        "built for cuda": torch.version.cuda,
        "cuda devices": ", ".join(cuda) or None,
        "mps": torch.backends.mps.is_available(),
        "cpu capability": torch.backends.cpu.get_cpu_capability(),
    }


def _plugins() -> dict[str, str]:
    """Return the status of each plugin, and for a broken one its error without the home directory's name."""
    plugins = load_plugins()
    build_registry(plugins)
    described = {each.name: f"{each.distribution} {each.version}: {each.status}" for each in plugins}
    return described | {each.name: f"{described[each.name]}: {_tidy(each.error)}" for each in plugins if each.error}


def _tidy(text: str) -> str:
    return " ".join(printable(text.replace(str(Path.home()), "~")).split())


def _variables() -> dict[str, str]:
    shown = {name: printable(os.environ[name]) for name in VALUES if name in os.environ}
    return {**shown, **{name: "(set)" for name in NAMES if os.environ.get(name)}}
