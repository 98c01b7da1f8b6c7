"""What each process of a group does in tests/test_distributed.py; started as ``python processes.py OUT WHAT``."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from factories import toy_model, toy_sources
from safetensors.torch import save_file

from mtft.data.sampling import epoch_batches
from mtft.errors import PluginError
from mtft.model.inference import apply
from mtft.runtime.distributed import Group, joined
from mtft.selection.gradient_score import GradientScorer
from mtft.selection.scorers import Scorer, Scoring
from mtft.training.step import Stepper

SIZES = {"sst": 9, "quora": 8, "sts": 2, "cfimdb": 4, "quora-consistency": 5}
SELECTION = torch.arange(1, len(toy_model()[1]), 3)


def work(group: Group, dropout: float = 0.0) -> dict[str, torch.Tensor]:
    """Score, train four steps (in some of which a task has fewer rows than there are processes), and apply."""
    sources = toy_sources(SIZES)
    model, flat = toy_model(dropout)
    found = {}
    scoring = Scoring(model, flat, sources, epoch_batches(SIZES, 10, 0, 0), budget=60, group=group)
    found["sum"] = scoring.complete(GradientScorer(scoring, "sum"))
    found["fisher"] = scoring.complete(GradientScorer(scoring, "fisher"))
    found["resumed"] = scored_in_two(scoring)
    sent = group.sent
    stepper = Stepper(model, flat, sources, SELECTION, micro_batch_tokens=60, group=group)
    losses = []
    for number, rows in enumerate(epoch_batches(SIZES, 10, 0, 1)):
        result = stepper.step(rows, 1e-2, number)
        losses.append([result.losses.get(task, 0.0) for task in stepper.tasks])
    found["sent"] = torch.tensor(group.sent - sent)
    found["losses"] = torch.tensor(losses)
    found |= {f"state.{name}": tensor for name, tensor in stepper.state().items()}
    for source in sources[:3]:
        outputs = apply(model, source.table, [source.task], budget=60, group=group)
        found[f"outputs.{source.name}"] = torch.from_numpy(np.array(outputs[source.task]))
    return found


class Kept:
    """Keeps the states of a scorer after each step; gives the middle one to the next."""

    def __init__(self) -> None:
        self.states: list[tuple[dict[str, torch.Tensor], list[int]]] = []

    def restore(self, scorer: Scorer) -> None:
        if self.states:
            scorer.load_state_dict(*self.states[len(self.states) // 2])

    def after_step(self, scorer: Scorer) -> None:
        tensors = {name: tensor.clone() for name, tensor in scorer.state_dict().items()}
        self.states.append((tensors, list(scorer.position)))


def scored_in_two(scoring: Scoring) -> torch.Tensor:
    """Score, keep what there is each time, and score again from the middle."""
    keeping = replace(scoring, checkpoints=Kept())
    for _ in range(2):
        score = keeping.complete(GradientScorer(keeping, "fisher"))
    return score


def refuse(rank: int) -> None:
    raise PluginError(f"refused by process {rank}", "sst")


def main(out: Path, what: str) -> None:
    with joined() as mine:
        if what == "refuse":
            mine.on_first(lambda: refuse(mine.rank))
        elif what == "differ":
            mine.same("settings digest", str(mine.rank // 2))
        elif what == "die":
            if mine.rank == 1:
                os._exit(9)
            mine.sum(torch.ones(3))
        else:
            found = {
                f"{dropout}.{name}": t.clone() for dropout in (0.0, 0.2) for name, t in work(mine, dropout).items()
            }
            flags = {"none": mine.any(False), "one": mine.any(mine.rank == 1)}
            said = {"texts": "|".join(mine.texts("é" * mine.rank)), "flags": str(flags)}
            said["first"] = str(mine.on_first(lambda: {"rank": mine.rank, "é": [1.5, None]}))
            loaded = mine.load_on_first(lambda: ({"a": torch.arange(3), "none": torch.zeros(0, 2)}, [mine.rank]))
            assert loaded is not None
            tensors, value = loaded
            said["loaded"] = f"{tensors['a'].tolist()} {list(tensors['none'].shape)} {value}"
            said["nothing"] = str(mine.load_on_first(lambda: None))
            save_file(found, out / f"{mine.rank}.safetensors", said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
