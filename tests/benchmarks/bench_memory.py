"""Peak memory by batch size and data size, against TorchJD and `mtft plan`; and what the optimizer keeps."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mtft.encoder.architectures import BERT
from mtft.encoder.pretrained import hub_tensors
from mtft.io.files import write_json
from tests.benchmarks.bench_step import OURS, PLAIN, TORCHJD, gib
from tests.benchmarks.process import run_python
from tests.benchmarks.session import Candidate, CandidateError, Figure, Goal, Session
from tests.benchmarks.workload import TASKS, Workload, encoder, tasks

SECTION = "memory"


def run(session: Session) -> None:
    """Measure peaks of single steps, each in a fresh process; what the steps have measured is not measured again."""
    small, usual, large = (96, 192, 384) if session.quick else (96, 512, 2048)
    _ratio(session, (OURS, usual), (TORCHJD, usual), Goal("at most", 0.25))
    _ratio(session, (OURS, large), (OURS, usual), None)
    _same_examples(session, large, usual)
    _ratio(session, (OURS, usual), (OURS, small), None)
    tenth = replace(OURS, name=f"{OURS.name}, a tenth of the data", work={"share": 0.1})
    _ratio(session, (OURS, small), (tenth, small), Goal("at most", 1.1))
    _whole_run(session, usual)
    _optimizer(session)


def _same_examples(session: Session, large: int, usual: int) -> None:
    """Compare peaks of training on the same number of examples: more of them hold longer ones, whatever the batch."""
    examples, goal, peaks = 2 * large, Goal("at most", 1.1), {}
    for size in (large, usual):
        label = f"mtft pcgrad, {examples:,} examples in batches of {size}"
        try:
            with session.workers(OURS) as (worker,):
                peaks[label] = [worker(size=size, index=number)["peak"] for number in range(examples // size)][-1]
        except CandidateError as error:
            session.failed(SECTION, label, f"batches of {usual}", goal, error)
            return
    (what, mine), (_, theirs) = peaks.items()
    raw = {label: {"peak GiB": gib(value)} for label, value in peaks.items()}
    session.add(Figure(SECTION, what, f"in batches of {usual}", mine / theirs, "x", goal, [mine / theirs], raw))


def peak(session: Session, candidate: Candidate, size: int) -> int:
    """Return the peak bytes of one step of a candidate that did nothing else."""
    key = f"{candidate.name} {size}"
    if key not in session.peaks:
        with session.workers(candidate) as (worker,):
            answer = worker(size=size, index=0)
        session.peaks[key] = answer["peak"]
        session.peaks[f"{candidate.name} entries"] = answer["entries"]
        session.tell(f"    {key}: {gib(answer['peak']):.2f} GiB")
    return session.peaks[key]


def _ratio(session: Session, ours: tuple[Candidate, int], other: tuple[Candidate, int], goal: Goal | None) -> None:
    labels = [f"{candidate.name}, batch {size}" for candidate, size in (ours, other)]
    try:
        mine, theirs = peak(session, *ours), peak(session, *other)
    except CandidateError as error:
        session.failed(SECTION, labels[0], labels[1], goal, error)
        return
    raw = {label: {"peak GiB": gib(value)} for label, value in zip(labels, (mine, theirs), strict=True)}
    session.add(Figure(SECTION, labels[0], labels[1], mine / theirs, "x", goal, [mine / theirs], raw))


def _whole_run(session: Session, size: int) -> None:
    """Set the peak that `mtft plan` states against that of the `mtft train` which follows, from load to check."""
    shape, goal = ("model given", None) if session.quick else ("BERT-base shape", Goal("at most", 5.0))
    what, error = f"mtft train, {shape}, batch {size}", Goal("at most", 0.15)
    work = Workload(**session.work) if session.quick else replace(Workload(**session.work), model="bert-base-uncased")
    options = [
        "--tasks",
        ",".join(TASKS),
        "--augment",
        "none",
        "--model",
        str(model_directory(work)),
        "--data-dir",
        str(few_dev_rows(work)),
        "--batch-size",
        str(size),
        "--keep",
        "0.3",
        "--batches",
        "1",
        "--max-steps",
        "1",
        "--threads",
        str(work.threads),
    ]
    try:
        stated = json.loads(command(["plan", *options, "--json"])[0])["memory_bytes"]
        _, found = command(["train", *options, "--out", str(work.key("memory-run")), "--overwrite", "--quiet"])
    except RuntimeError as problem:
        session.failed(SECTION, what, "5 GiB", goal, problem)
        return
    session.add(Figure(SECTION, what, "5 GiB", gib(found), "GiB", goal, [gib(found)], {what: {"peak GiB": gib(found)}}))
    off = abs(stated["peak"] / found - 1)
    raw = {"stated by mtft plan": {"peak GiB": gib(stated["peak"])}, "measured": {"peak GiB": gib(found)}}
    session.add(
        Figure(
            SECTION,
            f"mtft plan, {shape}, batch {size}: share by which the peak stated is off",
            "the peak measured",
            off,
            "",
            error,
            [off],
            raw,
        )
    )


def command(arguments: list[str]) -> tuple[str, int]:
    """Run mtft; return what it printed and its peak bytes. RuntimeError with its last words if it fails."""
    ran = run_python(["-m", "mtft", *arguments])
    return ran.text, ran.peak


def model_directory(work: Workload) -> Path:
    """Return the workload's model in Hugging Face form; random weights are written to the cache first."""
    if work.pretrained:
        return work.pretrained
    directory = work.key("model", work.model)
    if not directory.exists():
        directory.mkdir()
        sizes = asdict(work.config())
        config = {
            "model_type": "bert",
            "hidden_act": "gelu",
            **{key.name: sizes[ours] for ours, key in BERT.keys.items()},
        }
        write_json(directory / "config.json", config)
        save_file(hub_tensors(encoder(work)), directory / "model.safetensors")
        for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
            if (work.tokenizer / name).exists():
                shutil.copy(work.tokenizer / name, directory)
    return directory


def few_dev_rows(work: Workload, rows: int = 100) -> Path:
    """Return a directory of the tasks' data with all of train and the first rows of dev, which saves minutes."""
    directory = work.key("few")
    directory.mkdir(exist_ok=True)
    for task in tasks():
        for split in ("train", "dev"):
            reader: Any = task.source.reader
            (path,) = reader.files(split, Path(work.data))
            lines = path.read_bytes().splitlines(keepends=True)
            (directory / path.name).write_bytes(b"".join(lines[: None if split == "train" else rows + 1]))
    return directory


def _optimizer(session: Session) -> None:
    goal = Goal("at most", 1.0)
    try:
        with session.workers(OURS) as (worker,):
            found = worker(size=16, index=0)
        with session.workers(PLAIN) as (worker,):
            dense = worker(size=16, index=0)
    except CandidateError as error:
        session.failed(SECTION, "optimizer state", "dense AdamW", goal, error)
        return
    raw = {"mtft": {"entries": found["entries"]}, "dense AdamW": {"entries": dense["entries"]}}
    needed = 2 * (found["selected"] + found["heads"])
    session.add(
        Figure(
            SECTION,
            "optimizer state",
            "two moments of (k + heads) entries",
            found["entries"] / needed,
            "x",
            goal,
            [found["entries"] / needed],
            raw,
        )
    )
    share = found["entries"] / dense["entries"]
    session.add(Figure(SECTION, "optimizer state", "dense AdamW", share, "x", None, [share], raw))
