"""The keys of a `[tasks.NAME]` table: one model per kind of task, and one error line for each wrong key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from mtft.data.dialect import KEYS, Layout, layout_of
from mtft.data.formats import ALLOWED, can_read
from mtft.errors import ConfigError, unknown
from mtft.io.text import show
from mtft.metrics import METRICS
from mtft.outputs import Binary, Bounded, Categorical, Ordinal, Output
from mtft.tasks.declared_rows import (
    Aliases,
    ClassWeights,
    DevOnce,
    HeldOutRule,
    Missing,
    Positive,
    SplitTable,
    TestOnce,
)

LARGEST = 3.4e38
"""Largest 32-bit float; targets have 32 bits."""

SEVERAL = f"{ALLOWED}; or a list of such files, or a pattern such as a-*.csv"
"""Description of the allowed files of a split."""

OF_NUMBERS = ("pearson", "spearman", "mse", "mae")
"""Metrics of regression; all others are for classes."""


T = TypeVar("T")


def metrics_of(kind: str) -> list[str]:
    """Return the names of the metrics allowed for a kind of task."""
    return [name for name in METRICS if (name in OF_NUMBERS) == (kind == "regression")]


def _only(fits: Callable[[Any], bool]) -> AfterValidator:
    """Raise an error for a wrong value; it shows the value and the description of its field."""

    def check(value: T) -> T:
        if not fits(value):
            raise PydanticCustomError("unfit", "not as described")
        return value

    return AfterValidator(check)


def _check_once(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{show(value)} is given twice")
    return values


def _check_label(value: str, info: ValidationInfo) -> str:
    if value in info.data.get("text", ()):
        raise ValueError(f"column {show(value)} is a text column too")
    return value


def _check_label_name(value: Any) -> str:
    """Return a label name as text; in TOML and JSON it may be a whole number."""
    name = str(value) if type(value) is int else value
    if not isinstance(name, str) or not name or name != name.strip() or "\0" in name:
        raise ValueError(f"{show(value)} is not a label name: text, without white space around it")
    return name


def _check_head(value: Any, info: ValidationInfo) -> Any:
    heads: Collection[str] = info.context or ()
    if value not in list(heads):
        raise ValueError(unknown("value", str(value), heads))
    return value


def _check_metrics(value: Any, info: ValidationInfo) -> Any:
    allowed = metrics_of(info.data.get("kind", ""))
    if not isinstance(value, list) or not value:
        raise ValueError(f"{show(value)} is not a list of metrics (allowed: {', '.join(allowed)})")
    for name in value:
        if name not in allowed:
            raise ValueError(unknown("metric", str(name), allowed))
    return value


def _check_columns(value: Any, info: ValidationInfo) -> Any:
    """Check the column names, which are required for files without a header line."""
    if info.data.get("header") is not False:
        if value is not None:
            raise ValueError("they name the columns of files without a header line; set header = false")
        return None
    if value is None:
        raise ValueError("missing; header = false needs a list of the columns' names")
    return KEYS["columns"](value)


Text = Annotated[str, _only(lambda text: bool(text.strip()) and "\0" not in text)]
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(lambda one: [one] if isinstance(one, str) else one), AfterValidator(_check_once)
]
File = Annotated[Text, _only(can_read), Field(description=ALLOWED)]
Files = Annotated[
    str | tuple[File, ...],
    BeforeValidator(lambda files: tuple(files) if isinstance(files, list) else files),
    _only(lambda files: bool(files) and (not isinstance(files, str) or (can_read(files) and "\0" not in files))),
    AfterValidator(lambda files: files if isinstance(files, str) else _check_once(files)),
    Field(description=SEVERAL),
]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Number32 = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Range = Annotated[tuple[Number32, Number32], _only(lambda ends: ends[0] < ends[1])]
LabelNames = Annotated[tuple[Annotated[str, BeforeValidator(_check_label_name)], ...], AfterValidator(_check_once)]
Metrics = Annotated[tuple[str, ...], BeforeValidator(_check_metrics), AfterValidator(_check_once)]
Delimiter = Annotated[str, BeforeValidator(KEYS["delimiter"])]
Truth = Annotated[bool, BeforeValidator(KEYS["quotes"])]
Columns = BeforeValidator(_check_columns)
Encoding = Annotated[str, BeforeValidator(KEYS["encoding"])]
Decimal = Annotated[str, BeforeValidator(KEYS["decimal"])]
Kind = Literal["classification", "binary", "ordinal", "regression"]


class Declaration(BaseModel):
    """Keys of every declaration, in the order of checks and storage; a field's description states the allowed values.

    Each kind restricts `names` and `range`. The validation context holds the names of the heads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    kind: Kind
    text: Texts = Field(min_length=1, max_length=2, description="a column, or a list of two columns")
    label: Annotated[Text, AfterValidator(_check_label)] = Field(description="a column")
    names: Any = None
    range: Any = None
    positive: Positive = None
    missing: Missing = None
    aliases: Aliases = None
    split: SplitTable = None
    train: Files
    dev: Annotated[Share | Files | None, DevOnce] = Field(
        None,
        validate_default=True,
        description=f"{SEVERAL}, or the share of train's rows that is held out, between 0 and 1",
    )
    test: Annotated[Files | None, TestOnce] = Field(None, description=SEVERAL)
    held_out: HeldOutRule = None
    class_weights: ClassWeights = None
    head: Annotated[str, BeforeValidator(_check_head)] = "report"
    metrics: Metrics | None = None
    description: Text | None = Field(None, description="text")
    delimiter: Delimiter | None = None
    quotes: Truth | None = None
    header: Truth | None = None
    columns: Annotated[tuple[str, ...] | None, Columns] = Field(None, validate_default=True)
    encoding: Encoding | None = None
    decimal: Decimal | None = None

    def output(self) -> Output:
        """Return the meaning of the head's numbers."""
        raise NotImplementedError

    def layout(self) -> Layout:
        """Return the settings for the form of the files."""
        return layout_of({key: getattr(self, key) for key in KEYS})


