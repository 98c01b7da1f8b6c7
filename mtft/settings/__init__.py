"""Settings that the functions of `mtft` take as keywords, each with its type. All may be left out.

Made from the settings' schema by tests/generate_settings.py; `make docs` writes it anew.
"""

from __future__ import annotations

from decimal import Decimal
from os import PathLike
from typing import Literal, TypedDict

from mtft.settings.groups import (
    BaseModelSettings,
    BatchSettings,
    ClassWeightSettings,
    DataSettings,
    DeviceSettings,
    DevSettings,
    FileSettings,
    HalfSettings,
    LayoutSettings,
    LossSettings,
    MachineSettings,
    ModelSettings,
    Names,
    Numbers,
    OptimizationSettings,
    OutSettings,
    RunSettings,
    SamplingSettings,
    ScalingSettings,
    SelectionSettings,
    ShareSettings,
    TrackingSettings,
)


class TrainSettings(
    TrackingSettings,
    RunSettings,
    LossSettings,
    ClassWeightSettings,
    DevSettings,
    OptimizationSettings,
    ScalingSettings,
    SamplingSettings,
    BatchSettings,
    SelectionSettings,
    ModelSettings,
    ShareSettings,
    DataSettings,
    total=False,
):
    """Settings of `mtft train`."""

    mask: str | PathLike[str] | None
    """Mask file written by `mtft select` (default: select weights first)."""

    head_epochs: int
    """Epochs in which only the heads train, before weights are selected."""

    teachers: Names
    """Finished runs to learn from, as in runs/sst,runs/sts; their weight falls to 0 during training."""

    surgery: str
    """How the gradients of the tasks are merged, or the NAME of a plugin's method."""

    optimizer_rule: Literal["torch", "cs224n"]
    """Where AdamW adds epsilon: after the bias correction (torch) or before (cs224n)."""

    eps: float
    """Epsilon of AdamW, in the unit of a gradient: weights with smaller ones move less (default: 1e-8, of the rule
    cs224n 1e-6)."""

    max_steps: int | None
    """Stop after this many steps (default: no limit)."""

    max_memory: int | str | None
    """Memory limit, as in 3G (bytes, K, M, G); micro-batches are made smaller until training fits."""

    average: str
    """Weights to evaluate and keep: none (the last), ema:DECAY (moving average over steps), or swa:SHARE (mean over the
    steps after this share of them)."""

    dropout: float
    """Share of encoder activations dropped in training."""

    head_dropout: float
    """Share of head activations dropped in training."""

    best: str
    """Epoch to keep: mean (of the primary metrics), last, or the best by one task.metric."""


class SelectSettings(
    RunSettings,
    LossSettings,
    ClassWeightSettings,
    BatchSettings,
    SelectionSettings,
    ModelSettings,
    ShareSettings,
    DataSettings,
    total=False,
):
    """Settings of `mtft select`."""


class RefineSettings(
    BaseModelSettings,
    TrackingSettings,
    RunSettings,
    ClassWeightSettings,
    DevSettings,
    OptimizationSettings,
    FileSettings,
    total=False,
):
    """Settings of `mtft refine`."""

    tasks: Names
    """Tasks whose heads are trained, one at a time."""

    batch_size: int
    """Examples in one batch, all tasks together."""

    task_lr: Numbers
    """Learning rates of single tasks, as in sst=5e-8 (instead of lr)."""

    eps: float
    """Epsilon of AdamW, in the unit of a gradient: weights with smaller ones move less."""

    feature_cache: str
    """Disk space for the frozen encoder's outputs: auto (half of what is free), off, or a size as in 8G."""


class EvalSettings(BaseModelSettings, MachineSettings, HalfSettings, FileSettings, total=False):
    """Settings of `mtft eval`."""

    tasks: Names
    """Tasks to evaluate (default: all of the run)."""

    split: Literal["dev", "test", "train"]
    """Files to read."""

    fail_under: Numbers
    """Lowest scores that pass, as in sts.pearson=0.8; a lower score gives exit code 3."""

    resamples: int
    """Bootstrap resamples behind each interval (0: no interval)."""


