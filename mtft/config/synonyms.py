"""Names of settings in other tools, for hints in errors; they are not accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SYNONYMS = {
    "lr": "learning_rate learning rate step_size alpha",
    "batch_size": "batch bs batchsize train_batch_size per_device_train_batch_size minibatch_size",
    "micro_batch_tokens": "micro_batch_size gradient_accumulation_steps accumulate",
    "epochs": "num_epochs n_epochs num_train_epochs max_epochs epoch",
    "max_steps": "steps num_steps max_iter iterations",
    "max_length": "max_len max_seq_length max_seq_len max_tokens sequence_length model_max_length",
    "out": "output output_dir outdir save_dir save output_path o",
    "overwrite": "overwrite_output_dir force",
    "data_dir": "data dataset data_path input_dir datadir",
    "model": "model_name model_name_or_path encoder pretrained base_model backbone",
    "tasks": "task",
    "dropout": "dropout_rate hidden_dropout",
    "weight_decay": "wd l2 decay",
    "eps": "epsilon adam_epsilon adam_eps optimizer_eps",
    "warmup": "warmup_ratio warmup_proportion warmup_steps",
    "schedule": "lr_scheduler lr_schedule scheduler lr_scheduler_type",
    "patience": "early_stopping early_stopping_patience",
    "seed": "random_seed random_state rng_seed",
    "precision": "dtype fp16 bf16 amp mixed_precision",
    "device": "gpu cuda use_gpu accelerator",
    "threads": "num_threads n_jobs workers num_workers",
    "keep": "sparsity k ratio top_k",
    "surgery": "gradient_surgery pcgrad aggregator",
    "resamples": "bootstrap n_bootstrap",
    "checkpoint_every": "save_steps save_every checkpoint_interval",
    "max_memory": "memory memory_limit",
    "trackers": "report_to logger wandb tensorboard",
    "class_weights": "class_weight weights balanced",
    "resume": "resume_from_checkpoint checkpoint continue",
    "fail_under": "threshold gate min_score",
}
"""Settings, and their names in other tools."""


FILES = "train_file dev_file val_file valid_file validation_file eval_file test_file train_data dev_data test_data"
"""Options of other tools that name data files, which mtft's settings file does, as `mtft init` writes it."""

ELSEWHERE = {"from": f"{FILES} input input_file input_files file files", "config": f"{FILES} config_file settings cfg"}
"""Options that are no settings, and their names in other tools."""

LEAST = 0.75
"""Least similarity of a misspelt name; below it, `dev_file` would mean `device`."""


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the setting that a name with underscores most likely means; None if none is likely.

    A synonym counts first, also if it is misspelt, then a setting that the name begins or ends with (`seed_value`).
    """
    names, typed = list(known), name[:80].casefold()
    meant = {key: key for key in names}
    for key, others in (*SYNONYMS.items(), *ELSEWHERE.items()):
        meant |= {other: key for other in others.split() if key in names and other not in meant}
    plain = {word.replace("_", ""): key for word, key in meant.items()}
    if exact := meant.get(typed) or plain.get(typed.replace("_", "")):
        return exact
    if similar := difflib.get_close_matches(typed, meant, n=1, cutoff=LEAST):
        return meant[similar[0]]
    parts = typed.split("_")
    pieces = ["_".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)] + parts[-1:]
    return next((piece for piece in pieces if piece in names), None)


def names_files(name: str) -> bool:
    """Return whether a name is an option of other tools that names data files."""
    return name in FILES.split()
