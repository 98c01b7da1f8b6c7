import string
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtft.config.groups import Options
from mtft.config.load import Loaded, dump, load
from mtft.config.schema import (
    SCHEMAS,
    DataCheckConfig,
    EvalConfig,
    PredictConfig,
    RefineConfig,
    SelectConfig,
    TrainConfig,
)
from mtft.config.toml_file import SIZE_LIMIT
from mtft.errors import ConfigError, MtftError, unknown

TASKS = {"tasks": "sst"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


def errors(schema: type[Options] = TrainConfig, **layers: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(schema, **layers)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_later_layers_win_and_origins_say_which(file: Path) -> None:
    file.write_text('lr = 2e-5\nbatch-size = 8\nkeep = 0.2\ntasks = ["sst", "sts"]')
    loaded = load(
        TrainConfig, preset="report", file=file, sets=["keep=0.25", "seed=7"], given={"seed": "9", "lr": None}
    )
    config, origins = loaded.config, loaded.origins
    assert (config.epochs, origins["epochs"]) == (30, "preset report")
    assert (config.batch_size, origins["batch_size"]) == (8, f"file {file}")
    assert (config.lr, origins["lr"]) == (2e-5, f"file {file}")
    assert (config.keep, origins["keep"]) == (Decimal("0.25"), "set")
    assert (config.seed, origins["seed"]) == (9, "argument seed")
    assert (config.surgery, origins["surgery"]) == ("pcgrad", "default")
    assert origins.keys() == TrainConfig.settings().keys()


def known(kind: str, name: str) -> None:
    """Know one part of a plugin in addition to the built-in ones."""
    if name != "theirs":
        raise ConfigError(unknown(kind, name, ["pcgrad", "theirs"]))


def test_plugins_are_asked_for_names_that_are_not_built_in(file: Path) -> None:
    for flags in ({"surgery": "theirs"}, {"score": "theirs"}, {"trackers": "theirs"}, {"surgery": "upgrad"}):
        assert load(TrainConfig, given={**TASKS, **flags}, known=known).config
    file.write_text('surgery = "thiers"\ntrackers = ["theirs", "xyz"]\nscore = 3')
    assert errors(TrainConfig, file=file, given=TASKS, known=known) == [
        f"{file}: surgery: unknown surgery 'thiers'; did you mean 'theirs'? (allowed: pcgrad, theirs)",
        f"{file}: trackers: unknown tracker 'xyz' (allowed: pcgrad, theirs)",
        f"{file}: score: 3 is not text",
    ]
    file.write_text('surgery = "other"')
    assert load(TrainConfig, file=file, given=TASKS).config.surgery == "other"


def test_every_error_is_reported_at_once_with_origin_key_and_near_match(file: Path) -> None:
    file.write_text("batch_sise = 3\nepochs = 0\nmicro-batch-tokens = 'many'")
    flags = {"surgery": "pcgrd", "schedule": "linea", "max_length": "7"}
    assert errors(file=file, sets=["keep=2", "nonsense"], given=flags, known=known) == [
        "set: 'nonsense' is not KEY=VALUE",
        f"{file}: batch_sise: unknown key 'batch_sise'; did you mean 'batch_size'?",
        "argument surgery: unknown surgery 'pcgrd'; did you mean 'pcgrad'? (allowed: pcgrad, theirs)",
        "tasks: required; give tasks, or set it in a config file: tasks, as in sst,quora,sts (`mtft tasks` lists them)",
        "argument max_length: '7' is not a whole number >= 8",
        "set: keep: '2' is not a number > 0 and <= 1 with at most 12 decimals",
        f"{file}: micro_batch_tokens: 'many' is not a whole number >= 1",
        f"{file}: epochs: 0 is not a whole number >= 1",
        "argument schedule: 'linea' is not one of constant, linear, cosine; did you mean 'linear'?",
    ]


def test_a_file_serves_several_commands(file: Path) -> None:
    file.write_text('tasks = ["sst"]\nsurgery = "sum"\npreset = "report-sam"\nsplit = "test"\ntask_lr = {sst = 1e-7}')
    assert load(TrainConfig, file=file).config.surgery == "sum"
    assert load(SelectConfig, file=file).config.keep == Decimal("0.1")
    assert load(EvalConfig, file=file).config.split == "test"
    assert load(RefineConfig, file=file).config.task_lr == {"sst": 1e-7}


def test_set_and_flags_belong_to_one_command() -> None:
    assert errors(EvalConfig, sets=["surgery=sum"])[0].startswith("set: surgery: unknown key 'surgery' (allowed: ")
    assert errors(EvalConfig, given={"splitt": "dev"}) == [
        "argument splitt: unknown key 'splitt'; did you mean 'split'?"
    ]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("batch_size=8", "batch_size", 8),
        ("batch-size = 8", "batch_size", 8),
        ("keep=0.1", "keep", Decimal("0.1")),
        ("lr=1e-6", "lr", 1e-6),
        ("sample=true", "sample", True),
        ("model=bert-base", "model", "bert-base"),
        ("model=007", "model", "007"),
        ("model='a=b'", "model", "a=b"),
        ("tasks=sst,sts", "tasks", ("sst", "sts")),
        ('tasks=["sst", "sts"]', "tasks", ("sst", "sts")),
        ("augment=none", "augment", ()),
    ],
)
def test_set_takes_toml_and_plain_text(text: str, key: str, value: object) -> None:
    assert getattr(load(TrainConfig, given=None, sets=["tasks=sst", text]).config, key) == value


