"""Plugins that break when they are used: the error names the plugin and what to do, and nobody else is hurt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import cli
from plugin_sources import BROKEN, PARTS
from soak import record

import mtft
from mtft.errors import DataError, PluginError, plugin_guard

TOLD = {
    "loss-mean": "its loss gave torch.float32 [], not one loss per example, floats [12]",
    "loss-column": "its loss gave torch.float32 [12, 1], not one loss per example, floats [12]",
    "loss-cut": "its loss gave numbers without a gradient",
    "loss-raises": "its loss failed: ZeroDivisionError: division by zero",
    "loss-none": "its loss gave NoneType, not one loss per example",
    "loss-whole": "its loss gave torch.int64 [12], not one loss per example",
    "loss-name": "importing its loss failed: AttributeError: ",
    "text": "its reader gave no example for train: found str where an Example is needed",
    "number": "its reader failed: TypeError: 'int' object is not iterable",
    "two-texts": "its reader gave no example for train: train:0: texts ('a', 'b') are not a tuple of 1",
    "one-string": "its reader gave no example for train: train:0: texts 'a' are not a tuple of 1",
    "half-pair": "train:0: a text holds half of a surrogate pair",
    "wrong-id": "its reader gave no example for train: id <object object at",
    "range": "scoring it failed: ValueError: targets must be class indices from 0 to 1",
    "nan": "train:0: target nan is not a finite number",
    "words": "train:0: target 'yes' is not a finite number",
    "no-label": "no labelled row (rows: 12)",
    "reader-raises": "its reader failed: KeyError: 'midway'",
    "reader-exits": "its reader failed: SystemExit: 3",
    "files": "its reader failed: ZeroDivisionError",
    "head-wide": "its head gave torch.float32 [4, 2], not floats [4, 1]",
    "head-raises": "its head failed: KeyError: 'boom'",
    "head-whole": "its head gave torch.int64 [4, 1], not floats [4, 1]",
    "head-empty": "its head is Empty(), not a module with parameters",
    "head-none": "its head is None, not a module with parameters",
    "head-name": "building its head failed: ModuleNotFoundError: No module named 'no_such_module'",
    "head-unmade": "building its head failed: ZeroDivisionError",
    "few": "reading its output failed: ValueError: 1 values of 12 examples",
}
ADVICE = (
    "plugin 'broken' (dist-broken 1.0) gave it: tell its authors, or switch it off with MTFT_DISABLE_PLUGINS=broken"
)


@pytest.fixture
def train(install: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """Train one task of the broken plugin for two steps."""
    install("broken", BROKEN)

    def train(name: str, *options: object) -> Any:
        out = tmp_path / name
        options = (*options, "--data-dir", tmp_path, "--epochs", "1", "--max-steps", "2", "--batches", "1", "--quiet")
        return out, cli("train", "--tasks", name, "--model", tiny_model, "--out", out, *options)

    return train


@pytest.mark.soak
@pytest.mark.parametrize("name", TOLD)
def test_what_breaks_in_use_is_named_with_its_plugin_and_advice(train: Callable[..., Any], name: str) -> None:
    _, done = train(name)
    assert (done.code, done.out) == (2, "")
    first, *rest = done.err.splitlines()
    assert TOLD[name] in first
    assert first.startswith("mtft: error: ")
    assert name in first.partition(":")[2].partition(TOLD[name])[0]
    if name != "no-label":  # an error in data, not in code
        assert rest == [f"mtft: {ADVICE}"]
    record("a plugin that breaks is named, with what to do", 1, "faults")


def test_its_other_tasks_and_everybody_elses_work(train: Callable[..., Any], trained_run: Path) -> None:
    run, done = train("good")
    assert done.code == 0, done.err
    assert cli("predict", run, stdin="a\n").lines[0]["good"].keys() == {"label", "probabilities"}
    assert len(cli("predict", trained_run, stdin="a\n").lines) == 1
    assert "good" in cli("tasks").out
    assert cli("plugins", "--json").json["plugins"][-1]["status"] == "ok"


def test_an_answer_that_is_no_json_is_named(train: Callable[..., Any]) -> None:
    run, done = train("silent")
    assert done.code == 0, done.err
    done = cli("predict", run, stdin="a\n")
    assert (done.code, done.out) == (2, "")
    assert "task 'silent': presenting its output failed: TypeError: " in done.err
    assert ADVICE in done.err


def test_it_is_named_from_python_too(install: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> None:
    install("broken", BROKEN)
    few: dict[str, Any] = {"data_dir": tmp_path, "model": str(tiny_model), "max_steps": 1, "batches": 1}
    with pytest.raises(PluginError, match="source 'loss-raises': its loss failed") as caught:
        mtft.train(tasks=["loss-raises"], out=tmp_path / "no", **few)
    assert ADVICE in str(caught.value)
    model = mtft.Model(mtft.train(tasks=["silent"], out=tmp_path / "run", **few).path)
    with pytest.raises(PluginError, match="presenting its output failed") as caught:
        model.predict(["a"])
    assert ADVICE in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("K += 1", "1 / 0", "surgery 'first' failed: ZeroDivisionError: division by zero"),
        ("K += 1", "raise SystemExit(4)", "surgery 'first' failed: SystemExit: 4"),
        ("total = 0", "total = {}[0]", "score 'near' failed: KeyError: 0"),
    ],
)
def test_parts_that_break_are_named(
    install: Callable[..., Path], tiny_model: Path, tmp_path: Path, old: str, new: str, reported: str
) -> None:
    install("parts", PARTS.replace(old, new, 1))
    options = ("--sample", "--max-steps", "1", "--batches", "1", "--surgery", "first", "--score", "near", "--quiet")
    done = cli("train", "--tasks", "sst,sts", "--model", tiny_model, "--out", tmp_path / "run", *options)
    assert (done.code, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first == f"mtft: error: {reported}"
    assert second.startswith("mtft: plugin 'parts' (dist-parts 1.0) gave it: ")


def test_the_head_of_a_declared_task_is_named_with_its_plugin(
    install: Callable[..., Path], tiny_model: Path, tmp_path: Path
) -> None:
    install("parts", PARTS.replace("return self.projection", "return 1 / 0 * self.projection"))
    (tmp_path / "verdict.csv").write_text("sentence,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(20)))
    (tmp_path / "run.toml").write_text(
        '[tasks.verdict]\nkind = "binary"\ntext = "sentence"\nlabel = "label"\nnames = ["0", "1"]\n'
        'train = "verdict.csv"\ndev = 0.3\nhead = "own-head"\n'
    )
    options = ("--config", tmp_path / "run.toml", "--data-dir", tmp_path, "--model", tiny_model, "--quiet")
    done = cli("train", *options, "--out", tmp_path / "run")
    assert done.code == 2
    assert "task 'verdict': its head failed: ZeroDivisionError" in done.err
    assert "plugin 'parts' (dist-parts 1.0) gave it" in done.err


@pytest.mark.parametrize("error", [KeyError("x\ny"), SystemExit(3), AttributeError()])
def test_whatever_a_stranger_raises_is_a_plugin_error(error: BaseException) -> None:
    with pytest.raises(PluginError) as caught, plugin_guard("source 'x': its loss", "x"):
        raise error
    assert str(caught.value).startswith("source 'x': its loss failed: ")
    assert "\n" not in str(caught.value)
    assert caught.value.part == "x"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [DataError("row"), MemoryError(), KeyboardInterrupt()])
def test_what_is_not_the_strangers_fault_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, plugin_guard("a", "b"):
        raise error
    assert caught.value is error
