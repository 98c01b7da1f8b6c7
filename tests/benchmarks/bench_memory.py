"""Peak memory by batch size and data size, against TorchJD; and what the optimizer keeps."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.bench_step import OURS, PLAIN, TORCHJD, gib
from tests.benchmarks.session import Candidate, CandidateError, Figure, Goal, Session

SECTION = "memory"


def run(session: Session) -> None:
    """Measure peaks of single steps, each in a fresh process; what the steps have measured is not measured again."""
    small, usual, large = (96, 192, 384) if session.quick else (96, 512, 2048)
    _ratio(session, (OURS, usual), (TORCHJD, usual), Goal("at most", 0.25))
    _ratio(session, (OURS, large), (OURS, usual), Goal("at most", 1.1))
    _ratio(session, (OURS, usual), (OURS, small), None)
    tenth = replace(OURS, name=f"{OURS.name}, a tenth of the data", work={"share": 0.1})
    _ratio(session, (OURS, small), (tenth, small), Goal("at most", 1.1))
    if not session.quick:
        _base(session, usual)
    _optimizer(session)


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


def _base(session: Session, size: int) -> None:
    what, goal = f"mtft, BERT-base shape, batch {size}", Goal("at most", 5.0)
    base = replace(OURS, name=f"{OURS.name}, BERT-base shape", work={"model": "bert-base-uncased"})
    try:
        value = gib(peak(session, base, size))
    except CandidateError as error:
        session.failed(SECTION, what, "GiB", goal, error)
        return
    session.add(Figure(SECTION, what, "5 GiB", value, "GiB", goal, [value], {base.name: {"peak GiB": value}}))


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
    session.add(Figure(SECTION, "optimizer state", "two moments of (k + heads) entries", found["entries"] / needed,
                       "x", goal, [found["entries"] / needed], raw))  # fmt: skip
    share = found["entries"] / dense["entries"]
    session.add(Figure(SECTION, "optimizer state", "dense AdamW", share, "x", None, [share], raw))
