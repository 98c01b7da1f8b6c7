"""Small groups of options, from which the settings of each command are composed.

A field's name is its key in TOML; with hyphens it is its flag. No `from __future__ import annotations` here:
pydantic reads the annotations.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from mtft.config.plugin_choice import PluginChoice
from mtft.config.values import Duration, Names, NamesOrNone, Period, Weights

# Options whose default depends on the command.
BatchSize = Annotated[int, Field(ge=1, description="examples in one batch, all tasks together")]
Rate = Annotated[float, Field(gt=0, description="peak learning rate")]
Epsilon = Annotated[
    float,
    Field(ge=1e-30, description="epsilon of AdamW, in the unit of a gradient: weights with smaller ones move less"),
]
Schedule = Annotated[
    Literal["constant", "linear", "cosine"],
    Field(description="learning rate after warm-up: constant, or falling from the peak to 0"),
]
Warmup = Annotated[
    float,
    Field(ge=0, le=1, description="share of the steps in which the learning rate rises from 0 to its peak (0 to 1)"),
]
Keep = Annotated[
    Decimal,
    Field(gt=0, le=1, decimal_places=12, description="share of the encoder's parameters that train (exact decimal)"),
    AfterValidator(lambda share: share.normalize()),
]


class Options(BaseModel):
    """Base of all settings: frozen, no unknown keys, defaults checked like any other value."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, defer_build=True)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of values, or presets; keys that the command does not have are ignored."""

    @classmethod
    def settings(cls) -> dict[str, FieldInfo]:
        """Return the fields that are keys and flags."""
        return {name: field for name, field in cls.model_fields.items() if not field.exclude}

    @field_validator("*", mode="before")
    @classmethod
    def _sane(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse values that are invalid for every option: empty or binary text, true for a number, over 63 bits."""
        if isinstance(value, str):
            if not value.strip():
                raise ValueError("the value is empty")
            if "\0" in value or value != value.encode(errors="ignore").decode():
                raise ValueError(f"{value!r} is not text")
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError(f"{str(value).lower()} is not a value of this option")
        exact = isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite())
        if exact and not -(2**63) < value < 2**63:
            raise ValueError("the number has more than 63 bits")
        return value


class ModelOptions(Options):
    """The pretrained encoder to start from."""

    model: str = Field("minilm", description="pretrained encoder: directory in Hugging Face form, short name or hub id")
    max_length: int | None = Field(
        None, ge=8, description="longest text or pair in tokens; the rest is cut (default: the model's positions)"
    )


class BaseModelOptions(Options):
    """The base model of a finished run, which may have moved."""

    model: str | None = Field(None, description="base model, if it has moved (default: the path in the run)")


class FileOptions(Options):
    """Where examples are read from."""

    data_dir: Path | None = Field(
        None,
        description="directory of data files (default: $MTFT_DATA_DIR, else the run's data directory, else ./data)",
    )
    sample: bool = Field(False, description="use the small sample data that comes with mtft")
    strict: bool = Field(False, description="make a row without a label an error instead of counting it in a warning")
    skip_bad_rows: bool = Field(
        False, description="leave out rows that cannot be read or have an invalid label, and count them in a warning"
    )


class TaskOptions(Options):
    """Tasks that the settings file declares; they have no flag and no key of their own."""

    declared: dict[str, dict[str, Any]] = Field(
        default={}, exclude=True, description="tables [tasks.NAME] of the settings file (examples/guide/data.md)"
    )


class DataOptions(TaskOptions, FileOptions):
    """What is learned, and from which sources."""

    tasks: Names = Field(min_length=1, description="tasks, as in sst,quora,sts (`mtft tasks` lists them)")
    augment: NamesOrNone = Field(
        None, description="augmentation sources to train on, or none (default: all whose files exist)"
    )


class ShareOptions(Options):
    """How much of the training data is used."""

    train_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the training rows to use, chosen by a hash of ids, or of texts without ids (0 to 1)",
    )


CHOOSING: Mapping[str, Literal["all", "choose", "report"]] = {"all": "all", "half": "choose", "other-half": "report"}
"""The half of dev that chooses the epoch, by `dev_split`: with the other half, the two change places."""


class DevOptions(Options):
    """The data that choose the epoch."""

    dev_split: Literal["all", "half", "other-half"] = Field(
        "all",
        description="dev rows that choose the epoch: all, or one of two halves, split by a hash of ids (of texts "
        "without ids); `half` report of eval, compare and report scores the rows that did not choose",
    )

    calibrate: bool = Field(
        False, description="fit a temperature for each task with classes on the dev rows that choose the epoch"
    )

    @property
    def choosing(self) -> Literal["all", "choose", "report"]:
        """The half of dev, by the keys of its rows, that chooses the epoch."""
        return CHOOSING[self.dev_split]


class HalfOptions(Options):
    """Which part of dev is scored."""

    half: Literal["all", "choose", "report"] = Field(
        "all",
        description="dev rows to score: all, the half that chose the epoch (`dev_split`), or the other half",
    )


class ClassWeightOptions(Options):
    """How much each class counts in the loss."""

    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="weights of the classes of every task in its loss: none, or balanced (a class counts in inverse "
        "proportion to its rows in train); the key class_weights of a task's table names weights instead",
    )


class LossOptions(Options):
    """Choices where the report's text allows several readings."""

    cfimdb_folding: Literal["report", "marginal"] = Field(
        "report", description="how five sentiment classes become two: by summed logits (report) or summed probabilities"
    )
    consistency: Literal["symmetric", "forward", "reverse"] = Field(
        "symmetric", description="direction of the divergence between the sentiments of a pair's two texts"
    )


class SelectionOptions(Options):
    """Which of the encoder's parameters train."""

    keep: Keep = Decimal("0.3")
    score: Annotated[str, PluginChoice("score", ("sum", "abs", "fisher", "random", "magnitude", "bitfit"))] = Field(
        "sum", description="score that ranks the weights, or the NAME of a plugin's score"
    )
    scope: Literal["global", "tensor"] = Field(
        "global", description="rank weights over the whole encoder, or within each tensor"
    )
    granularity: Literal["element", "row", "tensor"] = Field(
        "element", description="unit of selection: single weights, rows of matrices (faster), or tensors"
    )
    combine: Literal["joint", "normalised"] = Field(
        "joint",
        description="add the gradients of tasks (abs: absolute values, fisher: squares), or normalised scores",
    )
    batches: int | None = Field(None, ge=1, description="batches to compute the score on (default: all training data)")
    selection_dropout: bool = Field(False, description="keep dropout on while scoring")


class BatchOptions(Options):
    """How examples are grouped."""

    batch_size: BatchSize = 32
    micro_batch_tokens: int = Field(
        2048, ge=1, description="tokens that go through the encoder at once; more tokens take more memory"
    )


class SamplingOptions(Options):
    """How often each task is trained."""

    sampling: Literal["proportional", "sqrt", "annealed"] = Field(
        "proportional",
        description="how often tasks are trained: every row once an epoch, by the square root of "
        "their size, or annealed, from proportional towards equal shares",
    )


class ScalingOptions(Options):
    """How much each task counts in a step."""

    loss_scale: Literal["none", "log"] = Field(
        "none",
        description="loss to differentiate: the loss of each task, or its logarithm, which puts all tasks on one scale",
    )
    task_weights: Weights = Field(
        {},
        description="factors for the gradients of tasks, as in sst=2 (default: 1): their share in the encoder's steps; "
        "heads hardly move differently, as AdamW divides a gradient by its size",
    )


class OptimizationOptions(Options):
    """How weights are updated."""

    epochs: int = Field(3, ge=1, description="epochs, each a pass over every dataset")
    lr: Rate = 1e-4
    weight_decay: float = Field(
        0.01, ge=0, description="weight decay of AdamW, decoupled (share of a weight per step, times the rate)"
    )
    schedule: Schedule = "linear"
    warmup: Warmup = 0.1
    max_bad_steps: int = Field(
        3, ge=0, description="how many steps with a loss or gradient that is not finite may be skipped"
    )
    patience: int | None = Field(None, ge=1, description="epochs to wait for a better score (default: no limit)")


Precision = Literal["fp32", "bf16", "tf32"]
"""Number types of matrix products."""


class DeviceOptions(Options):
    """The device and threads to use."""

    threads: int | None = Field(None, ge=1, le=4096, description="CPU threads (default: torch decides)")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="device to compute on; auto is cuda if there is one, else cpu"
    )


