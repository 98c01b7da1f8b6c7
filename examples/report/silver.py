"""Silver labels: two tasks of pairs label each other's training pairs, and a run is trained again with these besides.

    python examples/report/silver.py RUN --out OUT -- --data-dir DATA --epochs 3
    mtft compare gold=RUN silver=OUT --half report

RUN is a finished run of quora and sts. Its similarity head rates the Quora training pairs and its paraphrase head the
STS ones; no other row is looked at. OUT begins anew with the settings and the selection of RUN, but for what follows
``--``; in a batch a silver row weighs a third of a gold one, and there is no other augmentation. The same command goes
on with an OUT that was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plans import settings, split

from mtft.commands.train import train
from mtft.config.schema import TrainConfig
from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.data.example import Example
from mtft.data.shares import in_share
from mtft.errors import ConfigError, MtftError
from mtft.model.inference import apply, read_outputs
from mtft.plugin.context import new_context
from mtft.runs.artifact import MASK
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.tasks.registry import Registry
from mtft.tasks.task import Source
from mtft.training.choices import data_directory

PAIRS = {"sts": "quora", "quora": "sts"}
"""Each task, and the one whose pairs it labels."""

WEIGHT = 1 / 3
"""Weight of a silver row beside a gold one, that of the report's augmentation of sentiment."""


@dataclass(frozen=True)
class Labelled:
    """A reader of training rows that are labelled already."""

    examples: tuple[Example, ...]

    def __call__(self, split: str, _data_dir: Path) -> tuple[Example, ...]:
        return self.examples if split == "train" else ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Label and train; return the exit code."""
    given, options = split(list(sys.argv[1:] if arguments is None else arguments))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run of quora and sts")
    parser.add_argument("--out", type=Path, required=True, help="where the new run goes")
    asked = parser.parse_args(given)
    try:
        served = new_context(lambda _level, text: print(text, flush=True))
        config = settings(
            [
                "--config",
                str(asked.run / "config.toml"),
                "--mask",
                str(asked.run / MASK),
                "--augment",
                ",".join(map(name, PAIRS)),
                *options,
                "--out",
                str(asked.out),
            ]
        )
        if missing := PAIRS.keys() - config.tasks:
            raise ConfigError(f"{asked.run}: has no task {min(missing)}; {' and '.join(PAIRS)} label each other")
        trained = load_model(asked.run / "model", served.registry, config.model)
        sources = {source.name: source for source in silver(trained, served.registry, config)}
        registry = replace(served.registry, sources=sources)
        train(config, replace(served, registry=registry), asked.out if (asked.out / "config.toml").is_file() else None)
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def name(task: str) -> str:
    """Name the source of a task's silver labels."""
    return f"silver-{task}"


def silver(trained: TrainedModel, registry: Registry, config: TrainConfig) -> Iterator[Source]:
    """Yield for each task a source of the other's training rows with what this task's head says of them."""
    for task, other in PAIRS.items():
        rows = training_rows(registry.task(other).source, config)
        table, _ = trained.tokenizer.table([row.texts for row in rows], apart=False, max_length=trained.max_length)
        said = read_outputs(registry.task(task), apply(trained.model, table, [task])[task])
        labels = said if said.ndim == 1 else said[:, 1]  # a similarity, or the probability of yes
        labelled = tuple(replace(row, target=float(label)) for row, label in zip(rows, labels, strict=True))
        yield Source(name(task), Labelled(labelled), "pair", registry.task(task).source.loss, WEIGHT, task)


def training_rows(source: Source, config: TrainConfig) -> list[Example]:
    """Read the rows that a run trains on."""
    found = read_split(source.name, "train", source.reader, data_directory(config), source.texts)
    examples, _ = usable_examples(found, skip_bad_rows=config.skip_bad_rows)
    return [row for row in examples if row.target is not None and in_share(row.key, config.train_share)]


if __name__ == "__main__":
    sys.exit(main())
