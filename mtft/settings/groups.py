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
    """Where examples are read from."""

    data_dir: str | PathLike[str] | None
    """Directory of data files (default: $MTFT_DATA_DIR, else the run's data directory, else ./data)."""

    sample: bool
    """Use the small sample data that comes with mtft."""

    strict: bool
    """Make a row without a label an error instead of counting it in a warning."""

    skip_bad_rows: bool
    """Leave out rows that cannot be read or have an invalid label, and count them in a warning."""


class DataSettings(FileSettings, total=False):
    """What is learned, and from which sources."""

    tasks: Names
    """Tasks, as in sst,quora,sts (`mtft tasks` lists them)."""

    augment: Names | None
    """Augmentation sources to train on, or none (default: all whose files exist)."""


class ShareSettings(TypedDict, total=False):
    """How much of the training data is used."""

    train_share: float
    """Share of the training rows to use, chosen by a hash of ids, or of texts without ids (0 to 1)."""


class ModelSettings(TypedDict, total=False):
    """The pretrained encoder to start from."""

    model: str
    """Pretrained encoder: directory in Hugging Face form, short name or hub id."""

    max_length: int | None
    """Longest text or pair in tokens; the rest is cut (default: the model's positions)."""


class SelectionSettings(TypedDict, total=False):
    """Which of the encoder's parameters train."""

    keep: Decimal | float | str
    """Share of the encoder's parameters that train (exact decimal)."""

    score: str
    """Score that ranks the weights, or the NAME of a plugin's score."""

    scope: Literal["global", "tensor"]
    """Rank weights over the whole encoder, or within each tensor."""

    granularity: Literal["element", "row", "tensor"]
    """Unit of selection: single weights, rows of matrices (faster), or tensors."""

    combine: Literal["joint", "normalised"]
    """Add the gradients of tasks (abs: absolute values, fisher: squares), or normalised scores."""

    batches: int | None
    """Batches to compute the score on (default: all training data)."""

    selection_dropout: bool
    """Keep dropout on while scoring."""


class BatchSettings(TypedDict, total=False):
    """How examples are grouped."""

    batch_size: int
    """Examples in one batch, all tasks together."""

    micro_batch_tokens: int
    """Tokens that go through the encoder at once; more tokens take more memory."""


class SamplingSettings(TypedDict, total=False):
    """How often each task is trained."""

    sampling: Literal["proportional", "sqrt", "annealed"]
    """How often tasks are trained: every row once an epoch, by the square root of their size, or annealed, from
    proportional towards equal shares."""


class ScalingSettings(TypedDict, total=False):
    """How much each task counts in a step."""

    loss_scale: Literal["none", "log"]
    """Loss to differentiate: the loss of each task, or its logarithm, which puts all tasks on one scale."""

    task_weights: Numbers
    """Factors for the gradients of tasks, as in sst=2 (default: 1): their share in the encoder's steps; heads hardly
    move differently, as AdamW divides a gradient by its size."""


class OptimizationSettings(TypedDict, total=False):
    """How weights are updated."""

    epochs: int
    """Epochs, each a pass over every dataset."""

    lr: float
    """Peak learning rate."""

    weight_decay: float
    """Weight decay of AdamW, decoupled (share of a weight per step, times the rate)."""

    schedule: Literal["constant", "linear", "cosine"]
    """Learning rate after warm-up: constant, or falling from the peak to 0."""

    warmup: float
    """Share of the steps in which the learning rate rises from 0 to its peak (0 to 1)."""

    max_bad_steps: int
    """How many steps with a loss or gradient that is not finite may be skipped."""

    patience: int | None
    """Epochs to wait for a better score (default: no limit)."""


class DevSettings(TypedDict, total=False):
    """The data that choose the epoch."""

    dev_split: Literal["all", "half", "other-half"]
    """Dev rows that choose the epoch: all, or one of two halves, split by a hash of ids (of texts without ids); half
    report of eval, compare and report scores the rows that did not choose."""

    calibrate: bool
    """Fit a temperature for each task with classes on the dev rows that choose the epoch."""


class ClassWeightSettings(TypedDict, total=False):
    """How much each class counts in the loss."""

    class_weights: Literal["none", "balanced"]
    """Weights of the classes of every task in its loss: none, or balanced (a class counts in inverse proportion to its
    rows in train); the key class_weights of a task's table names weights instead."""


class LossSettings(TypedDict, total=False):
    """Choices where the report's text allows several readings."""

    cfimdb_folding: Literal["report", "marginal"]
    """How five sentiment classes become two: by summed logits (report) or summed probabilities."""

    consistency: Literal["symmetric", "forward", "reverse"]
    """Direction of the divergence between the sentiments of a pair's two texts."""


class DeviceSettings(TypedDict, total=False):
    """The device and threads to use."""

    threads: int | None
    """CPU threads (default: torch decides)."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    """Device to compute on; auto is cuda if there is one, else cpu."""


class MachineSettings(DeviceSettings, total=False):
    """The device, threads and precision to use."""

    precision: Literal["fp32", "bf16", "tf32"]
    """Number type of matrix products (tf32 needs cuda)."""


class RunSettings(MachineSettings, total=False):
    """The random seed, the path of the result, and when to save and stop."""

    seed: int
    """Seed of everything random; on a CPU: same seed, same bits."""

    out: str | PathLike[str] | None
    """Path of the result (default: named after command and tasks)."""

    overwrite: bool
    """Replace a result that is already there."""

    checkpoint_every: str | int
    """How often to save a state for resume: a number of steps (200) or a time (30s, 10m, 2h)."""

    max_time: str | None
    """Save and stop with exit code 4 after this time, as in 90m or 8h (default: no limit)."""


class TrackingSettings(TypedDict, total=False):
    """Plugins that receive what a run logs."""

    trackers: Names
    """Trackers of plugins that receive what the run logs (`mtft plugins` lists them)."""


class BaseModelSettings(TypedDict, total=False):
    """The base model of a finished run, which may have moved."""

    model: str | None
    """Base model, if it has moved (default: the path in the run)."""


class HalfSettings(TypedDict, total=False):
    """Which part of dev is scored."""

    half: Literal["all", "choose", "report"]
    """Dev rows to score: all, the half that chose the epoch (dev_split), or the other half."""


class LayoutSettings(TypedDict, total=False):
    """How tables are written; what is not set is detected in the file."""

    delimiter: Literal["auto", "tab", "comma", "semicolon", "bar"]
    """Separator of the fields of a table."""

    quotes: Literal["auto", "yes", "no"]
    """Whether quotes enclose fields of a table."""

    header: bool
    """Whether the first line of a table names its columns."""

    columns: Names
    """Names of the columns of a table without a header."""

    encoding: str | None
    """Encoding of the input (default: UTF-8, or by a byte-order mark)."""


class OutSettings(TypedDict, total=False):
    """The path of a result that is made from a run."""

    out: str | PathLike[str] | None
    """Path of the result (default: named after the run)."""

    overwrite: bool
    """Replace a result that is already there."""
