"""Every hook, from an installed distribution to what it does in a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import FEW, Done, cli, digests, records
from plugin_sources import GOOD, PARTS

from mtft.encoder.bert import Encoder
from mtft.encoder.pretrained import load_encoder
from mtft.model.flat import FlatParameters
from mtft.plugin import hookspecs
from mtft.plugin.manager import build_registry
from mtft.runs.checkpoint import load_model
from mtft.tasks.part import HOOKS as KINDS
from mtft.testing.conformance import assert_task_conforms, check_plugin

ROOT = Path(__file__).parents[2]
HOOKS = [name for name in vars(hookspecs) if name.startswith("mtft_")]
DECLARED = """
[tasks.verdict]
kind = "binary"
text = "sentence"
label = "label"
names = ["no", "yes"]
train = "verdict.csv"
dev = 0.25
head = "own-head"
"""


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test_and_is_documented(hook: str) -> None:
    assert f"test_hook_{hook}" in globals()
    for name in ("examples/guide/contributing-extensions.md", "examples/guide/plugins.md"):
        assert f"`{hook}" in (ROOT / name).read_text(encoding="utf-8"), name


def test_every_kind_of_part_has_a_hook() -> None:
    assert set(KINDS.values()) == set(HOOKS) - {"mtft_tasks", "mtft_sources"}


def test_hook_mtft_tasks(install: Callable[..., Path]) -> None:
    install("good")
    registry = build_registry()
    assert registry.owner("good") == "good"
    assert_task_conforms(registry.task("good"))


def test_hook_mtft_sources(install: Callable[..., Path]) -> None:
    install(
        "extra", GOOD.replace("mtft_tasks", "mtft_sources").replace('task("good")', 'replace(CFIMDB, name="reviews")')
    )
    registry = build_registry()
    assert [source.name for source in registry.sources_for("sst")][-1] == "reviews"
    assert check_plugin("extra") == []


INFO = "some_parts-2.1.dist-info"
"""Directory with the metadata of the plugin of parts, in the test's own."""


@pytest.fixture
def train(install: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """Train a few steps with a plugin of parts installed."""
    install("parts", PARTS, distribution="some-parts", version="2.1")

    def train(*options: object, out: str = "run", tasks: str = "sst,sts", code: int = 0) -> tuple[Path, Done]:
        done = cli("train", "--tasks", tasks, *FEW, "--model", tiny_model, "--out", tmp_path / out, *options)
        assert done.code == code, done.err
        return tmp_path / out, done

    return train


def plugins_of(run: Path) -> Any:
    return json.loads((run / "environment.json").read_text())["plugins"]


def test_hook_mtft_heads(train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared task names the head; the model says which plugin it is from, and does not load without it."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"text {number},{('no', 'yes')[number % 2]}\n" for number in range(20))
    Path("verdict.csv").write_text(f"sentence,label\n{rows}")
    Path("run.toml").write_text(f"data_dir = '.'\n{DECLARED}")
    options = ("--max-steps", "2", "--config", "run.toml")
    run, _ = train("--no-sample", *options, tasks="verdict")
    entry = json.loads((run / "model" / "model.json").read_text())["tasks"][0]
    assert entry["plugin"] == {"name": "declared", "distribution": "some-parts", "version": "2.1"}
    assert plugins_of(run) == {"some-parts": {"version": "2.1", "gives": ["head own-head"]}}
    head = load_model(run / "model", build_registry()).model.heads["verdict"]
    assert [name for name, _ in head.named_parameters()] == ["projection.weight", "projection.bias"]
    assert cli("eval", run, "--data-dir", ".", "--json").json["tasks"]["verdict"]["n"] == 10
    done = cli("eval", run, "--data-dir", ".", MTFT_DISABLE_PLUGINS="all")
    assert done.code == 2
    assert "head: unknown value 'own-head' (allowed: linear, report)" in done.err
    assert "its head came from some-parts 2.1, which is not installed or does not load" in done.err
    assert "install it from where it came from" in done.err
    Path("run.toml").write_text(f"data_dir = '.'\n{DECLARED.replace('own-head', 'own-haed')}")
    assert "did you mean 'own-head'?" in train("--no-sample", *options, tasks="verdict", out="no", code=2)[1].err


def test_hook_mtft_surgery(train: Callable[..., Any]) -> None:
    run, _ = train("--surgery", "first", "--keep", "1")
    assert plugins_of(run) == {"some-parts": {"version": "2.1", "gives": ["surgery first"]}}
    alone, _ = train("--surgery", "sum", "--keep", "1", out="sum")
    first, added = (records(each / "steps.jsonl") for each in (run, alone))
    assert first[0]["losses"] == added[0]["losses"]
    assert first[-1]["losses"] != added[-1]["losses"]
    assert first[0]["changed"] > 0 == added[0]["changed"]
    _, done = train("--surgery", "frist", out="no", code=2)
    assert "--surgery: unknown surgery 'frist'; did you mean 'first'? (allowed: " in done.err


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ("return [1.0] * len(K)", "surgery 'first' gave list where one weight per task, [2], is needed"),
        ("return torch.ones(len(K) + 1)", "surgery 'first' gave [3] where one weight per task, [2], is needed"),
        ("return no_such_name", "surgery 'first' failed: NameError: name 'no_such_name' is not defined"),
        ("return torch.ones(len(K)) / 0", "surgery 'first' gave weights that are not finite: [inf, inf]"),
    ],
)
def test_weights_that_are_none_stop_the_run_before_a_step(
    train: Callable[..., Any], code: str, reported: str, tmp_path: Path
) -> None:
    (tmp_path / "plugin_parts.py").write_text(
        PARTS.replace("return torch.eye(len(K))[0] * len(K)", code), encoding="utf-8"
    )
    run, done = train("--surgery", "first", code=2)
    assert reported in done.err
    assert not (run / "steps.jsonl").exists()


