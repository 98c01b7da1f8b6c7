"""Bytes that each of two processes gives to all-reduce in one step, against DistributedDataParallel's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

from tests.benchmarks.session import ROOT, CandidateError, Figure, Session

SECTION = "bytes between processes"
SECONDS = 600


def run(session: Session) -> None:
    """Count; the figures are exact, so nothing is repeated."""
    size = 96
    try:
        peers = {"one backward for all tasks": sent(session, who="ddp", size=size, apart=False)}
        if not session.quick:
            peers["a backward per task, for surgery"] = sent(session, who="ddp", size=size, apart=True)
        for keep in (0.3,) if session.quick else (0.3, 0.1):
            mine = sent(session, who="ours", size=size, keep=keep)
            for name, theirs in peers.items():
                what, against = f"mtft PCGrad, keep {keep}", f"DDP, {name}"
                raw = {"mtft": {"MB": mine / 1e6}, "DDP": {"MB": theirs / 1e6}}
                ratio = mine / theirs
                session.add(Figure(SECTION, what, against, ratio, "x", None, [ratio], raw))
    except CandidateError as error:
        session.failed(SECTION, "mtft", "DDP", None, error)


def sent(session: Session, **request: Any) -> int:
    """Return the bytes that two processes on this machine count, which must be the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.benchmarks.wire", json.dumps({"work": dict(session.work), **request})]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "PYTHONPATH": os.pathsep.join(paths),
    }
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, **environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=SECONDS) for process in running]
    except subprocess.TimeoutExpired:
        raise CandidateError(f"not done after {SECONDS} s") from None
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        errors = sorted((err for _, err in said), key=lambda err: "another process of this run" in err)
        raise CandidateError(f"{request['who']}: {errors[0][-300:].strip()}")
    first, second = (int(json.loads(out.splitlines()[-1])["bytes"]) for out, _ in said)
    if first != second:
        raise CandidateError(f"{request['who']}: processes count {first} and {second} bytes")
    session.tell(f"    {request}: {first:,} bytes")
    return first
