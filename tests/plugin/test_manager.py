"""Finding, loading and quarantining plugins, on real distributions made on the spot."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from plugin_sources import GOOD
from torch import Tensor

from mtft.data.example import Example
from mtft.encoder.bert import EncoderConfig, EncoderOutput
from mtft.errors import DISTRIBUTION, FORMER_DISTRIBUTION, ConfigError, PluginError
from mtft.plugin.manager import build_registry, load_plugins
from mtft.tasks.sts import STS
from mtft.tasks.task import Task
from mtft.testing.conformance import assert_task_conforms, check_plugin

pytestmark = pytest.mark.usefixtures("clean")

HOOKS = ("mtft_encoders", "mtft_heads", "mtft_scores", "mtft_sources", "mtft_surgery", "mtft_tasks")


def found(names: tuple[str, ...] = ("name", "status")) -> list[tuple[Any, ...]]:
    """Load everything and return some fields of each plugin, in order."""
    plugins = load_plugins()
    build_registry(plugins)
    return [tuple(getattr(plugin, name) for name in names) for plugin in plugins]


def error_of(name: str) -> str:
    plugins = load_plugins()
    registry = build_registry(plugins)
    assert {"sst", "quora", "sts"} <= set(registry.tasks)
    (plugin,) = [plugin for plugin in plugins if plugin.name == name]
    assert name not in registry.owners.values()
    return plugin.error or ""


def test_the_built_in_plugin_is_there_without_any_distribution() -> None:
    assert found(("name", "module", "distribution", "status", "hooks")) == [
        ("builtin", "mtft.plugin.builtin", DISTRIBUTION, "ok", HOOKS)
    ]


def test_the_built_in_plugin_comes_from_its_entry_point_if_there_is_one(install: Callable[..., Path]) -> None:
    install("x", distribution=DISTRIBUTION, version="7", entry_points="[mtft]\nbuiltin = mtft.plugin.builtin\n")
    assert found(("name", "version", "status")) == [("builtin", "7", "ok")]


@pytest.mark.parametrize("given", [(DISTRIBUTION, FORMER_DISTRIBUTION), (FORMER_DISTRIBUTION,)])
def test_mtft_under_its_former_name_counts_only_alone(install: Callable[..., Path], given: tuple[str, ...]) -> None:
    for name in given:
        install("x", distribution=name, version="7", entry_points="[mtft]\nbuiltin = mtft.plugin.builtin\n")
    assert found(("name", "distribution", "status")) == [("builtin", given[0], "ok")]


def test_records_say_where_a_plugin_is_from(install: Callable[..., Path]) -> None:
    install("good", version="2.3")
    names = ("name", "module", "distribution", "version", "hooks", "error", "status")
    assert found(names)[1:] == [("good", "plugin_good", "dist-good", "2.3", ("mtft_tasks",), None, "ok")]


def test_the_built_in_comes_first_and_the_others_by_name(install: Callable[..., Path]) -> None:
    for name in ("zebra", "ape", "mole"):
        install(name, GOOD.replace('"good"', f'"{name}"'), distribution=f"dist-{'zma'.index(name[0])}")
    assert [name for (name,) in found(("name",))] == ["builtin", "ape", "mole", "zebra"]
    assert list(build_registry().tasks) == ["sst", "quora", "sts", "ape", "mole", "zebra"]


def test_hooks_may_be_generators(install: Callable[..., Path]) -> None:
    install("good", GOOD.replace('return [task("good")]', 'yield task("good")'))
    assert "good" in build_registry().tasks


def test_every_call_looks_again(install: Callable[..., Path]) -> None:
    assert len(found()) == 1
    info = install("good")
    assert found() == [("builtin", "ok"), ("good", "ok")]
    shutil.rmtree(info)
    assert len(found()) == 1


HOOK = "from mtft import hookimpl\n@hookimpl\ndef mtft_tasks():\n    "
BROKEN = {
    "missing module": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "syntax": ("def (", "SyntaxError: "),
    "exit": ("raise SystemExit('bye')", "SystemExit: bye"),
    "raises at import": ("1 / 0", "ZeroDivisionError: division by zero"),
    "recursion": ("def f(): f()\nf()", "RecursionError: "),
    "old API": (f"MTFT_API_VERSION = 0\n{GOOD}", "written for plugin API version 0; this mtft has 1"),
    "new API": (f"MTFT_API_VERSION = '2'\n{GOOD}", "written for plugin API version '2'; this mtft has 1"),
    "unknown hook": (GOOD.replace("def mtft_tasks", "def mtft_taskz"), "unknown hook 'mtft_taskz'"),
    "arguments": (GOOD.replace("mtft_tasks()", "mtft_tasks(config)"), "PluginValidationError: "),
    "no hook": ("x = 1", "implements no hook (is @hookimpl missing?)"),
    "unmarked hook": (GOOD.replace("@hookimpl", ""), "implements no hook"),
    "hook raises": (f"{HOOK}raise KeyError('x')", "KeyError: 'x'"),
    "hook exits": (f"{HOOK}raise SystemExit", "SystemExit"),
    "generator raises": (f"{HOOK}yield 1 / 0", "ZeroDivisionError"),
    "None": (f"{HOOK}return None", "mtft_tasks returned NoneType where an iterable is needed"),
    "bare task": (GOOD.replace('[task("good")]', 'task("good")'), "mtft_tasks returned Task where an iterable"),
    "wrong type": (f"{HOOK}return ['sst']", "found str where a Task is needed"),
    "wrong name": (GOOD.replace('"good"', '"../good"'), "task name '../good' is not made of"),
    "duplicate": (GOOD.replace('"good"', '"sst"'), "plugin 'bad' gives 'sst', which plugin 'builtin' gave before"),
    "no such task": (
        f"{GOOD}@hookimpl\ndef mtft_sources():\n    return [replace(CFIMDB, name='x', task='sts2')]",
        "source 'x': unknown task 'sts2'; did you mean 'sts'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_set_aside_and_stops_nothing(install: Callable[..., Path], case: Any) -> None:
    code, reason = BROKEN[case]
    install("bad", code)
    install("well", GOOD)
    assert reason in error_of("bad")
    assert "\n" not in error_of("bad")
    assert found() == [("builtin", "ok"), ("bad", "broken"), ("well", "ok")]
    assert "good" in build_registry().tasks


@pytest.mark.parametrize("value", ["no_such_module", "plugin_bad:nothing", "plugin_bad:None", "not a module!"])
def test_an_entry_point_that_leads_nowhere(install: Callable[..., Path], value: str) -> None:
    install("bad", GOOD, entry_points=f"[mtft]\nbad = {value}\n")
    assert error_of("bad")


def test_whoever_asks_for_a_missing_task_hears_of_the_broken_plugin(install: Callable[..., Path]) -> None:
    install("bad", "import no_such_module")
    with pytest.raises(ConfigError, match="unknown task 'nli'") as caught:
        build_registry().task("nli")
    assert "plugin 'bad' (dist-bad 1.0) failed to load: ModuleNotFoundError" in str(caught.value)
    assert build_registry().task("sst").name == "sst"


def test_strict_makes_it_an_error(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTFT_STRICT_PLUGINS", "1")
    install("good")
    assert "good" in build_registry().tasks
    install("bad", "1 / 0")
    with pytest.raises(PluginError, match=r"plugin 'bad' \(dist-bad 1.0\) is broken: ZeroDivisionError") as caught:
        load_plugins()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_strict_covers_hooks_and_duplicates(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTFT_STRICT_PLUGINS", "true")
    install("bad", GOOD.replace('"good"', '"sst"'))
    with pytest.raises(PluginError, match="which plugin 'builtin' gave before"):
        build_registry()


@pytest.mark.parametrize("value", ["0", "", "false"])
def test_strict_can_be_switched_off(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MTFT_STRICT_PLUGINS", value)
    install("bad", "1 / 0")
    assert found() == [("builtin", "ok"), ("bad", "broken")]


@pytest.mark.parametrize(
    ("setting", "disabled"),
    [
        ("1", {"a", "b"}),
        ("all", {"a", "b"}),
        ("a", {"a"}),
        (" b , nothing", {"b"}),
        ("dist-a", {"a"}),
        ("builtin", {"builtin"}),
        ("all,builtin", {"a", "b", "builtin"}),
        ("", set()),
        ("0", set()),
    ],
)
def test_disabling(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, setting: str, disabled: tuple[str, ...]
) -> None:
    install("a", GOOD.replace('"good"', '"a"'))
    install("b", GOOD.replace('"good"', '"b"'))
    monkeypatch.setenv("MTFT_DISABLE_PLUGINS", setting)
    assert found() == [(name, "disabled" if name in disabled else "ok") for name in ("builtin", "a", "b")]
    assert {f"plugin_{name}" for name in ("a", "b") if name in disabled}.isdisjoint(sys.modules)


def test_whoever_asks_for_a_disabled_task_hears_so(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("good")
    monkeypatch.setenv("MTFT_DISABLE_PLUGINS", "1")
    with pytest.raises(ConfigError, match=r"plugin 'good' \(dist-good 1.0\) is disabled by MTFT_DISABLE_PLUGINS"):
        build_registry().task("good")


def test_of_two_plugins_with_one_task_the_first_by_name_wins(install: Callable[..., Path]) -> None:
    install("b")
    install("a")
    assert error_of("b") == "plugin 'b' gives 'good', which plugin 'a' gave before"
    assert build_registry().owner("good") == "a"


def test_of_two_distributions_with_one_plugin_name_the_first_wins(install: Callable[..., Path]) -> None:
    install("good", distribution="one")
    install("other", distribution="two", entry_points="[mtft]\ngood = plugin_other\n")
    assert found(("distribution", "error"))[1:] == [
        ("one", None),
        ("two", "the name is taken by plugin 'good' (one 1.0)"),
    ]
    assert "good" in build_registry().tasks


def test_a_stranger_cannot_take_the_place_of_the_built_in(install: Callable[..., Path]) -> None:
    install("x", distribution="aaa", entry_points="[mtft]\nbuiltin = plugin_x\nalias = mtft.plugin.builtin\n")
    (first, *others) = found(("name", "module", "distribution", "status"))
    assert first == ("builtin", "mtft.plugin.builtin", DISTRIBUTION, "ok")
    assert [status for *_, status in others] == ["broken", "broken"]


def test_a_distribution_found_twice_counts_once(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("good", distribution="some-dist", version="1.0", path=tmp_path / "first")
    install("good", distribution="Some.Dist", version="2.0", path=tmp_path / "second")
    monkeypatch.syspath_prepend(tmp_path / "second")
    monkeypatch.syspath_prepend(tmp_path / "first")
    assert found(("name", "version"))[1:] == [("good", "1.0")]


def test_an_entry_listed_twice_counts_once(install: Callable[..., Path]) -> None:
    install("good", entry_points="[mtft]\ngood = plugin_good\ngood = plugin_good\n")
    assert found()[1:] == [("good", "ok")]


def test_damaged_metadata_is_one_broken_plugin(install: Callable[..., Path]) -> None:
    install("bad", entry_points="[mtft]\nno equals sign\n")
    info = install("good")
    (info / "METADATA").unlink()
    (info.parent / "rubbish-1.dist-info").mkdir()
    (info.parent / "rubbish-1.dist-info" / "entry_points.txt").write_bytes(b"\xff[mtft]")
    records = {name: (status, version) for name, status, version in found(("name", "status", "version"))}
    assert records["dist-bad"] == ("broken", "1.0")
    assert records["good"][0] == "ok"


def test_what_plugins_print_stays_off_stdout(install: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    install("good", "print('at import')" + GOOD.replace("return [", "print('in hook')\n    return ["))
    assert "good" in build_registry().tasks
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "at import\nin hook\n"


def test_keyboard_interrupt_goes_through(install: Callable[..., Path]) -> None:
    install("bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugins()


def test_conformance_checks_modules_that_are_not_installed(install: Callable[..., Path]) -> None:
    info = install("good")
    shutil.rmtree(info)
    assert check_plugin("plugin_good") == []
    assert check_plugin(sys.modules["plugin_good"]) == []
    assert "ModuleNotFoundError" in check_plugin("no_such_module")[0]


def reader(*examples: object) -> Callable[..., tuple[object, ...]]:
    return lambda split, data_dir: examples


class Mixing(torch.nn.Linear):
    """A head whose answers depend on the batch."""

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__(config.hidden_size, width)

    def forward(self, output: EncoderOutput) -> Tensor:  # type: ignore[override]
        return super().forward(output.pooled - output.pooled.mean(0))


class Wide(Mixing):
    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__(config, width + 1)


def head(factory: Any) -> Task:
    return replace(STS, head=factory)


def own(**parts: Any) -> Task:
    return replace(STS, source=replace(STS.source, **parts))


COUNTER = itertools.count()


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (head(Wide), r"its head gave torch.float32 \[4, 2\], not floats \[4, 1\]"),
        (head(Mixing), "head: what it gives for an example depends on the others in the batch"),
        (head("mtft.heads:no_such_head"), "head: PluginError: .*no_such_head"),
        (head(lambda config, width: None), "head: PluginError: .*not a module"),
        (own(loss=lambda outputs, targets: outputs.mean()), r"loss: gives \[\] where one number per example"),
        (own(loss=lambda outputs, targets: outputs[:, 0] / len(outputs)), "loss: an example's loss depends on"),
        (own(loss=lambda outputs, targets: outputs.detach()[:, 0]), "loss: RuntimeError"),
        (own(loss=lambda outputs, targets: outputs[:, 0] / 0), "loss: gives numbers that are not finite"),
        (replace(STS, metrics=("accuracy",)), "output: ConfigError: .*needs probabilities"),
        (own(reader=reader("text")), "train split: found str where an Example is needed"),
        (own(reader=reader(Example("1", ("a",), 1.0, "f:1"))), r"f:1: texts \('a',\) are not a tuple of 2"),
        (own(reader=reader(Example("1", ("a", "b"), 5.5, "f:1"))), "dev split: f:1: target 5.5 is out of range"),
        (own(reader=reader(Example("1", ("a", "b"), None, "f:1"))), "train split: it has no labelled example"),
        (own(reader=reader()), "train split: it has no labelled example"),
        (
            own(reader=lambda split, data_dir: [Example(str(next(COUNTER)), ("a", "b"), 1.0, "f:1")]),
            "train split: reading it twice gives different examples",
        ),
        (replace(STS, name="S T S"), "task name 'S T S' is not made of"),
    ],
)
def test_conformance_says_what_is_wrong(task: Task, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        assert_task_conforms(task)


def test_conformance_wants_the_files_of_a_data_directory_that_is_given(tmp_path: Path) -> None:
    assert_task_conforms(STS)
    with pytest.raises(AssertionError, match=r"sts-train\.csv: no such file"):
        assert_task_conforms(STS, tmp_path)


def opens(split: str, data_dir: Path) -> list[Example]:
    """Read as a function does that has no `files`."""
    return [Example("1", tuple((data_dir / f"{split}.txt").read_text().split()), 1.0, "f:1")]


def test_conformance_of_a_reader_that_is_a_plain_function(tmp_path: Path) -> None:
    assert_task_conforms(own(reader=opens))
    with pytest.raises(AssertionError, match=r"train split: FileNotFoundError: .*train\.txt"):
        assert_task_conforms(own(reader=opens), tmp_path)
    for split in ("train", "dev"):
        (tmp_path / f"{split}.txt").write_text("one two")
    assert_task_conforms(own(reader=opens), tmp_path)
