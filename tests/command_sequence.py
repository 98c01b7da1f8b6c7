"""Run several commands, one after the other, in each of the processes that torchrun started.

``command_sequence.py PLAN OUT``: PLAN is a JSON file with a list of {"args", "stdin"}; what each command left behind
goes to OUT/RANK.json.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from commands import cli


def main(plan: Path, out: Path) -> None:
    rank = os.environ["RANK"]
    done = [asdict(cli(*step["args"], stdin=step["stdin"])) for step in json.loads(plan.read_text())]
    (out / f"{rank}.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
