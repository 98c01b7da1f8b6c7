"""How far tests of reliability go, minutes in CI and hours in a soak (``MTFT_SOAK=1``), and what they have counted.

``python tests/soak.py LOG PAGE`` writes the page with all that the log holds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.benchmarks.about import memory, processor

SOAK = os.environ.get("MTFT_SOAK") == "1"
KINDS = ("kills", "cases", "faults", "lines")
"""Processes killed, inputs made up, things broken on purpose, and lines of a stream."""

PART = "of these"
"""How a promise begins that counts a part of what another counts."""

HEAD = """# Reliability

Written by `make soak`; do not edit. Every line was counted while the tests ran: processes killed at random moments,
inputs made up by hypothesis, faults planted in real files, disks and processes. [Tests](contributing-tests.md) says
which test stands for which promise, and [experiments](experiments.md) what failed.

"""
COLUMNS = ("promise", "tried", "failures", "seconds", "last", "machine")


def kills() -> int:
    """Return how many processes are killed, of all commands together."""
    return 200 if SOAK else 20


def cases() -> int:
    """Return how many examples hypothesis tries of each target."""
    return 10_000 if SOAK else 200


@dataclass
class Tried:
    """How many times a promise was put to the test; add to it as you go."""

    count: int = 0

    def one(self) -> None:
        self.count += 1


@contextmanager
def counted(promise: str, kind: str, count: int = 0) -> Iterator[Tried]:
    """Count what a block or, as a decorator, a test tries, and record it; one that fails is one failure."""
    begin, tried = time.monotonic(), Tried(count)
    try:
        yield tried
    except BaseException:
        record(promise, tried.count, kind, failures=1, seconds=time.monotonic() - begin)
        raise
    record(promise, tried.count, kind, seconds=time.monotonic() - begin)


def record(promise: str, count: int, kind: str, *, failures: int = 0, seconds: float = 0.0) -> None:
    """Add a line to the log ``$MTFT_SOAK_LOG``, if there is one."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, allowed: {', '.join(KINDS)}")
    if log := os.environ.get("MTFT_SOAK_LOG"):
        line = {
            "promise": promise,
            "kind": kind,
            "count": count,
            "failures": failures,
            "seconds": round(seconds, 1),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": f"{processor()}, {os.cpu_count()} cores, {memory()}",
        }
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def page(lines: list[dict[str, Any]]) -> str:
    """Return the page: what was tried of each promise, added up, in the order of kinds and names."""
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((KINDS.index(line["kind"]), line["promise"]), []).append(line)
    rows = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for (_, promise), group in sorted(groups.items()):
        count, failures, seconds = (sum(line[key] for line in group) for key in ("count", "failures", "seconds"))
        machines = "; ".join(sorted({line["machine"] for line in group}))
        last = max(line["date"] for line in group)
        rows.append(f"| {promise} | {count:,} {group[0]['kind']} | {failures} | {seconds:.0f} | {last} | {machines} |")
    apart = [line for line in lines if not line["promise"].startswith(PART)]
    totals = {kind: sum(line["count"] for line in apart if line["kind"] == kind) for kind in KINDS}
    total = ", ".join(f"{count:,} {kind}" for kind, count in totals.items())
    return HEAD + "\n".join(rows) + f"\n\nTogether: {total}, {sum(line['failures'] for line in lines)} failures.\n"


if __name__ == "__main__":
    log, output = map(Path, sys.argv[1:])
    output.write_text(page([json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]), "utf-8")
