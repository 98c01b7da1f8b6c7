"""The built-in tasks and sources, and the files they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtft.data.dataset import sample_dir
from mtft.data.readers import TableReader
from mtft.plugin.manager import build_registry
from mtft.tasks.registry import check_source, check_task
from mtft.tasks.task import resolve
from mtft.testing.conformance import check_plugin

REGISTRY = build_registry()


def test_what_is_built_in() -> None:
    assert [name for name in REGISTRY.tasks if REGISTRY.owner(name) == "builtin"] == ["sst", "quora", "sts"]
    attached = [source.name for source in REGISTRY.sources_for("sst")]
    assert attached[:3] == ["cfimdb", "quora-consistency", "sts-consistency"]


@pytest.mark.parametrize(
    ("name", "kind", "width", "primary"),
    [("sst", "categorical", 5, "accuracy"), ("quora", "binary", 1, "accuracy"), ("sts", "bounded", 1, "pearson")],
)
def test_outputs(name: str, kind: str, width: int, primary: Any) -> None:
    task = REGISTRY.task(name)
    assert (task.output.kind, task.output.width, task.primary_metric) == (kind, width, primary)


def test_parts_exist() -> None:
    for name in ("sst", "quora", "sts"):
        task = REGISTRY.task(name)
        check_task(task)
        assert callable(resolve(task.head))
        for source in (task.source, *REGISTRY.sources_for(name)):
            check_source(source)
            assert callable(resolve(source.loss))


def test_sentiment_weighs_half_and_its_sources_a_sixth() -> None:
    builtin = [source for source in REGISTRY.sources_for("sst") if REGISTRY.owner(source.name) == "builtin"]
    weights = [source.weight for source in (REGISTRY.task("sst").source, *builtin)]
    assert [weight / sum(weights) for weight in weights] == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])


def test_file_names(tmp_path: Path) -> None:
    sources = [REGISTRY.tasks[name].source for name in ("sst", "quora", "sts")]
    sources += [REGISTRY.sources[name] for name in ("cfimdb", "quora-consistency", "sts-consistency")]
    readers = [source.reader for source in sources if isinstance(source.reader, TableReader)]
    assert len(readers) == len(sources)
    names = [path.name for reader in readers for path in reader.files("dev", tmp_path)]
    assert names == [
        "ids-sst-dev.csv",
        "quora-dev.csv",
        "sts-dev.csv",
        "ids-cfimdb-dev.csv",
        "quora-dev.csv",
        "sts-dev.csv",
    ]


def test_consistency_sources_keep_alike_pairs_only(tmp_path: Path) -> None:
    (tmp_path / "quora-train.csv").write_text(
        "id\tsentence1\tsentence2\tis_duplicate\na\tx\ty\t1.0\nb\tx\tz\t0.0\nc\tx\tw\t\n", encoding="utf-8"
    )
    (tmp_path / "sts-train.csv").write_text(
        "id\tsentence1\tsentence2\tsimilarity\na\tx\ty\t4.5\nb\tx\tz\t4.6\nc\tx\tw\t5\n", encoding="utf-8"
    )
    kept = {
        name: [e.id for e in REGISTRY.sources[name].reader("train", tmp_path) if e.target is not None]
        for name in ("quora-consistency", "sts-consistency")
    }
    assert kept == {"quora-consistency": ["a"], "sts-consistency": ["b", "c"]}


def test_they_conform_on_the_sample() -> None:
    assert check_plugin("builtin", sample_dir()) == []