def test_set_takes_an_inline_table() -> None:
    assert load(EvalConfig, sets=["fail_under={'sts.pearson' = 0.8}"]).config.fail_under == {"sts.pearson": 0.8}


@pytest.mark.parametrize("text", ["tasks=['sst'", "model='a", "tasks=['sst'] sts", "task='a'\nx=1"])
def test_set_refuses_broken_toml(text: str) -> None:
    assert errors(sets=[text], given=TASKS)[0].startswith("set: ")


def test_presets_are_checked_wherever_they_are_named(file: Path) -> None:
    assert "argument preset: unknown preset 'reprot'; did you mean 'report'?" in errors(preset="reprot", given=TASKS)[0]
    for value in ('"reprot"', "[1]", "{}"):
        file.write_text(f"preset = {value}")
        assert errors(file=file, given=TASKS)[0].startswith(f"{file}: preset: unknown preset ")
    file.write_text('preset = "report"')
    assert load(TrainConfig, file=file, given=TASKS).origins["lr"] == "preset report"
    assert load(TrainConfig, file=file, preset="report-sam", given=TASKS).origins["lr"] == "preset report-sam"
    assert load(PredictConfig, file=file).origins["batch_size"] == "default"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"epochs = 3\nlr == 2", "not TOML: Invalid value (at line 2, column 5)"),
        (b"model = '\xff'", "not UTF-8 (byte 9)"),
        (b"#" * (SIZE_LIMIT + 1), f"larger than {SIZE_LIMIT} bytes"),
        (b"seed = " + b"9" * 5000, "not TOML: "),
        (b"x = " + b"[" * 5000, "not TOML: "),
        (b"batch-size = 1\nbatch_size = 2", "batch_size: the key is given twice"),
    ],
)
def test_files_that_cannot_be_read(file: Path, content: bytes, error: str) -> None:
    file.write_bytes(content)
    assert errors(file=file, given=TASKS)[0].startswith(f"{file}: {error}")


def test_a_broken_file_is_the_only_fault_that_is_named(file: Path) -> None:
    file.write_text("[tasks.mood]\ntext = [", encoding="utf-8")
    (only,) = errors(file=file, given={"epochs": "many"})
    assert only.startswith(f"{file}: not TOML: ")


def test_missing_files(tmp_path: Path) -> None:
    assert errors(file=tmp_path / "no.toml", given=TASKS) == [
        f"cannot read {tmp_path}/no.toml: no such file or directory"
    ]
    assert errors(file=tmp_path, given=TASKS) == [f"cannot read {tmp_path}: is a directory"]


