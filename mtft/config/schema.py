"""The settings of each command: one frozen model per command, composed of small groups of options.

Defaults train well on a laptop; the presets hold the values of the report. No `from __future__ import annotations`
here: pydantic reads the annotations. Fields are listed from the last base to the first.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from mtft.config.groups import (
    BaseModelOptions,
    BatchOptions,
    BatchSize,
    ClassWeightOptions,
    DataOptions,
    DeviceOptions,
    DevOptions,
    Epsilon,
    FileOptions,
    HalfOptions,
    Keep,
    LossOptions,
    MachineOptions,
    ModelOptions,
    OptimizationOptions,
    Options,
    OutOptions,
    Rate,
    RunOptions,
    SamplingOptions,
    ScalingOptions,
    Schedule,
    SelectionOptions,
    ShareOptions,
    TaskOptions,
    TrackingOptions,
    Warmup,
)
from mtft.config.plugin_choice import PluginChoice
from mtft.config.presets import PRESETS, REFINE_PRESETS
from mtft.config.values import Averaging, CacheSize, Jobs, Limits, Names, Rates, Rule, Size


class SelectConfig(
    RunOptions, LossOptions, ClassWeightOptions, BatchOptions, SelectionOptions, ModelOptions, ShareOptions, DataOptions
):
    """Settings of `mtft select`."""

    presets = PRESETS


class TrainConfig(
    TrackingOptions,
    RunOptions,
    LossOptions,
    ClassWeightOptions,
    DevOptions,
    OptimizationOptions,
    ScalingOptions,
    SamplingOptions,
    BatchOptions,
    SelectionOptions,
    ModelOptions,
    ShareOptions,
    DataOptions,
):
    """Settings of `mtft train`."""

    presets = PRESETS

    mask: Path | None = Field(None, description="mask file written by `mtft select` (default: select weights first)")
    head_epochs: int = Field(0, ge=0, description="epochs in which only the heads train, before weights are selected")
    teachers: Names = Field(
        (), description="finished runs to learn from, as in runs/sst,runs/sts; their weight falls to 0 during training"
    )
    surgery: Annotated[str, PluginChoice("surgery", ("pcgrad", "sum", "expected-pcgrad", "upgrad"))] = Field(
        "pcgrad", description="how the gradients of the tasks are merged, or the NAME of a plugin's method"
    )
    optimizer_rule: Literal["torch", "cs224n"] = Field(
        "torch", description="where AdamW adds epsilon: after the bias correction (torch) or before (cs224n)"
    )
    eps: Epsilon = Field(
        None,  # type: ignore[assignment]  # filled in below
        description="epsilon of AdamW, in the unit of a gradient: weights with smaller ones move less "
        "(default: 1e-8, of the rule cs224n 1e-6)",
    )
    max_steps: int | None = Field(None, ge=1, description="stop after this many steps (default: no limit)")
    max_memory: Size | None = Field(
        None, description="memory limit, as in 3G (bytes, K, M, G); micro-batches are made smaller until training fits"
    )
    average: Averaging = Field(
        "none",
        description="weights to evaluate and keep: none (the last), ema:DECAY (moving average over steps), or "
        "swa:SHARE (mean over the steps after this share of them)",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="share of encoder activations dropped in training")
    head_dropout: float = Field(0.3, ge=0, lt=1, description="share of head activations dropped in training")
    best: Rule = Field(
        "mean", description="epoch to keep: mean (of the primary metrics), last, or the best by one task.metric"
    )

    @field_validator("eps", mode="before")
    @classmethod
    def _epsilon_of_the_rule(cls, eps: Any, info: ValidationInfo) -> Any:
        """Fill in the epsilon of torch's AdamW, or of the handout's."""
        return (1e-6 if info.data.get("optimizer_rule") == "cs224n" else 1e-8) if eps is None else eps


class RefineConfig(
    BaseModelOptions,
    TrackingOptions,
    RunOptions,
    ClassWeightOptions,
    DevOptions,
    OptimizationOptions,
    TaskOptions,
    FileOptions,
):
    """Settings of `mtft refine`."""

    presets = REFINE_PRESETS

    tasks: Names = Field(min_length=1, description="tasks whose heads are trained, one at a time")
    batch_size: BatchSize = 16
    lr: Rate = 1e-5
    task_lr: Rates = Field({}, description="learning rates of single tasks, as in sst=5e-8 (instead of lr)")
    schedule: Schedule = "constant"
    warmup: Warmup = 0.0
    eps: Epsilon = 1e-8
    feature_cache: CacheSize = Field(
        "auto",
        description="disk space for the frozen encoder's outputs: auto (half of what is free), off, or a size as in 8G",
    )


class EvalConfig(BaseModelOptions, MachineOptions, HalfOptions, TaskOptions, FileOptions):
    """Settings of `mtft eval`."""

    tasks: Names = Field((), description="tasks to evaluate (default: all of the run)")
    split: Literal["dev", "test", "train"] = Field("dev", description="files to read")
    fail_under: Limits = Field(
        {}, description="lowest scores that pass, as in sts.pearson=0.8; a lower score gives exit code 3"
    )
    resamples: int = Field(1000, ge=0, description="bootstrap resamples behind each interval (0: no interval)")


class DataCheckConfig(DataOptions):
    """Settings of `mtft data check`."""

    model: str | None = Field(
        None, description="pretrained encoder to count tokens with (default: tokens are not counted)"
    )
    max_length: int | None = Field(
        None, ge=8, description="longest text or pair in tokens (default: the model's positions)"
    )
    fix: Path | None = Field(None, description="new directory for cleaned copies of the files, and a diff")


class LayoutOptions(Options):
    """How tables are written; what is not set is detected in the file."""

    delimiter: Literal["auto", "tab", "comma", "semicolon", "bar"] = Field(
        "auto", description="separator of the fields of a table"
    )
    quotes: Literal["auto", "yes", "no"] = Field("auto", description="whether quotes enclose fields of a table")
    header: bool = Field(True, description="whether the first line of a table names its columns")
    columns: Names = Field((), description="names of the columns of a table without a header")
    encoding: str | None = Field(None, description="encoding of the input (default: UTF-8, or by a byte-order mark)")


class InitConfig(LayoutOptions):
    """Settings of `mtft init` that its files are read by, and that it writes into every task's table."""

    decimal: Literal["auto", "comma", "point"] = Field("auto", description="sign before the decimals of numbers")


