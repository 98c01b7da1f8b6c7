"""`mtft train`: what it prints and writes, and how it fails."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import FEW, MTFT, ROOT, TASKS, Done, clean, cli, digests, records, summary

import mtft
from mtft.data.dataset import sample_dir
from mtft.selection.mask import load_mask
from mtft.testing.tiny import tiny_encoder, write_tiny_model

ALL = ("train", "--tasks", "sst,quora,sts")
PAIRS = {"sst/quora", "sst/sts", "quora/sts"}


def test_json_is_one_document_and_all_there_is_on_stdout(trained: tuple[Path, Done]) -> None:
    path, done = trained
    result = done.json
    assert list(result) == [
        "path",
        "epochs",
        "best_epoch",
        "best_cut_at",
        "dev",
        "baselines",
        "parameters",
        "conflicts",
    ]
    kept = summary(path)
    assert result["path"] == str(path)
    for key in ("epochs", "best_epoch", "dev", "baselines", "parameters", "conflicts"):
        assert result[key] == kept[key]
    assert {task: list(found) for task, found in result["dev"].items()} == {
        "sst": ["accuracy", "f1"],
        "quora": ["accuracy", "f1"],
        "sts": ["pearson", "spearman"],
    }
    assert result["parameters"]["tunable"] == sum(result["parameters"]["heads"].values()) + 6576 * 3 // 10
    assert result["conflicts"]["pairs"].keys() == PAIRS
    lines = done.err.splitlines()
    assert lines[0] == "augmentation: cfimdb, quora-consistency, sts-consistency"
    assert "selecting 30% of 6,576 encoder weights by sum" in lines
    shown = [line.split("  ")[0] for line in lines if line.startswith("train, ")]
    assert shown == [f"train, epoch 1 of 3: step {n}/4" for n in (1, 2, 3, 4)]
    lines = [line for line in lines if not line.startswith("mtft: warning: ")]
    assert lines[-1].startswith("epoch 1 (to step 4): dev sst accuracy ")


def test_the_run_directory_is_complete(trained_run: Path) -> None:
    names = set(digests(trained_run))
    model = {
        f"model/{name}" for name in ("model.json", "README.md", *_safetensors("mask", "encoder", "heads", "probe"))
    }
    predictions = {f"predictions/{task}.dev.jsonl" for task in TASKS}
    sealed = {"digests.json", *(f"{part}/digests.json" for part in ("model", "predictions", "state"))}
    logs = {f"{name}.jsonl" for name in ("steps", "metrics", "conflicts", "times")}
    assert names == {
        *model,
        *predictions,
        *logs,
        *sealed,
        "config.toml",
        "environment.json",
        "summary.json",
        "mask.safetensors",
        "state/position.json",
        "state/tensors.safetensors",
    }
    steps = records(trained_run / "steps.jsonl")
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert all(step["losses"].keys() == set(TASKS) and step["cosines"].keys() == PAIRS for step in steps)
    (epoch,) = records(trained_run / "metrics.jsonl")
    assert epoch["dev"] == summary(trained_run)["dev"]
    assert epoch["best"] is True


def _safetensors(*names: str) -> list[str]:
    return [f"{name}.safetensors" for name in names]


def test_its_configuration_makes_the_same_run_again(trained_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    done = cli("train", "--config", trained_run / "config.toml", "--out", out, "--quiet")
    assert done.code == 0, done.err
    assert digests(out / "model") == digests(trained_run / "model")


def test_a_table_for_people_and_silence_when_asked(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "sts"
    options = ("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", out)
    done = cli(*options, "--quiet")
    assert (done.code, done.err) == (0, "")
    header, pearson, spearman = map(str.split, done.out.splitlines())
    assert header == ["task", "dev", "metric", "value", "baseline"]
    assert (pearson[:2], spearman[:2]) == (["sts", "pearson"], ["sts", "spearman"])
    assert float(pearson[2]) == pytest.approx(summary(out)["dev"]["sts"]["pearson"], abs=1e-4)
    done = cli(*options, "--overwrite")
    assert re.fullmatch(
        r"best epoch 1 \(to step 4\) of 1; [\d,]+ parameters stored, [\d,]+ tuned; run: .*sts",
        done.err.splitlines()[-2],
    )
    assert "augmentation" not in done.err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--tasks", "sst,qoura"], ["unknown task 'qoura'; did you mean 'quora'? (allowed: ", "sst"]),
        (["--tasks", "sst,sst"], ["flag --tasks: 'sst' is given twice"]),
        ([], ["tasks: required; give --tasks"]),
        (["--best", "sst.acuracy"], ["--best: unknown rule 'sst.acuracy'; did you mean 'sst.accuracy'?", "mean"]),
        (["--best", "sts.pearson"], ["unknown rule 'sts.pearson'"]),
        (["--augment", "cfimbd"], ["--augment: unknown source of these tasks 'cfimbd'; did you mean 'cfimdb'?"]),
        (["--tasks", "sts", "--augment", "cfimdb"], ["--augment: unknown source of these tasks 'cfimdb'", "none)"]),
        (["--max-length", "49"], ["--max-length is 49; the model has 48 positions"]),
        (["--max-length", "4"], ["flag --max-length: '4' is not a whole number >= 8"]),
        (["--data-dir", "/no/such", "--no-sample"], ["--data-dir: /no/such is not a directory", "--sample"]),
        (["--model", "/no/such"], ["/no/such: not a directory with config.json"]),
        (["--mask", "/no/such"], ["mask file /no/such: ", "no such file"]),
        (["--mask", __file__], ["mask file", "not a safetensors file"]),
        (["--surgery", "pcgard"], ["--surgery: unknown surgery 'pcgard'; did you mean 'pcgrad'? (allowed: ", "upgrad"]),
        (["--preset", "repot"], ["unknown preset 'repot'; did you mean 'report'?"]),
        (["--set", "epoch=3"], ["unknown key 'epoch'; did you mean 'epochs'?"]),
        (["--config", "/no/such.toml"], ["cannot read /no/such.toml: no such file"]),
        (["--keep", "0"], ["flag --keep"]),
        (["--epochs", "0"], ["flag --epochs: '0' is not a whole number >= 1"]),
        (["--epoch", "1"], ["no such option", "--epochs"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    options: list[str], parts: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    given = ["--tasks", "sst"] if "--tasks" not in options and options else []
    out = tmp_path / "out"
    done = cli("train", *given, "--sample", "--model", tiny_model, "--out", out, "--batches", "1", *options)
    assert (done.code, done.out) == (2, "")
    for part in parts:
        assert part.lower() in done.err.lower()
    assert not out.exists()


def test_every_error_of_the_settings_is_told_at_once(tmp_path: Path) -> None:
    done = cli("train", "--epochs", "x", "--lr", "-1", "--out", tmp_path / "out")
    assert done.code == 2
    assert [line.split(":")[1] for line in done.err.splitlines()] == [" error", " flag --epochs", " flag --lr"]


def test_without_data_the_sample_is_offered(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli(*ALL, "--model", tiny_model)
    assert done.code == 2
    assert "sst: data/ids-sst-train.csv: no such file; give --data-dir, set $MTFT_DATA_DIR, or try" in done.err
    assert "--sample" in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_data(tiny_model: Path, tmp_path: Path) -> None:
    options = ("train", "--tasks", "sts", "--model", tiny_model, *FEW[1:], "--quiet", "--out", tmp_path / "out")
    done = cli(*options, MTFT_DATA_DIR=str(tmp_path / "gone"))
    assert (done.code, done.out) == (2, "")
    assert f"$MTFT_DATA_DIR: {tmp_path / 'gone'} is not a directory; --sample uses" in done.err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the sample data that may be changed."""
    return shutil.copytree(ROOT / "mtft" / "sample", tmp_path / "data")


