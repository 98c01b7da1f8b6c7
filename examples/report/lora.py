"""LoRA as a peer: peft's adapters instead of selected weights; data, batches, heads and budget are mtft's.

    python examples/report/lora.py --seed 0 --record examples/report/runs/quarter-lora.s0 -- --data-dir DATA --threads 2

The settings are those of a run of `experiments.toml`, and what follows ``--``. Every linear layer of the encoder gets
an adapter (Hu et al. 2021), which have a learning rate of their own (of 1e-4, 3e-4 and 1e-3 the one that does best on
the half of dev that chooses); the tasks' gradients are averaged. Not resumable.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from plans import label, read_plans, settings_like, split
from record import write_record

from mtft.config.load import dump
from mtft.config.schema import TrainConfig
from mtft.data.sampling import Rows
from mtft.data.shares import in_half
from mtft.encoder.directory import find_model
from mtft.encoder.weight_files import weight_files
from mtft.errors import ConfigError, MtftError, unknown
from mtft.model.inference import apply, read_outputs, scores
from mtft.optimization.gradients import accumulate
from mtft.outputs import Array
from mtft.plugin.context import new_context
from mtft.runs.run_directory import environment
from mtft.runtime.seeding import seeded
from mtft.training.early_stopping import Best
from mtft.training.preparation import Prepared
from mtft.training.resources import make_plan
from mtft.training.setup import set_up

LAYERS = ["qkv", "attention_output", "intermediate", "output"]


def add_adapters(model: nn.Module, rank: int) -> list[nn.Parameter]:
    """Freeze an encoder, put an adapter beside each of its linear layers and return the adapters' weights."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.1, target_modules=LAYERS), model)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def step(prepared: Prepared, rows: Rows, number: int, config: TrainConfig) -> None:
    """Add the mean over the tasks present of each task's gradient to the weights that train."""
    tasks = [task.name for task in prepared.tasks]
    present = [task for task in tasks if any(s.task == task and s.name in rows for s in prepared.sources)]
    for task in present:
        own = [source for source in prepared.sources if source.task == task and source.name in rows]
        weight = sum(source.weight for source in own) * len(present)
        parts = [(source, rows[source.name], source.weight / weight / len(rows[source.name])) for source in own]
        seed = (config.seed, "dropout", number, task)
        accumulate(prepared.model, parts, budget=config.micro_batch_tokens, seed=seed)


def judge(prepared: Prepared, config: TrainConfig) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return each task's scores on the half of dev that chooses, and its outputs on all of dev."""
    rated, values = {}, {}
    for task in prepared.tasks:
        data = prepared.dev[task.name]
        rows = in_half(data.keys, config.choosing, task.name)
        values[task.name] = read_outputs(task, apply(prepared.model, data.table, [task.name])[task.name])
        rated[task.name] = scores(task, values[task.name][rows], data.targets[rows])
    return rated, values


def train(config: TrainConfig, path: Path, rank: int, rate: float) -> tuple[dict[str, Any], dict[str, Array]]:
    """Train adapters and heads for the record at `path`; return the record and the best epoch's outputs on dev."""
    context = new_context(lambda _level, text: print(text, flush=True))
    prepared = set_up(config, path, context).prepared
    with seeded(config.seed, "adapters"):
        adapters = add_adapters(prepared.encoder.module, rank)
    heads = [parameter for head in prepared.model.heads.values() for parameter in head.parameters()]
    groups = [{"params": adapters, "peak": rate}, {"params": heads, "peak": config.lr}]
    optimizer = torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
    plan, sizes = make_plan(config), prepared.sizes
    total, number, tokens, epochs, outputs = plan.steps(sizes), 0, 0, [], {}
    best, begin, processor = Best(config.best), time.monotonic(), time.process_time()
    for epoch in range(1, config.epochs + 1):
        for rows in plan.batches(sizes, {source.name: source.task for source in prepared.sources}, epoch):
            if number == total:
                break
            prepared.model.train()
            optimizer.zero_grad()
            step(prepared, rows, number, config)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * plan.rate(number, total) / plan.lr
            optimizer.step()
            number += 1
            tokens += sum(int(s.table.example_lengths[rows[s.name]].sum()) for s in prepared.sources if s.name in rows)
        rated, values = judge(prepared, config)
        primary = {task.name: task.primary_metric for task in prepared.tasks}
        epochs.append({"epoch": epoch, "dev": rated})
        print(f"epoch {epoch}: {rated}", flush=True)
        if best.update(epoch, best.rate(primary, rated)):
            outputs = values
    counts = {name: sum(parameter.numel() for parameter in part) for name, part in (("a", adapters), ("h", heads))}
    tunable, base = sum(counts.values()), find_model(config.model)
    facts = environment("peer", Path("."))
    return {
        "summary": {
            "command": "peer",
            "tasks": primary,
            "epochs": config.epochs,
            "best_epoch": best.epoch,
            "dev": epochs[best.epoch - 1]["dev"],
            "parameters": {"stored": tunable + len(prepared.encoder), "tunable": tunable},
        },
        "epochs": epochs,
        "seconds": time.monotonic() - begin,
        "processor_seconds": time.process_time() - processor,
        "tokens": tokens,
        "bytes": {"adapters and heads": 4 * tunable},
        "base_bytes": {"name": base.name, "bytes": sum(path.stat().st_size for path in weight_files(base))},
        "machine": {key: facts[key] for key in ("python", "platform", "threads", "packages", "started")},
    }, outputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write the record; return the exit code."""
    given, options = split(list(sys.argv[1:] if arguments is None else arguments))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="where the record goes")
    parser.add_argument("--like", default="quarter", help="run whose settings are used")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-4, help="peak learning rate of the adapters")
    asked = parser.parse_args(given)
    own = {"rank": asked.rank, "adapter_lr": asked.lr}
    try:
        planned = read_plans().planned
        if (name := label(asked.like, asked.seed)) not in planned:
            raise ConfigError(unknown("run", name, planned))
        config = settings_like(planned[name], options)
        record, outputs = train(config, asked.record, asked.rank, asked.lr)
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_record(asked.record, dump(config), {**record, "peer": own}, outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