class PredictConfig(LayoutOptions, BaseModelOptions, MachineOptions, TaskOptions):
    """Settings of `mtft predict`."""

    tasks: Names = Field(("all",), min_length=1, description="tasks to predict, or all")
    batch_size: int = Field(64, ge=1, description="records processed at a time (examples in a batch)")
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "txt", "parquet", "lines"] = Field(
        "auto", description="format of the input: by default the suffix decides, else the first line; lines is txt"
    )
    output_format: Literal["jsonl", "tsv", "csv"] = Field("jsonl", description="format of the output")
    id: str | None = Field(None, description="column, or key, that names a record (default: id, else the line)")
    keep_columns: Names = Field((), description="columns, or keys, to copy from each record to its answer")
    on_error: Literal["fail", "skip", "null"] = Field(
        "fail",
        description="when a record cannot be answered: stop; leave it out and count it; or write an error in its place",
    )


class VerifyConfig(BaseModelOptions, DeviceOptions, TaskOptions):
    """Settings of `mtft verify`; the precision is that of the training."""


class CountConfig(TaskOptions):
    """Settings of `mtft count-params`."""

    model: str | None = Field(None, description="pretrained encoder of a plan: directory or name (default: minilm)")
    tasks: Names = Field((), description="tasks to count (default: all of the run)")
    keep: Keep = Decimal("0.3")


class CompareConfig(HalfOptions):
    """Settings of `mtft compare`."""

    resamples: int = Field(1000, ge=1, description="bootstrap resamples behind each interval")
    seeds: bool = Field(False, description="take runs that differ in their seed alone as one, by their mean")


class ExperimentConfig(Options):
    """Settings of `mtft experiment`."""

    out: Path | None = Field(
        None, description="directory of runs, records and logs (default: runs/ and the name of the plan)"
    )
    jobs: Jobs = Field("1", description="processes at once: a number, or auto, as many as cores and memory allow")
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads of each process (default: the cores, shared among the processes)"
    )
    only: Names = Field((), description="runs to make, with those that they need (default: all)")
    data_dir: Path | None = Field(
        None, description="directory of data files (default: that of the plan, else $MTFT_DATA_DIR, else ./data)"
    )
    baselines: Names = Field(
        (), description="instead of a plan: finished runs, each of whose tasks is trained alone with the same settings"
    )


class ReportConfig(HalfOptions):
    """Settings of `mtft report`."""

    out: Path | None = Field(None, description="HTML file to write (default: report.html in the first run)")
    figures: Path | None = Field(None, description="directory to write the pictures to, as SVG")
    overwrite: bool = Field(False, description="replace existing files of `out` and `figures`")
    data_dir: Path | None = Field(None, description="directory of data files (default: the run's own data directory)")
    examples: int = Field(
        5, ge=0, description="number of hardest examples to show per task (0: none, and no texts are read)"
    )
    resamples: int = Field(1000, ge=1, description="bootstrap resamples behind each interval")


class MergeConfig(OutOptions, BaseModelOptions, TaskOptions):
    """Settings of `mtft merge`."""


class DataFetchConfig(Options):
    """Settings of `mtft data fetch`."""

    out: Path = Field(Path("data"), description="directory to write to")
    origin: Literal["course", "hub"] = Field(
        "course",
        description="where to fetch from: the course's own files, or the Hugging Face hub, whose splits differ",
    )
    overwrite: bool = Field(False, description="replace existing files that differ")


class ModelFetchConfig(Options):
    """Settings of `mtft models fetch`."""

    revision: str = Field("main", description="branch, tag or commit of the model")


class ExportConfig(OutOptions, BaseModelOptions, TaskOptions, FileOptions):
    """Settings of `mtft export`."""

    format: Literal["bundle", "onnx"] = Field(
        "bundle",
        description="format of the file: a bundle for mtft (needs the base model), or a graph for other runtimes",
    )
    int8: bool = Field(False, description="with onnx: also write a file with 8-bit weights, and score both on dev")


SCHEMAS: tuple[type[Options], ...] = (
    SelectConfig,
    TrainConfig,
    RefineConfig,
    EvalConfig,
    DataCheckConfig,
    PredictConfig,
    VerifyConfig,
    CountConfig,
    CompareConfig,
    ExperimentConfig,
    ReportConfig,
    DataFetchConfig,
    ModelFetchConfig,
    MergeConfig,
    ExportConfig,
)
