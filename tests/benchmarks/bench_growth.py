"""How a step grows with its tokens."""

from __future__ import annotations

import math

from tests.benchmarks.bench_step import OURS, WARM
from tests.benchmarks.session import CandidateError, Figure, Session

SECTION = "growth"


def run(session: Session) -> None:
    """Fit seconds = c * tokens^e over four batch sizes, in turns."""
    sizes = (24, 48, 96, 192) if session.quick else (64, 128, 256, 512)
    points: list[tuple[int, float]] = []
    try:
        with session.workers(OURS) as (worker,):
            worker(**WARM)
            for number in range(max(1, session.repeats - 1)):
                for size in sizes if number % 2 == 0 else reversed(sizes):
                    answer = worker(size=size, index=number)
                    points.append((answer["tokens"], answer["seconds"]))
    except CandidateError as error:
        session.failed(SECTION, "seconds of a step", "tokens", None, error)
        return
    raw = {"points": {"tokens": [a for a, _ in points], "seconds": [b for _, b in points]}}
    session.add(
        Figure(
            SECTION,
            f"seconds of a step, batches {sizes[0]} to {sizes[-1]}",
            "tokens",
            slope(points),
            "(exponent)",
            None,
            [],
            raw,
        )
    )


def slope(points: list[tuple[int, float]]) -> float:
    """Return the least-squares slope of log seconds over log tokens."""
    x, y = [math.log(a) for a, _ in points], [math.log(b) for _, b in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)