def test_a_byte_order_mark_is_no_error(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfseed = 3")
    assert load(TrainConfig, file=file, given=TASKS).config.seed == 3


def test_hostile_numbers_are_named_without_being_written_out(file: Path) -> None:
    file.write_text(f"seed = 0x{'f' * 9999}\nepochs = 1e999999\nlr = 1e99999999999999999999\nmodel = [0x{'f' * 9999}]")
    found = errors(file=file, given=TASKS)
    assert len(found) == 4
    assert max(map(len, found)) < 200 + len(str(file))


@pytest.mark.parametrize(("recorded", "eps"), [(False, 1e-6), (True, 1e-8)])
def test_a_run_from_before_a_setting_has_the_value_that_it_used(recorded: bool, eps: float, file: Path) -> None:
    file.write_text('optimizer_rule = "cs224n"')
    if recorded:
        file.with_name("environment.json").write_text("{}")
    assert load(TrainConfig, file=file, given=TASKS).config.eps == eps
    assert load(SelectConfig, file=file, given=TASKS).origins.get("eps") is None
    assert load(TrainConfig, file=file, given={**TASKS, "eps": 1e-5}).config.eps == 1e-5


VALUES: dict[type[Options], dict[str, Any]] = {
    TrainConfig: {"tasks": "a,b", "keep": "0.123456789012", "lr": "3e-5", "data_dir": 'od"d\\dir', "augment": "none"},
    SelectConfig: {"tasks": "a", "keep": "1e-7", "batches": "3", "out": "m.safetensors"},
    RefineConfig: {"tasks": "a", "task_lr": "sst=5e-8,quora=0.1", "patience": "2"},
    DataCheckConfig: {"tasks": "a", "fix": "clean", "model": "minilm"},
    EvalConfig: {"fail_under": "sts.pearson=0.8,a-b.c=-1e300"},
}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_what_is_dumped_loads_to_the_same(schema: type[Options], file: Path) -> None:
    loaded: Loaded[Any] = load(schema, given=VALUES.get(schema))
    text = dump(loaded.config)
    file.write_text(text, encoding="utf-8")
    again = load(schema, file=file)
    assert again.config == loaded.config
    assert dump(again.config) == text


def test_dump_leaves_out_what_is_asked() -> None:
    config = load(TrainConfig, given={**TASKS, "out": "a", "seed": 4}).config
    assert dump(config).replace('out = "a"\n', "") == dump(config, exclude=["out"]) != dump(config)


texts = st.text(max_size=12)
keys = st.sampled_from(sorted({key for schema in SCHEMAS for key in schema.model_fields})) | texts
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | texts | st.dates()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=4)
tables = st.dictionaries(keys, values, max_size=6)
schemas = st.sampled_from(SCHEMAS)
lenient = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(schema: type[Options], **layers: Any) -> None:
    """Loading either works, and its result can be written, or it fails with an error for the user."""
    with suppress(MtftError):
        dump(load(schema, **layers).config)


@given(schemas, st.text() | st.text(alphabet="[]{}=\"'.,#\n\\ 0123456789e+-_abx" + string.ascii_lowercase))
@lenient
def test_no_text_breaks_load(file: Path, schema: type[Options], text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    survives(schema, file=file)


@given(schemas, tables)
@lenient
def test_no_table_breaks_load(file: Path, schema: type[Options], table: dict[str, Any]) -> None:
    table = {key: value for key, value in table.items() if value is not None}
    try:
        file.write_text(tomli_w.dumps(table), encoding="utf-8")
    except (TypeError, ValueError):
        return  # holds what TOML cannot say
    survives(schema, file=file)


@given(schemas, st.lists(texts | st.builds("{}={}".format, keys, texts)), tables)
@lenient
def test_no_flag_breaks_load(schema: type[Options], sets: list[str], flags: dict[str, Any]) -> None:
    survives(schema, sets=sets, given=flags)
