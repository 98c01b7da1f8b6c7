"""Groups of settings that several functions take, each with its type. All may be left out.

Made from the settings' schema by tests/generate_settings.py; `make docs` writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from os import PathLike
from typing import Literal, TypedDict

Names = str | Sequence[str]
"""Names: ["sst", "sts"], or "sst,sts"."""

Numbers = str | Mapping[str, float]
"""Numbers by name: {"sst": 2}, or "sst=2"."""


class FileSettings(TypedDict, total=False):
    """Where examples are read."""

    data_dir: str | PathLike[str] | None
    """Directory of data files (default: $MTFT_DATA_DIR, then where the run found them, then ./data)."""

    sample: bool
    """Use the small sample data that comes with mtft."""

    strict: bool
    """Make rows without label an error instead of a counted warning."""

    skip_bad_rows: bool
    """Leave out, with one counted warning, rows that cannot be read or have an invalid label."""


class DataSettings(FileSettings, total=False):
    """What is learned, and from which sources."""

    tasks: Names
    """Tasks, as in sst,quora,sts (`mtft tasks` lists them)."""

    augment: Names | None
    """Additional sources of the tasks, or none (default: all whose files exist)."""


class ShareSettings(TypedDict, total=False):
    """How much of the training data is used."""

    train_share: float
    """Share of the training rows that is used, chosen by their ids, else texts (0 to 1)."""


class ModelSettings(TypedDict, total=False):
    """The pretrained encoder to start from."""

    model: str
    """Pretrained encoder: directory in Hugging Face form, short name or hub id."""

    max_length: int | None
    """Most tokens of a text or pair, the rest is cut (default: the model's positions)."""


class SelectionSettings(TypedDict, total=False):
    """Which of the encoder's parameters train."""

    keep: Decimal | float | str
    """Share of the encoder's parameters that train (exact decimal)."""

    score: str
    """What parameters are ranked by, or the NAME of a plugin's score."""

    scope: Literal["global", "tensor"]
    """Rank over the whole encoder, or in each tensor."""

    granularity: Literal["element", "row", "tensor"]
    """What is selected as a whole: single weights, rows of matrices (faster), or tensors."""

    combine: Literal["joint", "normalised"]
    """Add the tasks' gradients (abs: their absolutes, fisher: their squares), or normalised scores."""

    batches: int | None
    """Batches that the score reads (default: all training data)."""

    selection_dropout: bool
    """Keep dropout on while scoring."""


class BatchSettings(TypedDict, total=False):
    """How examples are grouped."""

    batch_size: int
    """Examples in one batch, all tasks together."""

    micro_batch_tokens: int
    """Tokens that go through the encoder at once (more: more memory)."""


class SamplingSettings(TypedDict, total=False):
    """How often each task is trained."""

    sampling: Literal["proportional", "sqrt", "annealed"]
    """Rows of an epoch: every row once; tasks by the square root of their size; or annealed from the first to the last
    epoch."""


class ScalingSettings(TypedDict, total=False):
    """How much each task counts in a step."""

    loss_scale: Literal["none", "log"]
    """What gradients are of: the tasks' losses, or their logarithms, which all count alike."""

    task_weights: Numbers
    """Factors of single tasks' gradients, as in sst=2 (others 1; a share of the step's rate)."""


class OptimizationSettings(TypedDict, total=False):
    """How weights move."""

    epochs: int
    """Epochs, each a pass over every dataset."""

    lr: float
    """Peak learning rate (step per unit of direction)."""

    weight_decay: float
    """Decoupled weight decay (share of a weight per unit of rate)."""

    schedule: Literal["constant", "linear", "cosine"]
    """How the learning rate goes from its peak to 0 over the steps, after warm-up."""

    warmup: float
    """Share of the steps in which the rate rises from 0 (0 to 1)."""

    max_bad_steps: int
    """Steps with a loss or gradient that is not finite that are skipped before it is an error."""

    patience: int | None
    """Epochs to wait for a better score (default: no limit)."""


class DevSettings(TypedDict, total=False):
    """What chooses between epochs."""

    dev_split: Literal["all", "half"]
    """Dev rows that choose the epoch: all, or the half that their ids, else texts, choose (half report of eval, compare
    and report then scores the other)."""

    calibrate: bool
    """Fit a temperature for each task with classes, on the dev rows that choose the epoch."""


class LossSettings(TypedDict, total=False):
    """Readings of the report where its text allows several."""

    cfimdb_folding: Literal["report", "marginal"]
    """How five sentiment classes become two: summed logits, or summed probabilities."""

    consistency: Literal["symmetric", "forward", "reverse"]
    """Direction of the divergence between the sentiments of a pair's two texts."""


class DeviceSettings(TypedDict, total=False):
    """What of the machine is used."""

    threads: int | None
    """CPU threads (default: torch decides)."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    """Where tensors live; auto is cuda if there is one, else cpu."""


class MachineSettings(DeviceSettings, total=False):
    """What of the machine is used, and how."""

    precision: Literal["fp32", "bf16", "tf32"]
    """Number type of matrix products; tf32 needs cuda."""


class RunSettings(MachineSettings, total=False):
    """Where randomness comes from and results go."""

    seed: int
    """Seed of everything random; on a CPU: same seed, same bits."""

    out: str | PathLike[str] | None
    """Path of the result (default: named after command and tasks)."""

    overwrite: bool
    """Replace a result that is already there."""

    checkpoint_every: str | int
    """How often to save what resume needs: a number of steps (200) or a time (30s, 10m, 2h)."""

    max_time: str | None
    """Time after which to save and stop with exit code 4, as in 90m or 8h (default: no limit)."""


class TrackingSettings(TypedDict, total=False):
    """Who else receives what a run logs."""

    trackers: Names
    """Plugins' trackers that receive what the run logs (`mtft plugins` lists them)."""


class BaseModelSettings(TypedDict, total=False):
    """The base model of a finished run, which may have moved."""

    model: str | None
    """Base model, if it moved since (default: where the run says)."""


class HalfSettings(TypedDict, total=False):
    """Which part of dev is scored."""

    half: Literal["all", "choose", "report"]
    """Dev rows to score: all, the half that dev_split half chooses by, or the half kept to report."""


class OutSettings(TypedDict, total=False):
    """Where a result goes that is made from a run."""

    out: str | PathLike[str] | None
    """Path of the result (default: named after the run)."""

    overwrite: bool
    """Replace a result that is already there."""
