"""`mtft.commands.export`, called directly: the bundle that is written, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from mtft.commands.export import export
from mtft.config.schema import ExportConfig
from mtft.errors import ConfigError
from mtft.plugin.context import new_context


def test_a_bundle_holds_the_files_of_the_model_as_they_are(trained_run: Path, tmp_path: Path) -> None:
    found = export(trained_run, ExportConfig(out=tmp_path / "a.mtft"), new_context())
    assert (found.path, found.bytes) == (tmp_path / "a.mtft", (tmp_path / "a.mtft").stat().st_size)
    assert (found.difference, found.int8) == (None, None)
    model = trained_run / "model"
    with zipfile.ZipFile(found.path) as bundle:
        for name in ("model.json", "encoder.safetensors", "heads.safetensors"):
            assert bundle.read(name) == (model / name).read_bytes()
        assert {entry.compress_type for entry in bundle.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"int8": True}, "is for .*onnx.*, not bundle"),
        ({"out": "."}, r"\. (is a directory; name a file|exists)"),
    ],
)
def test_what_cannot_be_written_is_refused(
    settings: dict[str, Any], text: str, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=text):
        export(trained_run, ExportConfig.model_validate({"out": tmp_path / "x.mtft", **settings}), new_context())
    assert list(tmp_path.iterdir()) == []
