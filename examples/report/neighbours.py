"""What similarity knows of sentiment, as the report's future work asks: a finished run answers again, without training.

    python examples/report/neighbours.py RUN... --data-dir DATA

Each SST dev sentence has two kinds of neighbours: standard sentences for each class ("comparing the input sentence to
standard negative and positive sentences"), as near as the similarity head says, and the training sentences that are
nearest in the shared encoder's mean output. What they say is mixed into the sentiment head's probabilities. How near
counts, and how much, is chosen on the half of dev that chooses; the difference is told on the other half.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from mtft.data.dataset import find_data_dir
from mtft.data.example import Example
from mtft.data.packing import micro_batches, pack
from mtft.data.shares import in_half
from mtft.data.tokenization import TokenTable
from mtft.errors import MtftError
from mtft.metrics import metric
from mtft.model.inference import BUDGET, apply, read_outputs
from mtft.outputs import Array
from mtft.plugin.context import Context, new_context
from mtft.report.bootstrap import paired_bootstrap
from mtft.runs.checkpoint import TrainedModel, load_model

STANDARDS = (
    ("A terrible movie.", "One of the worst films of the year.", "I hated every minute of it."),
    ("A bad movie.", "It is dull and disappointing.", "The film does not work."),
    ("An average movie.", "It is neither good nor bad.", "The film is about a family."),
    ("A good movie.", "It is pleasant and worth seeing.", "I liked the film."),
    ("A wonderful movie.", "One of the best films of the year.", "I loved every minute of it."),
)
"""Sentences that stand for each class."""

TEMPERATURES = (0.1, 0.3, 1.0)
COUNTS = (8, 32, 128)
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what neighbours bring for each run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="finished runs of sst and sts")
    parser.add_argument("--data-dir", type=Path, help="directory of data files (default: $MTFT_DATA_DIR, then ./data)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples behind each interval")
    asked = parser.parse_args(arguments)
    try:
        data_dir, served = find_data_dir(asked.data_dir, os.environ.get("MTFT_DATA_DIR")), new_context()
        for run in asked.runs:
            for line in report(run, data_dir, served, asked.resamples):
                print(f"{run.name}: {line}", flush=True)
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def report(run: Path, data_dir: Path, served: Context, resamples: int) -> Iterator[str]:
    """Say how often the head is right, and what each kind of neighbours, at its best on one half, adds on the other."""
    trained = load_model(run / "model", served.registry)
    train, dev = (labelled(served, split, data_dir) for split in ("train", "dev"))
    labels, targets = (np.array([row.target for row in rows], float) for rows in (train, dev))
    rows = in_half([row.key for row in dev], "report", "sst")
    own = table(trained, [row.texts for row in dev])
    head = answers(trained, "sst", own)
    accuracy = metric("accuracy").function
    yield f"the head alone: {accuracy(head[~rows], targets[~rows]):.4f}, {accuracy(head[rows], targets[rows]):.4f}"

    nearness = nearness_to_standards(trained, dev)
    similar = cosines(means(trained, own), means(trained, table(trained, [row.texts for row in train])))
    kinds = {
        "standard sentences": {f"temperature {t:g}": by_standards(nearness, t) for t in TEMPERATURES},
        "training sentences": {f"nearest {count}": by_votes(similar, labels, count) for count in COUNTS},
    }
    for kind, candidates in kinds.items():
        mixed = {
            f"{name}, share {share:g}": (1 - share) * head + share * says
            for name, says in candidates.items()
            for share in SHARES
        }
        best = max(mixed, key=lambda name: accuracy(mixed[name][~rows], targets[~rows]))
        found = paired_bootstrap(accuracy, mixed[best][rows], head[rows], targets[rows], resamples=resamples)
        alone = max(accuracy(says[rows], targets[rows]) for says in candidates.values())
        yield (
            f"{kind}, {best}: {accuracy(mixed[best][~rows], targets[~rows]):.4f}, "
            f"{accuracy(mixed[best][rows], targets[rows]):.4f} "
            f"({found.difference:+.4f}, {found.low:+.4f} to {found.high:+.4f}); alone {alone:.4f} at most"
        )


def labelled(served: Context, split: str, data_dir: Path) -> list[Example]:
    """Read the SST rows that have a label."""
    return [row for row in served.registry.task("sst").source.reader(split, data_dir) if row.target is not None]


def table(trained: TrainedModel, texts: Sequence[tuple[str, ...]]) -> TokenTable:
    return trained.tokenizer.table(texts, apart=False, max_length=trained.max_length)[0]


def answers(trained: TrainedModel, name: str, table: TokenTable) -> Array:
    """Return what a task says of each row."""
    task = next(task for task in trained.tasks if task.name == name)
    return read_outputs(task, apply(trained.model, table, [name])[name])


@torch.no_grad()
def means(trained: TrainedModel, table: TokenTable) -> Array:
    """Return the encoder's mean output for each row, [n, H]."""
    found = np.zeros((len(table), trained.model.encoder.config.hidden_size))
    trained.model.eval()
    for rows in micro_batches(table.example_lengths, BUDGET):
        found[rows] = trained.model.encoder(pack((table, rows))).mean().numpy()
    return found


def nearness_to_standards(trained: TrainedModel, dev: Sequence[Example]) -> Array:
    """Return what the similarity head says of each row and standard sentence, [n, classes, sentences], from 0 to 5."""
    pairs = [(*row.texts, standard) for row in dev for sentences in STANDARDS for standard in sentences]
    return answers(trained, "sts", table(trained, pairs)).reshape(len(dev), len(STANDARDS), -1)


def by_standards(nearness: Array, temperature: float) -> Array:
    """Return probabilities [n, C]: the softmax of how near the sentences of each class are on average."""
    logits = nearness.mean(axis=-1) / temperature
    powers: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def cosines(queries: Array, keys: Array) -> Array:
    """Return the cosine of each of n vectors with each of m others, [n, m]."""
    one, other = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in (queries, keys))
    return one @ other.T


def by_votes(similar: Array, labels: Array, count: int) -> Array:
    """Return probabilities [n, C]: the shares of the classes half_mask the `count` nearest of m labelled neighbours."""
    nearest = np.argsort(-similar, axis=-1, kind="stable")[:, :count]
    return np.stack([(labels[nearest] == each).mean(axis=-1) for each in range(len(STANDARDS))], axis=-1)


if __name__ == "__main__":
    sys.exit(main())
