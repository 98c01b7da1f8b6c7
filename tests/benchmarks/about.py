"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib import metadata

from tests.benchmarks.session import ROOT

PACKAGES = ("torch", "transformers", "torchjd", "LibMTL", "numpy", "tokenizers", "datasets")


def about(threads: int, repeats: int, quick: bool) -> dict[str, str]:
    """Return date, machine and versions as texts."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory()}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": commit(),
        "settings": f"float32, {threads} threads, {repeats} paired runs" + (", quick" if quick else ""),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def version(name: str) -> str:
    """Return the version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def processor() -> str:
    """Name the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def memory() -> str:
    """Return the installed memory."""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB"


def commit() -> str:
    """Return the commit, and whether the work tree differs from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
