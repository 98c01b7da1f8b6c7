"""Surgery methods in one process, in turns on the same batches: the only difference is the method."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.bench_step import OURS, WARM
from tests.benchmarks.session import CandidateError, Figure, Goal, Session

SECTION = "surgery"
METHODS = ("sum", "pcgrad", "expected-pcgrad", "upgrad")
GOAL = Goal("at most", 1.03)


def run(session: Session) -> None:
    """Set a step with each method against the same step with the sum's weights.

    Steps differ by more than methods do, from one to the next, so the method alone is timed in each step, and its
    time is exchanged for the median of the sum's.
    """
    answers: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    try:
        with session.workers(OURS) as (worker,):
            worker(**WARM)
            for number in range(session.repeats * (1 if session.quick else 2)):
                for method in METHODS[number % 4 :] + METHODS[: number % 4]:
                    answers[method].append(worker(size=96, index=number, surgery=method))
    except CandidateError as error:
        session.failed(SECTION, "surgery methods", "sum", GOAL, error)
        return
    plain = median(answer["surgery"] for answer in answers["sum"])
    for method, found in answers.items():
        if method == "sum":
            continue
        ratios = [a["seconds"] / (a["seconds"] - a["surgery"] + plain) for a in found]
        raw = {
            "a step": {"seconds": median(answer["seconds"] for answer in found)},
            f"its {method}": {"seconds": median(answer["surgery"] for answer in found)},
            "sum": {"seconds": plain},
        }
        session.add(Figure(SECTION, f"mtft, {method}, batch 96", "mtft, sum", median(ratios), "x", GOAL, ratios, raw))
