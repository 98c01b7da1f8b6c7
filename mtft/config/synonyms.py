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
    "warmup": "warmup_ratio warmup_proportion warmup_steps",
    "schedule": "lr_scheduler lr_schedule scheduler lr_scheduler_type",
    "patience": "early_stopping early_stopping_patience",
    "seed": "random_seed random_state",
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


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the setting that a name with underscores most likely means: by synonym, else by similar spelling."""
    names = list(known)
    meant = next((key for key, others in SYNONYMS.items() if key in names and name in others.split()), None)
    return meant or next(iter(difflib.get_close_matches(name[:80], names, n=1)), None)
