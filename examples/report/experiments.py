"""Run the experiments of the report, one after the other; what is finished is passed over, what was cut off goes on.

    python examples/report/experiments.py                                # lists runs and how far they are
    python examples/report/experiments.py table1 --work /big/disk        # runs all of a table
    python examples/report/experiments.py unified.s0 --work /big/disk    # runs one with one seed
    python examples/report/experiments.py quarter --work W -- --threads 2    # what follows -- goes to mtft

Weights and logs stay under ``--work``; a finished run is recorded under ``runs/`` beside this file. Ctrl-C, or SIGTERM
to the process group, saves the run in progress; the same command goes on with it.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plans import Plans, label, read_plans, split
from record import keep

from mtft.errors import MtftError
from mtft.runs.state import load_state

RECORDS = Path(__file__).with_name("runs")
PATIENCE = 60.0
"""Seconds after a signal for the run to save by itself, before the signal is passed on to it."""


class Stop:
    """Notes the first signal; the run in progress, of the same process group, has it too and saves."""

    def __init__(self) -> None:
        self.signal, self.since = 0, 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: object) -> None:
        if not self.signal:
            self.signal, self.since = number, time.monotonic()

    def wait_for(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit code of a process; pass a signal on that reached this process alone."""
        passed = False
        while True:
            try:
                return process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                if self.signal and not passed and time.monotonic() - self.since > PATIENCE:
                    process.send_signal(self.signal)
                    passed = True


def main(arguments: Sequence[str] | None = None) -> int:
    """List or run experiments; return the exit code."""
    given, options = split(list(sys.argv[1:] if arguments is None else arguments))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="runs (unified, unified.s0), tables (table1) or all")
    parser.add_argument("--work", type=Path, default=Path("runs"), help="where weights and logs go")
    parser.add_argument("--records", type=Path, default=RECORDS, help="where finished runs are recorded")
    asked = parser.parse_args(given)
    plans = read_plans()
    try:
        chosen = plans.chosen(asked.names or ["all"])
        if not asked.names:
            for run, seed in chosen:
                print(f"{label(run, seed):24} {state(asked.work / label(run, seed), asked.records)}")
            return 0
        return run_all(plans, chosen, asked.work, asked.records, options)
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def state(out: Path, records: Path) -> str:
    """Say how far a run is."""
    if (records / out.name / "record.json").is_file():
        return "recorded"
    if (out / "summary.json").is_file():
        return "finished"
    if not (out / "config.toml").is_file():
        return "not begun"
    found = load_state(out / "state")
    return f"cut off at step {found[1].get('steps', 0)}" if found else "cut off"


def due(plans: Plans, chosen: Sequence[tuple[str, int]], work: Path, records: Path) -> list[tuple[str, int]]:
    """Return the runs without a record, and those that one of them begins with and whose weights are not here."""
    found: list[tuple[str, int]] = []
    needed: set[tuple[str, int]] = set()
    for run, seed in reversed(chosen):
        name = label(run, seed)
        weights, recorded = (work / name / "summary.json").is_file(), (records / name / "record.json").is_file()
        if not recorded or ((run, seed) in needed and not weights):
            found.append((run, seed))
            needed |= {(other, seed) for other in plans.needed(run)}
    return found[::-1]


def run_all(
    plans: Plans, chosen: Sequence[tuple[str, int]], work: Path, records: Path, options: Sequence[str] = ()
) -> int:
    """Run what is due, each with a log of its own; stop at the first that does not end well. Records stay."""
    stop = Stop()
    work.mkdir(parents=True, exist_ok=True)
    for run, seed in due(plans, chosen, work, records):
        out = work / label(run, seed)
        recorded = (records / out.name / "record.json").is_file()
        if not (out / "summary.json").is_file():
            code = _run(plans, run, seed, out, records, options, stop)
            if code or stop.signal:
                after = "begins it anew" if run in plans.peers else "goes on"
                print(f"{out.name}: stopped with exit code {code}; the same command {after}", flush=True)
                return code or 128 + stop.signal
        if not recorded and run not in plans.peers:  # these write their records themselves
            keep(out, records / out.name)
        print(f"{out.name}: {'its weights are here again' if recorded else 'recorded'}", flush=True)
    return 0


def _run(plans: Plans, run: str, seed: int, out: Path, records: Path, options: Sequence[str], stop: Stop) -> int:
    """Begin or go on with one run; return its exit code."""
    if peer := plans.peers.get(run):
        script = str(Path(__file__).with_name(f"{peer}.py"))
        command = [script, "--like", run, "--seed", str(seed), "--record", str(records / out.name), "--", *options]
    else:
        arguments = plans.command(run, seed, out, options)
        if (out / "config.toml").is_file():
            arguments = [arguments[0], "--resume", str(out), *options]
        command = ["-m", "mtft", *arguments]
    log = out.with_name(f"{out.name}.log")
    print(f"{out.name}: {' '.join(command)} (log: {log})", flush=True)
    with log.open("ab") as stream:
        return stop.wait_for(subprocess.Popen([sys.executable, *command], stdout=stream, stderr=stream))


if __name__ == "__main__":
    sys.exit(main())
