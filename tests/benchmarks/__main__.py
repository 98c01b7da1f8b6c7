"""Run benchmarks: a table on stdout, everything in a JSON file, optionally a page."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.about import about
from tests.benchmarks.session import ROOT, Session
from tests.benchmarks.workload import Workload

BENCHES = ("start", "tokenize", "step", "surgery", "memory", "select", "refine", "predict", "growth", "data", "wire")


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(BENCHES), help=f"some of {','.join(BENCHES)}")
    parser.add_argument("--repeats", type=int, help="paired runs of each figure (default: 3, quick: 2)")
    parser.add_argument("--quick", action="store_true", help="small batches, a few minutes; no figure of a goal at 512")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="minilm", help="minilm or a directory")
    parser.add_argument("--data-dir", default=os.environ.get("MTFT_DATA_DIR"), help="default: $MTFT_DATA_DIR")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks.json"),
        help="where the JSON goes; other sections that are in it stay",
    )
    parser.add_argument("--page", type=Path, help="write a Markdown page, and its plot in the same directory")
    parser.add_argument("--render", type=Path, metavar="JSON", help="measure nothing, write the page of these results")
    found = parser.parse_args(given)
    if unknown := set(found.only.split(",")) - set(BENCHES):
        parser.error(f"--only: {', '.join(sorted(unknown))} is not one of {', '.join(BENCHES)}")
    if not found.render and not found.data_dir:
        parser.error("set $MTFT_DATA_DIR or give --data-dir")
    return found


def measure(found: argparse.Namespace) -> dict[str, Any]:
    """Run the benchmarks asked for and return the results; one that breaks is reported and stops nothing."""
    repeats = found.repeats or (2 if found.quick else 3)
    start = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - start:6.0f} s] {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="mtft-bench-") as cache:
        work = asdict(
            Workload(data=str(Path(found.data_dir).resolve()), cache=cache, model=found.model, threads=found.threads)
        )
        session = Session(work, repeats=repeats, quick=found.quick, out=found.out, tell=tell)
        for name in found.only.split(","):
            tell(f"--- {name}")
            bench = importlib.import_module(f"tests.benchmarks.bench_{name}")
            session.begin(bench.SECTION, about(found.threads, repeats, found.quick))
            begin = time.monotonic()
            try:
                bench.run(session)
            except Exception as error:  # whatever it is, the other benchmarks are worth having
                session.failed(bench.SECTION, "all", "", None, error)
            took = f"{(time.monotonic() - begin) / 60:.1f} min, load after {os.getloadavg()[0]:.2f}"
            session.sections[bench.SECTION]["took"] = took
            session.flush()
    results: dict[str, Any] = json.loads(found.out.read_text(encoding="utf-8"))
    return results


def main(given: list[str] | None = None) -> None:
    """Measure or render."""
    found = arguments(given)
    results = json.loads(found.render.read_text(encoding="utf-8")) if found.render else measure(found)
    print(report.terminal(results["figures"]))
    if found.render or found.page:
        report.write(results, found.page or ROOT / "examples" / "guide" / "benchmarks.md")


if __name__ == "__main__":
    main()