def test_sources_without_files_are_left_out_and_tasks_without_files_fail(
    data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (data / "ids-cfimdb-train.csv").unlink()
    (data / "sts-dev.csv").unlink()
    out = tmp_path / "out"
    done = cli(*ALL, "--data-dir", data, *FEW[1:], "--model", tiny_model, "--out", out)
    assert done.code == 2
    assert done.err.splitlines()[0] == "augmentation: quora-consistency, sts-consistency"
    assert f"sts: {data}/sts-dev.csv: no such file" in done.err
    assert not out.exists()
    done = cli(*ALL, "--data-dir", data, "--augment", "cfimdb", *FEW[1:], "--model", tiny_model, "--out", out)
    assert f"cfimdb: {data}/ids-cfimdb-train.csv: no such file" in done.err


def test_augmentation_none(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--tasks", "sst", "--augment", "none", *FEW, "--model", tiny_model, "--out", out)
    done = cli("train", *options)
    assert done.code == 0
    assert done.err.splitlines()[0] == "augmentation: none"
    assert load_mask(out / "model" / "mask.safetensors").method["sources"] == "sst"


def test_rows_without_label_are_counted_or_refused(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    path = data / "sts-train.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    place = re.split("[\t,]", header).index("similarity")
    assert place == len(re.split("[\t,]", header)) - 1
    rows[1] = re.sub(r"[\d.]+$", "", rows[1])
    rows[4] = re.sub(r"[\d.]+$", "", rows[4])
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    options = ("train", "--tasks", "sts", "--data-dir", data, *FEW[1:], "--model", tiny_model)
    done = cli(*options, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    note = f"sts: 2 of {len(rows)} rows have no label (first: {path}:3)"
    assert f"{note}; left out" in done.err.splitlines()
    done = cli(*options, "--out", tmp_path / "strict", "--strict")
    assert (done.code, done.err.splitlines()[-1]) == (2, f"mtft: error: {note}; --strict allows none")
    assert not (tmp_path / "strict").exists()


def test_what_is_there_stays_there(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--quiet")
    before = digests(trained_run)
    done = cli(*options, "--out", trained_run)
    assert (done.code, done.err) == (
        2,
        f"mtft: error: --out: {trained_run} exists; choose another or give --overwrite\n",
    )
    assert digests(trained_run) == before
    for name in ("thesis.tex", "config.toml"):
        mine = tmp_path / name.partition(".")[0]
        mine.mkdir()
        (mine / name).write_text("years of work")
        done = cli(*options, "--out", mine, "--overwrite")
        assert (done.code, done.err) == (
            2,
            f"mtft: error: --out: {mine} exists and is not an mtft run; it is not overwritten\n",
        )
        assert (mine / name).read_text() == "years of work"
    done = cli(*options, "--out", tmp_path / "thesis" / "thesis.tex", "--overwrite")
    assert (done.code, (tmp_path / "thesis" / "thesis.tex").read_text()) == (2, "years of work")


def test_without_out_each_run_gets_a_name(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("train", "--tasks", "sts", *FEW[:1], "--max-steps", "1", "--batches", "1", "--model", tiny_model)
    paths = [cli(*options, "--json", *more).json["path"] for more in ([], [], ["--overwrite"])]
    assert paths == ["runs/sts", "runs/sts-2", "runs/sts"]


def test_a_mask_belongs_to_its_base(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    mask = trained_run / "model" / "mask.safetensors"
    options = ("train", "--tasks", "sts", *FEW, "--mask", mask, "--out", tmp_path / "out")
    done = cli(*options, "--model", write_tiny_model(tmp_path / "other", seed=1))
    assert done.code == 2
    assert f"--mask: {mask} was made for base weights with digest " in done.err
    assert not (tmp_path / "out").exists()
    done = cli(*options, "--model", tiny_model)
    assert done.code == 0
    assert "selecting" not in done.err
    assert (tmp_path / "out" / "model" / "mask.safetensors").read_bytes() == mask.read_bytes()


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")], ids=str
)
def test_signals_end_it_and_leave_an_unfinished_run(
    number: int, code: int, word: str, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--tasks", "sts", "--sample", "--batches", "1", "--epochs", "2000", "--model", tiny_model, "--out", out)
    with subprocess.Popen(
        [*MTFT, "train", *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean()
    ) as training:
        assert training.stderr is not None
        assert any(line.startswith("epoch 2: ") for line in training.stderr)
        training.send_signal(number)
        data, messages = training.communicate(timeout=60)
    assert (training.returncode, data, messages.splitlines()[-1]) == (code, "", f"mtft: {word}")
    assert "Traceback" not in messages
    assert re.search(rf"^stopped after step \d+; go on with mtft train --resume {out}$", messages, re.MULTILINE)
    again = cli("train", *options)
    assert (again.code, again.out) == (2, "")
    assert f"--out: {out} is a run that was stopped; mtft train --resume {out} continues it" in again.err
    assert (out / "model" / "model.json").is_file()
    assert not (out / "summary.json").exists()
    done = cli("compare", f"a={out}")
    assert (done.code, done.err) == (2, f"mtft: error: {out}: no finished run of mtft (no summary.json)\n")
    assert cli("eval", out, "--sample", "--quiet").code == 0  # the best epoch so far is whole


def test_a_terminal_without_colour(tiny_model: Path, tmp_path: Path) -> None:
    options = ("--tasks", "sts", *FEW, "--model", tiny_model, "--out", tmp_path / "out")
    ours, theirs = pty.openpty()
    environment = clean(TERM="xterm-256color", COLUMNS="120", NO_COLOR="1")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        environment.pop(name, None)
    command = [*MTFT, "train", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment) as training:
        os.close(theirs)
        screen = b"".join(iter(lambda: _read(ours), b"")).decode()
        assert training.stdout is not None
        table = training.stdout.read()
    os.close(ours)
    assert training.returncode == 0
    assert "epoch 1 (to step 4): dev sts pearson" in screen
    assert "evaluate, epoch 1 of 3" in screen
    assert "60/60 examples" in screen
    assert "\x1b[2K" in screen  # live: lines are drawn again
    assert not re.search(r"\x1b\[[\d;]*[34]\d[\d;]*m", screen)
    assert "\x1b" not in table


def _read(terminal: int) -> bytes:
    """Read what is on the terminal; b"" when the other side is closed, which Linux reports as an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.fixture
def nli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin for inference, installed."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "plugins" / "mtft-nli" / "mtft_nli", site / "mtft_nli")
    info = site / "mtft_nli-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mtft-nli\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[mtft]\nnli = mtft_nli\n")
    monkeypatch.syspath_prepend(site)
    former = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "mtft_nli"}
    for name in former:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "mtft_nli"]:
        del sys.modules[name]
    sys.modules.update(former)


@pytest.mark.usefixtures("nli")
def test_a_task_that_brings_its_data_needs_no_directory(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    options = (*FEW[1:], "--model", tiny_model, "--json", "--quiet")
    assert cli("train", "--tasks", "nli", *options).json["path"] == "runs/nli"
    manifest = json.loads((empty / "runs" / "nli" / "model" / "model.json").read_text())
    assert manifest["tasks"][0]["plugin"] == {"name": "nli", "distribution": "mtft-nli", "version": "0.1"}
    assert cli("eval", "runs/nli", "--json").json["tasks"]["nli"]["n"] == 30
    done = cli("train", "--tasks", "nli,sst", *options)
    assert done.code == 2
    assert "sst: data/ids-sst-train.csv: no such file; give --data-dir, set" in done.err
    done = cli("eval", "runs/nli", MTFT_DISABLE_PLUGINS="nli")
    assert done.code == 2
    assert "task 'nli' came from mtft-nli 0.1, which is not installed or does not load; " in done.err
    assert "install it from where it came from (on an index this name may be somebody else's)" in done.err
    assert "plugin 'nli' (mtft-nli 0.1) is disabled by MTFT_DISABLE_PLUGINS" in done.err


@pytest.mark.usefixtures("nli")
def test_tasks_of_a_run_work_without_the_plugin_of_another(tiny_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = cli("train", "--tasks", "sst,nli,sts", *FEW, "--augment", "none", "--model", tiny_model, "--out", run)
    assert done.code == 0, done.err
    off = {"MTFT_DISABLE_PLUGINS": "nli"}
    options = ("--tasks", "sts,sst", "--sample", "--resamples", "0", "--json")
    assert list(cli("eval", run, *options, **off).json["tasks"]) == ["sts", "sst"]
    assert cli("eval", run, *options, **off).out == cli("eval", run, *options).out
    asked = ("predict", run, "--tasks", "sst")
    assert cli(*asked, stdin="A joy.\n", **off).out == cli(*asked, stdin="A joy.\n").out != ""
    assert cli("merge", run, "--out", tmp_path / "merged", **off).code == 0
    assert cli("predict", run, stdin="A joy.\n", **off).code == 2
    unknown = cli("eval", run, "--tasks", "nil", "--sample", **off)
    assert (unknown.code, f"{run}: unknown task of this run 'nil'" in unknown.err) == (2, True)


def test_without_an_installation_the_built_in_plugin_has_the_version_of_the_code(trained_run: Path) -> None:
    manifest = json.loads((trained_run / "model" / "model.json").read_text())
    assert {task["plugin"]["version"] for task in manifest["tasks"]} == {mtft.__version__}


def test_an_impossible_share_is_told_before_a_run_is_replaced(tiny_model: Path, tmp_path: Path) -> None:
    options = ("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", tmp_path / "run", "-q")
    assert cli(*options).code == 0
    done = cli(*options, "--overwrite", "--keep", "0.00001")
    assert done.code == 2
    assert "--keep: keep 0.00001 of 6576 weights selects none" in done.err
    assert (tmp_path / "run" / "summary.json").is_file()


def test_bitfit_trains_the_biases_whatever_the_share(tiny_model: Path, tmp_path: Path) -> None:
    options = ("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--score", "bitfit", "--keep", "1")
    counts = cli(*options, "--out", tmp_path / "run", "--json", "-q").json["parameters"]
    biases = sum(p.numel() for name, p in tiny_encoder().named_parameters() if name.endswith(".bias"))
    assert counts["encoder"]["tunable"] == biases


def test_augmentation_without_a_row_is_left_out(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("ids-sst-train.csv", "ids-sst-dev.csv"):
        (tmp_path / name).write_bytes((sample_dir() / name).read_bytes())
    (tmp_path / "sts-train.csv").write_text("id\tsentence1\tsentence2\tsimilarity\na\tx\ty\t1.0\n")
    options = ("--tasks", "sst", "--data-dir", tmp_path, *FEW[1:], "--model", tiny_model)
    done = cli("train", *options, "--out", tmp_path / "run")
    assert done.code == 0
    assert "augmentation: none" in done.err


def test_the_average_is_what_is_kept_and_scored(tiny_model: Path, tmp_path: Path) -> None:
    given = ("train", "--tasks", "sst,sts", *FEW, "--lr", "0.01", "--model", tiny_model, "--quiet")
    for name, average in (("last", "none"), ("mean", "swa:0")):
        assert cli(*given, "--average", average, "--out", tmp_path / name).code == 0
    heads = [(tmp_path / name / "model/heads.safetensors").read_bytes() for name in ("last", "mean")]
    states = [(tmp_path / name / "state/tensors.safetensors").stat().st_size for name in ("last", "mean")]
    assert heads[0] != heads[1]
    assert states[0] < states[1]
    found = cli("eval", tmp_path / "mean", "--sample", "--resamples", "0", "--json").json["tasks"]
    for task, scores in summary(tmp_path / "mean")["dev"].items():
        assert {name: each["value"] for name, each in found[task]["metrics"].items()} == scores


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--average", "ema:1", "'ema:1' is not none, ema:DECAY or swa:SHARE"),
        ("--average", "ema", "'ema' is not none, ema:DECAY or swa:SHARE"),
        ("--task-weights", "sst=0", "the factor of 'sst' is 0, not a number > 0"),
        ("--task-weights", "sts=2,sst", "'sst' is not task=factor, as in sst=2"),
        ("--task-weights", "sts=2", "--task-weights: unknown task of this run 'sts'"),
    ],
)
def test_misuse_of_averages_and_factors_is_named(tmp_path: Path, option: str, value: str, words: str) -> None:
    done = cli("train", "--tasks", "sst", *FEW, option, value, "--out", tmp_path / "r")
    assert (done.code, words in done.err) == (2, True), done.err


def test_an_epoch_that_was_cut_short_is_not_called_by_the_name_of_the_whole_one(
    tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    given = ("train", "--tasks", "sts", "--augment", "none", "--sample", "--batches", 1, "--model", tiny_model)
    done = cli(*given, "--max-steps", 2, "--out", out)
    assert "epoch 1 (to step 2): dev sts" in done.err
    assert "best epoch 1 (to step 2) of 1;" in done.err
    assert (summary(out)["best_epoch"], summary(out)["best_cut_at"]) == (1, 2)
    done = cli("train", "--resume", out, "--max-steps", 99)
    assert done.code == 0, done.err
    told = re.findall(r"^epoch (.*?): dev", done.err, re.MULTILINE)
    assert told == ["1", "2", "3"]
    assert [(each["epoch"], each.get("cut_at")) for each in records(out / "metrics.jsonl")] == [
        (1, 2),
        (1, None),
        (2, None),
        (3, None),
    ]
    best = [each for each in records(out / "metrics.jsonl") if each["best"]][-1]
    assert summary(out)["best_epoch"] == best["epoch"]
    assert summary(out).get("best_cut_at") == best.get("cut_at")
    page = Path(cli("report", out, "--resamples", 20).out.strip()).read_text(encoding="utf-8")
    assert page.count('<td class="number">1 (to step 2)</td>') + page.count("<td>1 (to step 2)</td>") >= 1
