"""Check a plugin's parts against their contract: heads, surgery methods, selection scores and trackers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mtft.data.packing import pack
from mtft.model.flat import FlatParameters
from mtft.model.multitask import build_model
from mtft.optimization.gradients import TrainingSource
from mtft.optimization.surgery import Surgery, gram
from mtft.optimization.surgery import checked as checked_surgery
from mtft.runs.tracking import Tracked
from mtft.runtime.seeding import torch_generator
from mtft.selection.scorers import Score, Scoring
from mtft.selection.scorers import checked as checked_score
from mtft.tasks.part import Part
from mtft.tasks.registry import Registry
from mtft.tasks.sts import STS
from mtft.tasks.task import resolve
from mtft.testing.tiny import tiny_encoder, tiny_table

LENGTHS = (5, 3, 8, 3)
DRAWS = "it draws from torch's default generator"


def owned_parts(registry: Registry, plugin: str) -> list[tuple[str, Part]]:
    """Return the parts that a plugin provides, each with its kind."""
    return [
        (kind, part)
        for kind, named in registry.parts.items()
        for part in named.values()
        if registry.owner(f"{kind} {part.name}") == plugin
    ]


def part_problems(kind: str, part: Part) -> Iterator[str]:
    """Yield the faults of a part; its exceptions are left to the caller."""
    make = resolve(part.make)
    if kind == "head":
        yield from _of_head(make)
    elif kind == "surgery":
        yield from _of_surgery(checked_surgery(part.name, make))
    elif kind == "score":
        yield from _of_score(part.name, make)
    elif kind == "encoder":
        yield from (f"has no method {name!r}" for name in ("read_config", "build", "load") if not hasattr(make, name))
    elif kind == "tracker":
        yield from _of_tracker(make)


def _of_head(make: Callable[..., nn.Module]) -> Iterator[str]:
    encoder = tiny_encoder()
    output = encoder(pack((tiny_table(encoder, LENGTHS), np.arange(len(LENGTHS)))))
    for width in (1, 5):
        given = make(encoder.config, width)(output)
        if given.shape != (len(LENGTHS), width):
            yield f"gives {list(given.shape)} where [{len(LENGTHS)}, {width}] is needed"


def _of_surgery(method: Surgery) -> Iterator[str]:
    for tasks in (1, 2, 3, 6):
        G = torch.randn(tasks, 8, generator=torch_generator(tasks, "conformance"))
        before = torch.get_rng_state()
        first, again = (method(gram(G), torch_generator(0, "conformance")) for _ in range(2))
        if not torch.equal(torch.get_rng_state(), before):
            yield DRAWS
        if not torch.equal(first, again):
            yield f"the same draws give other weights, {first.tolist()} and {again.tolist()}"
    for name, K in (("zero", torch.zeros(3, 3)), ("equal", torch.ones(3, 3))):
        try:
            method(K.double(), torch_generator(0, "conformance"))
        except Exception as error:
            yield f"{name} gradients: {error}"


def _of_score(name: str, score: Score) -> Iterator[str]:
    def scores() -> tuple[Tensor, bool, bool]:
        encoder = tiny_encoder()
        flat = FlatParameters(encoder)
        targets = torch.linspace(0, 5, len(LENGTHS))
        source = TrainingSource("sts", "sts", tiny_table(encoder, LENGTHS), targets, resolve(STS.source.loss))
        rows = [{"sts": np.arange(0, 2)}, {"sts": np.arange(2, 4)}]
        scoring = Scoring(build_model(encoder, [STS]), flat, [source], rows)
        before, state = flat.theta.clone(), torch.get_rng_state()
        found = checked_score(name, score, scoring)
        return found, torch.equal(before, flat.theta), torch.equal(torch.get_rng_state(), state)

    (first, kept, undrawn), (again, *_) = scores(), scores()
    if not undrawn:
        yield DRAWS
    if not torch.equal(first, again):
        yield "the same seed gives other scores"
    if not bool(first.isfinite().all()):
        yield "gives numbers that are not finite"
    if not kept:
        yield "it changes the encoder's weights"


def _of_tracker(make: Callable[..., object]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        path.mkdir()
        tracker = make(Tracked(path, "train", {"tasks": ["sst"], "seed": 0}, False))
        for name in ("log", "close"):
            if not callable(getattr(tracker, name, None)):
                yield f"has no method {name!r}"
                return
        tracker.log("steps", {"step": 1, "epoch": 1, "losses": {"sst": 1.0}})  # type: ignore[attr-defined]
        tracker.log("summary", {"command": "train"})  # type: ignore[attr-defined]
        tracker.close()  # type: ignore[attr-defined]