class Classes(Declaration):
    """A declaration whose labels are classes."""

    names: LabelNames = Field(min_length=2, description="a list of two or more label names")
    range: None = Field(None, description="only a regression has a range; classes have names")

    def output(self) -> Output:
        return Categorical(self.names)


class YesOrNo(Classes):
    """A declaration of two classes, no and yes."""

    names: LabelNames = Field(min_length=2, max_length=2, description="a list of two label names, the one for no first")

    def output(self) -> Output:
        first, second = self.names
        return Binary((second, first) if self.positive == first else (first, second))


class Ranks(Classes):
    """A declaration of classes with an order."""

    names: LabelNames = Field(min_length=2, description="a list of label names, the lowest rank first")

    def output(self) -> Output:
        return Ordinal(self.names)


class Numbers(Declaration):
    """A declaration whose labels are numbers between two bounds."""

    names: None = Field(None, description="a regression has a range instead of names")
    range: Range = Field(description="[LOWEST, HIGHEST], two numbers of 32 bits")

    def output(self) -> Output:
        return Bounded(*self.range)


KEY_SYNONYMS = {
    **dict.fromkeys(("labels", "classes", "categories", "label_names", "class_names", "levels"), "names"),
    **dict.fromkeys(("target", "y", "label_column", "answer"), "label"),
    **dict.fromkeys(("texts", "text_column", "sentence", "sentences"), "text"),
    **dict.fromkeys(("train_file", "training", "file", "files", "data"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "eval", "dev_file", "validation_file"), "dev"),
    **dict.fromkeys(("type", "task_type"), "kind"),
}
"""What keys are called elsewhere, for hints in errors; these are not accepted."""

SCHEMAS: dict[Any, type[Declaration]] = {
    "classification": Classes,
    "binary": YesOrNo,
    "ordinal": Ranks,
    "regression": Numbers,
}


def read_declaration(table: Mapping[str, Any], heads: Collection[str], where: str) -> Declaration:
    """Return a table's declaration; ConfigError has one line, beginning with `where`, for each wrong key."""
    given = {key: value for key, value in table.items() if value is not None}
    kind = given.get("kind")
    schema = SCHEMAS.get(kind, Declaration) if isinstance(kind, str) else Declaration
    try:
        return schema.model_validate(given, context=heads)
    except ValidationError as error:
        first: dict[str, Mapping[str, Any]] = {}
        for detail in error.errors(include_url=False):
            first.setdefault(str(detail["loc"][0]), dict(detail))
    problems = [_explain(schema, key, given.get(key), detail) for key, detail in first.items()]
    raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))


def _explain(schema: type[Declaration], key: str, value: Any, detail: Mapping[str, Any]) -> str:
    """Describe the fault in a key's value; `detail` is pydantic's error."""
    if key not in schema.model_fields:
        return unknown("key", key, schema.model_fields, KEY_SYNONYMS)
    wanted = schema.model_fields[key].description
    if key == "kind":
        wanted = f"one of {', '.join(SCHEMAS)}"
    reasons = {
        "missing": f"missing; give {wanted}",
        "literal_error": unknown("value", str(value), SCHEMAS),
        "none_required": wanted,
        "value_error": detail.get("ctx", {}).get("error"),
    }
    return f"{key}: {reasons.get(detail['type'], f'{show(value)} is not {wanted}')}"
