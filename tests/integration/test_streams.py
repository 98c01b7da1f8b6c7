"""Streams of any length: memory that does not grow with them, and answers that no batch size changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from commands import clean, cli
from soak import SOAK, counted, record

WORDS = "the film was fine but why did it take so long to end , asked a critic who had slept"
SCRIPT = """
import re, sys
from mtft.cli.main import run
code = run(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(code)
"""
COUNT = 1_000_000 if SOAK else 20_000


def inputs(count: int, faults: bool) -> Iterator[str]:
    """Draw records: texts, pairs, empty and long ones, and with `faults` one line in 50 that is no record."""
    random = Random(count)
    for number in range(count):
        if faults and number % 50 == 49:
            yield "{}\n"
            continue
        text = " ".join(random.choices(WORDS.split(), k=random.choice((0, 1, 3, 9, 60))))
        pair = {"sentence1": text, "sentence2": "no"}
        yield json.dumps({"id": number, **(pair if number % 3 == 0 else {"sentence": text})}) + "\n"


def memory(run: Path, folder: Path, count: int) -> float:
    """Predict `count` lines through a pipe, check ids and order, and return the peak of memory in MiB."""
    errors = folder / f"{count}.err"
    arguments = [sys.executable, "-c", SCRIPT, "predict", str(run), "--on-error", "null", "--batch-size", "512"]
    (folder / f"{count}.jsonl").write_text("".join(inputs(count, faults=True)))
    with (
        (folder / f"{count}.jsonl").open() as given,
        errors.open("w") as err,
        subprocess.Popen(arguments, stdin=given, stdout=subprocess.PIPE, stderr=err, text=True, env=clean()) as command,
    ):
        assert command.stdout is not None
        for number, line in enumerate(command.stdout):
            found = json.loads(line)
            assert found["id"] == (number + 1 if "error" in found else number)
            assert ("error" in found) == (number % 50 == 49)
        assert command.wait() == 0
        assert number == count - 1
    said, peak = errors.read_text().splitlines()
    assert said.startswith(f"{count // 50:,} records answered with an error; first: input line 50: no task applies")
    return int(peak) / 1024


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux")
def test_memory_is_bounded_whatever_the_lines(trained_run: Path, tmp_path: Path) -> None:
    """Nothing is kept of a line. What grows for a while is oneDNN's cache of the shapes that it met, 1,024 at most."""
    few = memory(trained_run, tmp_path, 5_000)
    start = time.monotonic()
    many = memory(trained_run, tmp_path, COUNT)
    seconds = time.monotonic() - start
    assert many < few + (256 if SOAK else 64)
    promise = f"predict: lines through a pipe (peak {many:,.0f} MiB, {few:,.0f} MiB for 5,000 lines)"
    record(promise, COUNT, "lines", seconds=seconds)


@pytest.mark.soak
def test_answers_do_not_depend_on_the_batch_size(trained_run: Path) -> None:
    with counted("predict: answers are those of any other batch size", "cases") as tried:
        text = "".join(inputs(COUNT // 100, faults=False))
        one, *others = (
            cli("predict", trained_run, "--batch-size", size, stdin=text).lines for size in (64, 1, 17, 4096)
        )
        for other in others:
            assert [list(each) for each in one] == [list(each) for each in other]
            for first, second in zip(one, other, strict=True):
                tried.one()
                for task in first.keys() - {"id", "truncated"}:
                    ours, theirs = (each[task].get("probabilities") or each[task] for each in (first, second))
                    assert first[task].get("label") == second[task].get("label")
                    assert ours == pytest.approx(theirs, abs=1e-5)
