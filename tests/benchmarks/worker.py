"""A candidate in a process of its own, so that its peak memory is its own; requests and answers are lines of JSON.

The first line on stdin names a factory and its arguments; each further line is a request, which goes as keyword
arguments to what the factory returned. The answer holds whatever that returned and the process's peak memory.
"""

from __future__ import annotations

import json
import os
import pkgutil
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def timed(function: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Serve requests until stdin ends; an error is an answer too, and ends the process."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where memory runs out, this process goes first, not its neighbours
    try:
        first = json.loads(sys.stdin.readline())
        import torch

        torch.set_num_threads(first["arguments"]["work"]["threads"])
        torch.manual_seed(0)
        run = pkgutil.resolve_name(first["factory"])(**first["arguments"])
        print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps({**run(**json.loads(line)), "peak": peak_bytes()}), file=answers, flush=True)
    except Exception as error:
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}), file=answers, flush=True)


if __name__ == "__main__":
    main()
