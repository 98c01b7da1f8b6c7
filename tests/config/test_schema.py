from decimal import Decimal
from typing import Any

import pytest
from commands import ROOT
from pydantic import ValidationError

from mtft.config.groups import Options
from mtft.config.load import kind, load
from mtft.config.schema import SCHEMAS, EvalConfig, RefineConfig, SelectConfig, TrainConfig
from mtft.io import toml_parser

UNITS = (
    *("tokens", "examples", "epochs", "steps", "share", "rate", "seed", "threads", "batches", "resamples", "score"),
    "gradient",
)

every_schema = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)


def train(**values: Any) -> TrainConfig:
    return TrainConfig(**{"tasks": "sst", **values})


@every_schema
def test_every_field_says_what_it_is_and_numbers_name_their_unit(schema: type[Options]) -> None:
    for name, field in schema.settings().items():
        assert field.description, name
        if kind(field) in (int, float, Decimal, dict):
            assert any(unit in field.description.lower() for unit in UNITS), name


@every_schema
def test_a_key_has_one_meaning_in_all_commands(schema: type[Options]) -> None:
    for other in SCHEMAS:
        for name in schema.model_fields.keys() & other.model_fields.keys():
            assert kind(schema.model_fields[name]) is kind(other.model_fields[name]), name


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        train().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("keep", ["0.3", 0.3, Decimal("0.3"), "0.30", "3e-1"], ids=repr)
def test_keep_is_an_exact_decimal(keep: Any) -> None:
    assert str(train(keep=keep).keep) == "0.3"


def test_keep_cannot_be_so_small_that_its_digits_fill_the_memory() -> None:
    with pytest.raises(ValidationError):
        train(keep=Decimal("1e-999999"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("keep", "0"),
        ("keep", "1.1"),
        ("max_length", 7),
        ("seed", -1),
        ("seed", 2**63),
        ("lr", 0),
        ("lr", "nan"),
        ("lr", "inf"),
        ("eps", 0),
        ("eps", "-1e-8"),
        ("eps", "1e-46"),
        ("eps", "nan"),
        ("eps", "small"),
        ("warmup", 1.5),
        ("dropout", 1),
        ("batch_size", True),
        ("batch_size", 1.5),
        ("epochs", Decimal("1e999999")),
        ("model", ""),
        ("model", "a\0b"),
        ("out", ""),
        ("out", "\udcff"),
        ("tasks", "sst,,sts"),
        ("tasks", "sst,sst"),
        ("tasks", []),
        ("best", "accuracy"),
        ("best", "sts."),
        ("surgery", 3),
        ("nothing", 1),
    ],
)
def test_wrong_values_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        train(**{key: value})


@pytest.mark.parametrize(("text", "names"), [("none", ()), ("a, b", ("a", "b")), (["a"], ("a",)), (None, None)])
def test_augment_tells_none_from_default(text: Any, names: tuple[str, ...] | None) -> None:
    assert train(augment=text).augment == names


@pytest.mark.parametrize("rule", ["mean", "last", "sts.pearson"])
def test_rules_for_the_best_epoch(rule: str) -> None:
    assert train(best=rule).best == rule


LIMITS = {"sts.pearson": Decimal("0.8"), "sst.accuracy": 0.5}


@pytest.mark.parametrize(
    "value", ["sts.pearson=0.8, sst.accuracy=5e-1", ["sts.pearson=0.8", "sst.accuracy=0.5"], LIMITS], ids=repr
)
def test_limits_are_parsed(value: Any) -> None:
    assert EvalConfig(fail_under=value).fail_under == {"sts.pearson": 0.8, "sst.accuracy": 0.5}


@pytest.mark.parametrize("value", ["sts.pearson", "sts=0.8", "sts.pearson=high", "a.b=nan", "a.b=1,a.b=2", 3, ".b=1"])
def test_wrong_limits_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        EvalConfig(fail_under=value)


def test_epsilon_is_that_of_the_rule_unless_it_is_given() -> None:
    """torch.optim.AdamW has 1e-8, the optimizer of the CS 224N handout 1e-6."""
    assert (train().eps, train(optimizer_rule="cs224n").eps, RefineConfig(tasks=("sst",)).eps) == (1e-8, 1e-6, 1e-8)
    assert (train(eps="3e-7").eps, train(optimizer_rule="cs224n", eps=1e-8).eps) == (3e-7, 1e-8)


def test_rates_of_single_tasks() -> None:
    assert RefineConfig(tasks=("sst",), task_lr="sst=5e-8").task_lr == {"sst": 5e-8}
    with pytest.raises(ValidationError, match="> 0"):
        RefineConfig(tasks=("sst",), task_lr={"sst": 0.0})


@pytest.mark.parametrize("schema", [TrainConfig, SelectConfig, RefineConfig], ids=lambda schema: schema.__name__)
def test_presets_fit_their_command(schema: type[Options]) -> None:
    for name in schema.presets:
        load(schema, preset=name, given={"tasks": "sst"})


def test_presets_hold_the_values_of_the_report() -> None:
    def values(name: str) -> tuple[Any, ...]:
        config = load(TrainConfig, preset=name, given={"tasks": "sst"}).config
        return config.keep, config.lr, config.batch_size, config.epochs, config.schedule

    assert values("report") == (Decimal("0.3"), 1e-4, 512, 30, "constant")
    assert values("report-vanilla") == (Decimal("1"), 1e-5, 16, 30, "constant")
    assert values("report-sam") == (Decimal("0.1"), 1e-4, 16, 30, "constant")
    refine = load(RefineConfig, preset="report", given={"tasks": "sst"}).config
    assert (refine.batch_size, refine.lr, refine.task_lr, refine.epochs) == (16, 1e-5, {"sst": 5e-8}, 30)


def test_the_best_preset_is_the_run_that_the_table_reports() -> None:
    from_preset = load(TrainConfig, preset="best", given={"tasks": "sst,quora,sts", "dev_split": "half"}).config
    run = toml_parser.loads((ROOT / "examples/report/experiments.toml").read_text())["runs"]["best"]
    assert from_preset == load(TrainConfig, given={**run, "dev_split": "half"}).config


@pytest.mark.parametrize(
    ("text", "size"), [("3G", 3 << 30), ("1.5GiB", 3 << 29), ("800m", 800 << 20), ("2 K", 2048), ("77", 77), (78, 78)]
)
def test_sizes_are_bytes_or_powers_of_1024(text: Any, size: int) -> None:
    assert TrainConfig(tasks=("sst",), max_memory=text).max_memory == size


@pytest.mark.parametrize("text", ["3GB", "-1", "0", "G", "1e3", "0.1", "3 X", ""])
def test_other_sizes_are_refused(text: Any) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(tasks=("sst",), max_memory=text)
