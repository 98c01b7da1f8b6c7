"""Surgery methods in one process, in turns on the same batches: the only difference is the method."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.bench_step import OURS, WARM
from tests.benchmarks.session import CandidateError, Figure, Goal, Session

SECTION = "surgery"
METHODS = ("sum", "pcgrad", "expected-pcgrad", "upgrad")
GOAL = Goal("at most", 1.03)


def run(session: Session) -> None:
    """Measure all methods against the plain sum; steps are short, so each is taken several times."""
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    try:
        with session.workers(OURS) as (worker,):
            worker(**WARM)
            for number in range(session.repeats * (1 if session.quick else 5)):
                for method in METHODS[number % 4 :] + METHODS[: number % 4]:
                    answer = worker(size=96, index=number, surgery=method)
                    seconds[method].append(answer["seconds"])
    except CandidateError as error:
        session.failed(SECTION, "surgery methods", "sum", GOAL, error)
        return
    for method in METHODS[1:]:
        ratios = [a / b for a, b in zip(seconds[method], seconds["sum"], strict=True)]
        raw = {name: {"seconds": median(seconds[name])} for name in (method, "sum")}
        session.add(Figure(SECTION, f"mtft, {method}, batch 96", "mtft, sum", median(ratios), "x", GOAL, ratios, raw))
