"""What each process of a group does in tests/test_distributed.py; started as ``python processes.py OUT WHAT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from factories import toy_model, toy_sources
from safetensors.torch import save_file

from mtft.data.sampling import epoch_batches
from mtft.model.flat import FlatParameters
from mtft.model.inference import apply
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource
from mtft.runtime.distributed import Group, joined
from mtft.selection.gradient_score import Save, gradient_score
from mtft.training.step import Stepper

SIZES = {"sst": 9, "quora": 8, "sts": 2, "cfimdb": 4, "quora-consistency": 5}
SELECTION = torch.arange(1, len(toy_model()[1]), 3)


def work(group: Group, dropout: float = 0.0) -> dict[str, torch.Tensor]:
    """Score, train four steps (in some of which a task has fewer rows than there are processes), and apply."""
    sources = toy_sources(SIZES)
    model, flat = toy_model(dropout)
    found = {}
    for statistic in ("sum", "fisher"):
        batches = epoch_batches(SIZES, 10, 0, 0)
        found[statistic] = gradient_score(model, flat, sources, batches, statistic=statistic, budget=60, group=group)
    found["resumed"] = scored_in_two(model, flat, sources, group)
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


def scored_in_two(
    model: MultiTaskModel, flat: FlatParameters, sources: list[TrainingSource], group: Group
) -> torch.Tensor:
    """Score, keep what there is each time, and score again from the middle."""
    kept = []

    def keep(save: Save) -> None:
        tensors, position = save()
        kept.append(({name: tensor.clone() for name, tensor in tensors.items()}, position))

    for start in (None, 1):
        middle = kept[len(kept) // 2] if start else None
        score = gradient_score(
            model,
            flat,
            sources,
            epoch_batches(SIZES, 10, 0, 0),
            statistic="fisher",
            budget=60,
            group=group,
            start=middle,
            keep=keep,
        )
    return score


def main(out: Path, what: str) -> None:
    with joined() as mine:
        if what == "differ":
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
            save_file(found, out / f"{mine.rank}.safetensors", said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
