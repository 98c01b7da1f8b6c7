"""What a comparison holds for, in words: rows, runs, what its intervals are over, and for how much it is corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtft.data.shares import Half
from mtft.report.bootstrap import PairedDifference

METHOD = "Holm"


def rows_and_runs(examples: Mapping[str, int], half: Half, seeds: Mapping[str, Sequence[int]]) -> str:
    """Name the dev rows, and the seeds of the runs in each column."""
    rows = ", ".join(f"{task} {count:,}" for task, count in examples.items())
    runs = ", ".join(
        f"{name} (seed{'s' if len(each) > 1 else ''} {', '.join(map(str, each))})" for name, each in seeds.items()
    )
    return f"over dev rows ({'all' if half == 'all' else f'half {half}'}): {rows}; runs: {runs}"


def method(differences: Sequence[PairedDifference], freedom: int) -> str:
    """Say what intervals are over, with the `freedom` of what is known of seeds, and how verdicts are corrected."""
    over = "rows and seeds" if freedom else "rows alone: what other seeds would change is not in them"
    return f"95 % intervals over {over}; {correction(differences)}"


def correction(differences: Sequence[PairedDifference]) -> str:
    """Say for how many comparisons verdicts are corrected; intervals are not."""
    count = sum(1 for each in differences if each.p == each.p)
    return f"verdicts are corrected for {count:,} comparison{'' if count == 1 else 's'} ({METHOD}), intervals are not"
