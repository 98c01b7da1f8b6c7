"""From the command line to the first line of output."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from mtft.errors import DISTRIBUTION
from mtft.io.files import write_json
from mtft.runs.checkpoint import save_model
from tests.benchmarks.bench_predict import trained
from tests.benchmarks.session import ROOT, Figure, Goal, Session
from tests.benchmarks.workload import Workload

SECTION = "start"
IMPORT = [sys.executable, "-c", "import torch; print(torch.__version__)"]
HELP = [sys.executable, "-m", "mtft", "--help"]


def first_line(command: list[str], text: str = "") -> float:
    """Return the seconds from start to the first line on stdout; the process then runs to its end."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text)
        process.stdin.close()
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        process.stdout.read()
        assert process.stderr is not None
        words = process.stderr.read()
    if not line or process.returncode:
        raise RuntimeError(f"{' '.join(command)}: code {process.returncode}: {words[-300:]}")
    return seconds


def run(session: Session) -> None:
    """Measure in turns."""
    directory = finished_run(Workload(**session.work))
    predict = [sys.executable, "-m", "mtft", "predict", str(directory), "--threads", str(session.work["threads"])]
    helped, imported, predicted = [], [], []
    try:
        first_line(predict, "A joy from start to end.\n")  # files into the page cache
        for _ in range(max(3, session.repeats)):
            imported.append(first_line(IMPORT))
            helped.append(first_line(HELP))
            predicted.append(first_line(predict, "A joy from start to end.\n"))
    except (RuntimeError, OSError) as error:
        session.failed(SECTION, "mtft predict, first row", "import of torch", Goal("at most", 1.0), error)
        return
    session.add(Figure(SECTION, "mtft --help", "seconds", median(helped), "s", Goal("at most", 0.3), helped))
    more = [a - b for a, b in zip(predicted, imported, strict=True)]
    raw = {"mtft predict": {"seconds": median(predicted)}, "import torch": {"seconds": median(imported)}}
    session.add(
        Figure(
            SECTION,
            "mtft predict, start to first row",
            "seconds beyond the import of torch",
            median(more),
            "s",
            Goal("at most", 1.0),
            more,
            raw,
        )
    )


def finished_run(work: Workload) -> Path:
    """Write a run as far as `mtft predict` reads it; its heads are untrained."""
    directory = work.key("run")
    if not directory.exists():
        found = trained(work)
        origins = {task.name: {"name": "builtin", "distribution": DISTRIBUTION, "version": "0"} for task in found.tasks}
        directory.mkdir()
        save_model(directory / "model", found, origins)
        write_json(directory / "summary.json", {"tasks": [task.name for task in found.tasks]})
    return directory