class PredictSettings(LayoutSettings, BaseModelSettings, MachineSettings, total=False):
    """Settings of `mtft predict`."""

    tasks: Names
    """Tasks to predict, or all."""

    batch_size: int
    """Records processed at a time (examples in a batch)."""

    id: str | None
    """Column, or key, that names a record (default: id, else the line)."""

    keep_columns: Names
    """Columns, or keys, to copy from each record to its answer."""

    on_error: Literal["fail", "skip", "null"]
    """When a record cannot be answered: stop; leave it out and count it; or write an error in its place."""


class CompareSettings(HalfSettings, total=False):
    """Settings of `mtft compare`."""

    resamples: int
    """Bootstrap resamples behind each interval."""

    seeds: bool
    """Take runs that differ in their seed alone as one, by their mean."""


class ExperimentSettings(TypedDict, total=False):
    """Settings of `mtft experiment`."""

    out: str | PathLike[str] | None
    """Directory of runs, records and logs (default: runs/ and the name of the plan)."""

    jobs: str | int
    """Processes at once: a number, or auto, as many as cores and memory allow."""

    threads: int | None
    """CPU threads of each process (default: the cores, shared among the processes)."""

    only: Names
    """Runs to make, with those that they need (default: all)."""

    data_dir: str | PathLike[str] | None
    """Directory of data files (default: that of the plan, else $MTFT_DATA_DIR, else ./data)."""

    baselines: Names
    """Instead of a plan: finished runs, each of whose tasks is trained alone with the same settings."""


class ReportSettings(HalfSettings, total=False):
    """Settings of `mtft report`."""

    out: str | PathLike[str] | None
    """HTML file to write (default: report.html in the first run)."""

    figures: str | PathLike[str] | None
    """Directory to write the pictures to, as SVG."""

    overwrite: bool
    """Replace existing files of out and figures."""

    data_dir: str | PathLike[str] | None
    """Directory of data files (default: the run's own data directory)."""

    examples: int
    """Number of hardest examples to show per task (0: none, and no texts are read)."""

    resamples: int
    """Bootstrap resamples behind each interval."""


class ExportSettings(OutSettings, BaseModelSettings, FileSettings, total=False):
    """Settings of `mtft export`."""

    format: Literal["bundle", "onnx"]
    """Format of the file: a bundle for mtft (needs the base model), or a graph for other runtimes."""

    int8: bool
    """With onnx: also write a file with 8-bit weights, and score both on dev."""


class MergeSettings(OutSettings, BaseModelSettings, total=False):
    """Settings of `mtft merge`."""


class VerifySettings(BaseModelSettings, DeviceSettings, total=False):
    """Settings of `mtft verify`; the precision is that of the training."""


class CountSettings(TypedDict, total=False):
    """Settings of `mtft count-params`."""

    model: str | None
    """Pretrained encoder of a plan: directory or name (default: minilm)."""

    tasks: Names
    """Tasks to count (default: all of the run)."""

    keep: Decimal | float | str
    """Share of the encoder's parameters that train (exact decimal)."""


class DataCheckSettings(DataSettings, total=False):
    """Settings of `mtft data check`."""

    model: str | None
    """Pretrained encoder to count tokens with (default: tokens are not counted)."""

    max_length: int | None
    """Longest text or pair in tokens (default: the model's positions)."""

    fix: str | PathLike[str] | None
    """New directory for cleaned copies of the files, and a diff."""


class InitSettings(LayoutSettings, total=False):
    """Settings of `mtft init` that its files are read by, and that it writes into every task's table."""

    decimal: Literal["auto", "comma", "point"]
    """Sign before the decimals of numbers."""
