"""Training steps: mtft against a plain loop, TorchJD, LibMTL and the arithmetic; and rows against elements."""

from __future__ import annotations

from typing import Any

from mtft.config.schema import TrainConfig
from tests.benchmarks.session import GIB, Candidate, Goal, Session

SECTION = "training step"
OURS = Candidate("mtft pcgrad", "tests.benchmarks.ours:training", {"keep": 0.3})
LIMIT = Candidate("arithmetic limit", "tests.benchmarks.limit:limit")
PLAIN = Candidate("plain loop", "tests.benchmarks.peers:plain")
TORCHJD = Candidate("TorchJD PCGrad", "tests.benchmarks.peers:torchjd")
LIBMTL = Candidate("LibMTL PCGrad", "tests.benchmarks.peers:libmtl")
JOINED = Candidate("LibMTL PCGrad as its trainer calls it", "tests.benchmarks.peers:libmtl", {"joined": True})
MICRO = Candidate("plain loop, micro-batches of 16", "tests.benchmarks.peers:plain", {"micro": 16})
AUGMENTED = {"augment": True}
PEERS = ((PLAIN, 2.5), (TORCHJD, 5.0), (LIBMTL, 2.5))
WARM = {"size": 16, "index": 0}


def run(session: Session) -> None:
    """Measure all of it; at the small batch first, so that something is known soon."""
    sizes = (96,) if session.quick else (96, 512)
    for size in sizes:
        _limit(session, size)
        for peer, goal in PEERS:
            _against(session, size, peer, Goal("at least", goal) if size == 512 else None)
    _against(session, sizes[0], JOINED, None, note="losses joined in one tensor: each backward visits all graphs")
    _against(session, sizes[0], MICRO, None, AUGMENTED, note="with augmentation")
    _granularity(session)


def requests(session: Session, size: int) -> list[dict[str, Any]]:
    """Return one batch per repeat."""
    return [{"size": size, "index": number} for number in range(session.repeats)]


def _limit(session: Session, size: int) -> None:
    goal = Goal("at most", 1.3) if size == 512 else None
    session.compare(
        SECTION,
        OURS,
        LIMIT,
        requests(session, size),
        what=f"mtft, PCGrad, keep 0.3, batch {size}",
        against=LIMIT.name,
        goal=goal,
        warm=WARM,
        flip=True,
    )


def _against(
    session: Session,
    size: int,
    peer: Candidate,
    goal: Goal | None,
    work: dict[str, Any] | None = None,
    note: str = "",
) -> None:
    ours = Candidate(OURS.name, OURS.factory, OURS.arguments, work or {})
    peer = Candidate(peer.name, peer.factory, peer.arguments, work or {})
    what = f"mtft, PCGrad, keep 0.3, batch {size}" + (", augmentation" if work else "")
    turns = requests(session, size)[: 2 if size == 512 and peer.name == TORCHJD.name else None]  # a minute each
    answers = session.compare(SECTION, ours, peer, turns, what=what, against=peer.name, goal=goal, warm=WARM, note=note)
    if answers and not work:
        for candidate, found in zip((ours, peer), answers, strict=True):
            session.peaks[f"{candidate.name} {size}"] = found[-1]["peak"]
            session.peaks[f"{candidate.name} entries"] = found[-1]["entries"]


def _granularity(session: Session) -> None:
    if "granularity" not in TrainConfig.model_fields:
        return
    size = 96 if session.quick else 512
    for keep, goal in ((0.1, Goal("at least", 1.15)), (0.3, None)):
        arguments = {"keep": keep}
        element = Candidate("element", OURS.factory, arguments)
        row = Candidate("row", OURS.factory, {**arguments, "granularity": "row"})
        session.compare(
            SECTION,
            row,
            element,
            requests(session, size),
            what=f"mtft, --granularity row, keep {keep}, batch {size}",
            against="--granularity element",
            goal=goal,
            warm=WARM,
        )


def gib(count: float) -> float:
    """Convert bytes."""
    return count / GIB
