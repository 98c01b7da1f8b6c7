"""`mtft data fetch` and `mtft models fetch` against a server on this machine, through the libraries' own settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import cli, process
from fake_hub import COMMIT, StandIn, blob_id, serving

from mtft.cli.data import DATASETS
from mtft.data.dataset import sample_dir
from mtft.fetch import catalogue
from mtft.fetch.catalogue import CATALOGUE, GLUE, SST5
from mtft.fetch.hub import wanted_weights

pytest.importorskip("huggingface_hub", reason="needs the extra hub")


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The sample data as if they were the course's: served, and with their digests in the catalogue."""
    files = {path.name: path.read_bytes() for path in sample_dir().glob("*.csv")}
    for name, data in CATALOGUE.items():
        pinned = tuple(replace(file, digest=f"git:{blob_id(files[file.name])}", size=None) for file in data.course)
        monkeypatch.setitem(catalogue.CATALOGUE, name, replace(data, course=pinned))
    with serving(files) as stand_in:
        yield stand_in


def test_the_course_comes_byte_for_byte_and_trains(course: StandIn, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    done = cli("data", "fetch", "--out", out, "--json", MTFT_COURSE_URL=course.url)
    names = {file.name for data in CATALOGUE.values() for file in data.course}
    assert {Path(file["path"]).name for file in done.json["files"]} == names
    assert all(file["pinned"] and file["new"] for file in done.json["files"])
    assert all((out / name).read_bytes() == (sample_dir() / name).read_bytes() for name in names)
    assert "Quora's terms of service" in done.err
    lock = json.loads((out / "fetched.json").read_text(encoding="utf-8"))
    assert set(lock["files"]) == names
    assert lock["files"]["sts-dev.csv"]["origin"]["url"].startswith("https://raw.githubusercontent.com/")
    done = cli(
        "train",
        "--tasks",
        "sst,sts",
        "--data-dir",
        out,
        "--model",
        tiny_model,
        "--max-steps",
        1,
        "--batches",
        1,
        "--out",
        tmp_path / "run",
    )
    assert done.code == 0, done.err


def test_what_is_there_is_checked_and_not_fetched_again(course: StandIn, tmp_path: Path) -> None:
    fetch = ("data", "fetch", "sts", "--out", tmp_path)
    assert cli(*fetch, MTFT_COURSE_URL=course.url).code == 0
    asked = len(course.asked)
    done = cli(*fetch, "--quiet", MTFT_COURSE_URL=course.url)
    assert (done.code, done.err, len(course.asked)) == (0, "", asked)
    assert done.out.count("was there") == 2
    (tmp_path / "sts-dev.csv").write_text("mine", encoding="utf-8")
    done = cli(*fetch, MTFT_COURSE_URL=course.url)
    assert done.code == 1
    assert "sts-dev.csv: the digest is git:" in done.err
    assert "--overwrite replaces it" in done.err
    assert (tmp_path / "sts-dev.csv").read_text(encoding="utf-8") == "mine"
    assert cli(*fetch, "--overwrite", MTFT_COURSE_URL=course.url).code == 0
    assert (tmp_path / "sts-dev.csv").read_bytes() == (sample_dir() / "sts-dev.csv").read_bytes()


def test_a_copy_that_differs_from_the_course_is_refused(tmp_path: Path) -> None:
    with serving({"ids-sst-train.csv": b"\tid\tsentence\tsentiment\n"}) as stand_in:
        done = cli("data", "fetch", "sst", "--out", tmp_path, MTFT_COURSE_URL=stand_in.url)
    assert done.code == 1
    assert "not sha256:03b2b625c090f94a6afd59f114cde5282e2053aab0b101e87ed695d8a0c5b1df; it is not used" in done.err
    assert not (tmp_path / "ids-sst-train.csv").exists()


@pytest.mark.parametrize("command", [("data", "fetch", "sst"), ("models", "fetch", "bert-base-uncased")])
def test_offline_means_offline(command: tuple[str, ...], tmp_path: Path) -> None:
    done = cli(*command, HF_HUB_OFFLINE="1", MTFT_COURSE_URL="http://127.0.0.1:9", HF_HOME=str(tmp_path))
    assert (done.code, done.err) == (1, "mtft: error: HF_HUB_OFFLINE is set: nothing is fetched\n")


def test_names_are_checked() -> None:
    assert set(DATASETS) == set(CATALOGUE)
    done = cli("data", "fetch", "stss")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "mtft: error: unknown dataset 'stss'; did you mean 'sts'? (allowed: cfimdb, quora, sst, sts)",
    )
    assert cli("data", "fetch", "cfimdb", "--origin", "hub").code == 2


# ---- the hub ---------------------------------------------------------------------------------------------------------


def parquet(rows: list[dict[str, object]], path: Path) -> bytes:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra hub")
    import pyarrow.parquet as writer

    writer.write_table(arrow.Table.from_pylist(rows), path)
    return path.read_bytes()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[StandIn]:
    """A hub with SST and GLUE of a few rows."""
    sst = b"".join(
        json.dumps({"text": f"film {n}", "label": n % 5, "label_text": "x"}).encode() + b"\n" for n in range(9)
    )
    qqp = parquet(
        [{"question1": f"q{n}", "question2": f"r{n}", "label": n % 2, "idx": n} for n in range(6)], tmp_path / "q"
    )
    stsb = parquet(
        [{"sentence1": f"s{n}", "sentence2": f"t{n}", "label": n / 2, "idx": n} for n in range(6)], tmp_path / "s"
    )
    files = {f"datasets/{SST5[0]}/{split}.jsonl": sst for split in ("train", "dev", "test")}
    for split in ("train", "validation"):
        files[f"datasets/{GLUE[0]}/qqp/{split}-00000-of-00001.parquet"] = qqp
        files[f"datasets/{GLUE[0]}/stsb/{split}-00000-of-00001.parquet"] = stsb
    with serving(files) as stand_in:
        yield stand_in