def test_a_part_that_cannot_be_imported_is_named(train: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "plugin_parts.py"
    path.write_text(PARTS.replace("plugin_parts:first_alone", "plugin_parts:no_such"), encoding="utf-8")
    _, done = train("--surgery", "first", code=2)
    assert "importing surgery 'first' failed: AttributeError: " in done.err


def test_hook_mtft_scores(train: Callable[..., Any], tiny_model: Path) -> None:
    """The mask holds the weights that the plugin's score puts first."""
    run, done = train("--score", "near", "--keep", "0.1")
    assert "by near" in done.err
    trained = load_model(run / "model", build_registry())
    assert trained.mask.method["score"] == "near"
    summed, _ = train("--score", "sum", "--keep", "0.1", out="sum")
    others = load_model(summed / "model", build_registry()).mask.indices
    chosen = trained.mask.indices
    assert len(chosen) == len(others)
    assert not torch.equal(chosen, others)
    base = FlatParameters(load_encoder(tiny_model)).theta
    moved = (trained.encoder.theta != base).nonzero().squeeze(-1)
    assert set(moved.tolist()) <= set(chosen.tolist())


def test_a_score_of_another_shape_is_refused(train: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "plugin_parts.py"
    path.write_text(PARTS.replace("return total * scoring.encoder.theta.abs()", "return total[1:]"), encoding="utf-8")
    _, done = train("--score", "near", code=2)
    assert "score 'near' gave [" in done.err
    assert "where one number per encoder weight" in done.err


def test_hook_mtft_encoders(train: Callable[..., Any], tiny_model: Path, tmp_path: Path) -> None:
    """An architecture of a plugin is counted, trained and loaded; without the plugin the run says what to install."""
    half = tmp_path / "half"
    shutil.copytree(tiny_model, half)
    config = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps({**config, "model_type": "halfbert"}))
    run, _ = train("--model", half)
    assert plugins_of(run) == {"some-parts": {"version": "2.1", "gives": ["encoder halfbert"]}}
    trained = load_model(run / "model", build_registry())
    assert isinstance(trained.model.encoder, Encoder)
    assert len(trained.model.encoder.layers) == 1
    assert cli("eval", run, "--sample", "--json").json["tasks"]["sst"]["n"] == 60
    counted = [cli("count-params", "--tasks", "sst", "--model", each, "--json").json for each in (half, tiny_model)]
    assert counted[0]["encoder"]["stored"] == len(trained.encoder) < counted[1]["encoder"]["stored"]
    done = cli("eval", run, "--sample", MTFT_DISABLE_PLUGINS="all")
    assert done.code == 2
    assert "its encoder came from some-parts 2.1, which is not installed or does not load" in done.err
    assert "install it from where it came from" in done.err
    (half / "config.json").write_text(json.dumps({**config, "model_type": "halfbrt"}))
    _, done = train("--model", half, out="no", code=2)
    assert "model_type: unknown encoder 'halfbrt'; did you mean 'halfbert'? (allowed: bert, camembert, " in done.err
    assert "electra, halfbert, mpnet" in done.err


def same(first: Path, second: Path) -> bool:
    """Tell whether two runs have the same bytes, files of times, settings and environment apart."""
    apart = ("config.toml", "environment.json", "times.jsonl", "digests.json")
    left, right = ({k: v for k, v in digests(run).items() if k not in apart} for run in (first, second))
    return left == right and len(left) > 8


def test_hook_mtft_trackers(train: Callable[..., Any], tmp_path: Path) -> None:
    """Trackers hear all that is logged; one that misbehaves is named and switched off, and changes no byte."""
    plain, _ = train(out="plain")
    run, done = train("--trackers", "rude,notes")
    assert same(plain, run)
    assert done.err.count("tracker 'rude' failed and is off for the rest of this run: SystemExit: enough") == 1
    assert done.out.startswith("task")
    notes: list[Any] = records(tmp_path / "run.notes")
    assert notes[0] == ["begin", {"command": "train", "seed": 0, "resumed": False}]
    for kind in ("steps", "metrics", "conflicts", "times"):
        assert [record for each, record in notes if each == kind] == records(run / f"{kind}.jsonl")
    assert notes[-1] == ["summary", json.loads((run / "summary.json").read_text())]
    assert plugins_of(run)["some-parts"]["gives"] == ["tracker rude", "tracker notes"]
    assert torch.get_default_dtype() == torch.float32


def test_trackers_of_a_run_that_goes_on(train: Callable[..., Any], tmp_path: Path) -> None:
    """A tracker learns that the run goes on; without its plugin the run says what to install, or drops it."""
    options = ("--epochs", "2", "--max-steps", "100")
    steady = (*options, "--schedule", "constant", "--warmup", "0")
    whole, _ = train(*steady, out="whole", tasks="sst")
    run, _ = train(*steady, "--epochs", "1", "--trackers", "notes", tasks="sst")
    shutil.copytree(run, tmp_path / "copy")
    done = cli("train", "--resume", run, *options)
    assert done.code == 0, done.err
    noted: list[Any] = records(tmp_path / "run.notes")
    begun = [record for kind, record in noted if kind == "begin"]
    assert [record["resumed"] for record in begun] == [False, True]
    assert same(whole, run)
    shutil.rmtree(tmp_path / INFO)
    done = cli("train", "--resume", tmp_path / "copy", *options)
    assert done.code == 2
    assert "needs tracker notes of some-parts 2.1, which is not installed or does not load" in done.err
    assert "install it from where it came from" in done.err


def test_a_run_that_needs_a_plugin_says_so_when_it_goes_on(train: Callable[..., Any]) -> None:
    run, _ = train("--surgery", "first", "--max-steps", "2")
    for setting in ({"MTFT_DISABLE_PLUGINS": "all"}, {}):
        done = cli("train", "--resume", run, "--max-steps", "3", **setting)
        assert done.code == (2 if setting else 0), done.err
        if setting:
            assert "needs surgery first of some-parts 2.1" in done.err


def test_another_version_is_reported(train: Callable[..., Any], tmp_path: Path) -> None:
    run, _ = train("--surgery", "first", "--max-steps", "2")
    (tmp_path / INFO / "METADATA").write_text("Metadata-Version: 2.1\nName: some-parts\nVersion: 2.2\n")
    done = cli("train", "--resume", run, "--max-steps", "3")
    assert done.code == 0
    assert "surgery first came from some-parts 2.1; 2.2 is installed" in done.err


def test_of_two_plugins_with_one_part_the_first_by_name_wins(install: Callable[..., Path]) -> None:
    install("parts", PARTS)
    install("zoo", PARTS.replace("own-head", "zoo-head"))
    registry = build_registry()
    assert registry.owner("surgery first") == "parts"
    assert "zoo-head" not in registry.parts["head"]
    assert "plugin 'zoo' gives 'surgery first', which plugin 'parts' gave before" in registry.absent[0]


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ('Part("pcgrad", len)', "plugin 'bad' gives 'surgery pcgrad', which plugin 'builtin' gave before"),
        ('Part("P C", len)', "surgery name 'P C' is not made of"),
        ('Part("x", "no colon")', "surgery 'x': make 'no colon' is neither callable nor a name"),
        ('"x"', "found str where a Part (surgery) is needed"),
    ],
)
def test_parts_that_are_none(install: Callable[..., Path], code: str, reported: str) -> None:
    install("bad", f"from mtft import Part, hookimpl\n@hookimpl\ndef mtft_surgery():\n    return [{code}]\n")
    registry = build_registry()
    assert list(registry.parts["surgery"]) == ["pcgrad", "sum", "expected-pcgrad", "upgrad"]
    assert reported in registry.absent[0]