class MachineOptions(DeviceOptions):
    """The device, threads and precision to use."""

    precision: Precision = Field("fp32", description="number type of matrix products (tf32 needs cuda)")


class OutOptions(Options):
    """The path of a result that is made from a run."""

    out: Path | None = Field(None, description="path of the result (default: named after the run)")
    overwrite: bool = Field(False, description="replace a result that is already there")


class RunOptions(MachineOptions):
    """The random seed, the path of the result, and when to save and stop."""

    seed: int = Field(0, ge=0, le=2**63 - 1, description="seed of everything random; on a CPU: same seed, same bits")
    out: Path | None = Field(None, description="path of the result (default: named after command and tasks)")
    overwrite: bool = Field(False, description="replace a result that is already there")
    checkpoint_every: Period = Field(
        "10m", description="how often to save a state for `resume`: a number of steps (200) or a time (30s, 10m, 2h)"
    )
    max_time: Duration | None = Field(
        None, description="save and stop with exit code 4 after this time, as in 90m or 8h (default: no limit)"
    )


class TrackingOptions(Options):
    """Plugins that receive what a run logs."""

    trackers: Annotated[Names, PluginChoice("tracker")] = Field(
        (), description="trackers of plugins that receive what the run logs (`mtft plugins` lists them)"
    )