def home(stand_in: StandIn, tmp_path: Path, **more: str) -> dict[str, Any]:
    return {"HF_ENDPOINT": stand_in.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", **more}


@pytest.mark.slow
def test_datasets_of_the_hub_are_written_as_the_courses_files(hub: StandIn, tmp_path: Path) -> None:
    out = tmp_path / "data"
    fetch = ("data", "fetch", "sst", "quora", "sts", "--origin", "hub", "--out", out)
    found = process(*fetch, "--json", **home(hub, tmp_path)).json["files"]
    assert [Path(file["path"]).name for file in found] == [
        "ids-sst-train.csv",
        "ids-sst-dev.csv",
        "ids-sst-test.csv",
        "quora-train.csv",
        "quora-dev.csv",
        "sts-train.csv",
        "sts-dev.csv",
    ]
    assert not any(file["pinned"] for file in found)
    assert (out / "sts-dev.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "\tid\tsentence1\tsentence2\tsimilarity",
        "0\tsts-dev-0\ts0\tt0\t0.0",
    ]
    asked = {path for _, path, _ in hub.asked}
    assert f"datasets/{SST5[0]}/resolve/{SST5[1]}/train.jsonl" in asked
    check = cli("data", "check", "--tasks", "sst,quora,sts", "--data-dir", out, "--augment", "none", "--json").out
    assert not [each for each in json.loads(check)["findings"] if each["check"] in ("columns", "label-invalid", "form")]
    again = process(*fetch, **home(hub, tmp_path))
    assert again.out.count("was there") == 7
    lock = json.loads((out / "fetched.json").read_text(encoding="utf-8"))
    lock["files"]["ids-sst-dev.csv"]["origin_digest"] = "sha256:00"
    (out / "fetched.json").write_text(json.dumps(lock), encoding="utf-8")
    done = process(*fetch, **home(hub, tmp_path))
    assert done.code == 1
    assert "ids-sst-dev.csv: its origin changed since it was first fetched: the digest was sha256:00" in done.err


@pytest.fixture
def models(tiny_model: Path) -> Iterator[StandIn]:
    """A hub with the tiny model, beside files that nobody here needs."""
    files = {f"someone/tiny/{path.name}": path.read_bytes() for path in tiny_model.iterdir()}
    files["someone/tiny/tf_model.h5"] = files["someone/tiny/pytorch_model.bin"] = b"x" * 99
    with serving(files) as stand_in:
        stand_in.large.add("someone/tiny/model.safetensors")
        yield stand_in


@pytest.mark.slow
def test_a_model_is_fetched_once_and_found_by_its_name(models: StandIn, tmp_path: Path) -> None:
    environment = home(models, tmp_path)
    done = process("models", "fetch", "someone/tiny", "--json", **environment)
    assert set(done.json["files"]) == {"model.safetensors", "config.json", "vocab.txt"}
    assert done.json["revision"] == COMMIT
    lock = json.loads((Path(done.json["path"]).parents[1] / "fetched.json").read_text(encoding="utf-8"))
    assert lock["files"]["model.safetensors"]["origin"]["revision"] == COMMIT
    asked = {path.rpartition("/")[2] for command, path, _ in models.asked if command == "GET"}
    assert asked.isdisjoint({"tf_model.h5", "pytorch_model.bin"})
    (Path(done.json["path"]) / "1_Pooling").mkdir()  # of another library's
    (Path(done.json["path"]) / "modules.json").write_text("[]")
    before = len([1 for command, path, _ in models.asked if command == "GET" and "resolve" in path])
    again = process("models", "fetch", "someone/tiny", "--json", **environment)
    assert again.json == done.json
    assert len([1 for command, path, _ in models.asked if command == "GET" and "resolve" in path]) == before
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    done = process(
        "train",
        "--tasks",
        "sts",
        "--sample",
        "--model",
        "someone/tiny",
        "--max-steps",
        1,
        "--batches",
        1,
        "--out",
        tmp_path / "run",
        **offline,
    )
    assert done.code == 0, done.err


@pytest.mark.slow
def test_a_model_that_is_not_what_the_hub_says_or_not_there(models: StandIn, tmp_path: Path) -> None:
    models.lies.add("someone/tiny/vocab.txt")
    done = process("models", "fetch", "someone/tiny", **home(models, tmp_path))
    assert done.code == 1
    assert "someone/tiny: vocab.txt: the digest is git:" in done.err
    done = process("models", "fetch", "someone/else", **home(models, tmp_path))
    assert done.code == 1
    assert done.err.startswith("mtft: error: someone/else: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin"], ["pytorch_model.bin"]),
        (
            ["model-2-of-2.safetensors", "model-1-of-2.safetensors", "model.safetensors.index.json"],
            ["model.safetensors.index.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors"],
        ),
        (["model-1-of-2.safetensors"], []),
        (["tf_model.h5", "config.json"], []),
    ],
)
def test_which_weights_are_wanted(files: list[str], wanted: list[str]) -> None:
    assert wanted_weights(files) == wanted
