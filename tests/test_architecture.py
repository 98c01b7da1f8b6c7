"""The architecture: direction of imports, no circles, small modules, and a test for each module."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("errors", "outputs"),
    ("io", "losses", "metrics"),
    ("runtime", "config", "fetch"),
    ("data",),
    ("encoder",),
    ("heads", "tasks"),
    ("plugin", "model"),
    ("optimization",),
    ("selection",),
    ("runs",),
    ("training", "report"),
    ("testing", "experiments"),
    ("commands",),
    ("api", "call", "settings"),
    ("predictor", "cli"),
    ("__main__", "__init__"),  # `mtft/__init__.py` names modules, imported when asked for
)
"""Folders and loose modules: each imports from its own layer and those above it in this table."""

ONLY = {
    "click": ("cli",),
    "rich": ("cli", "report"),
    "mtft.config": (
        "config",
        "runs",
        "training",
        "experiments",
        "commands",
        "cli",
        "api",
        "call",
        "predictor",
    ),  # elsewhere functions take plain arguments
}
"""What may be imported by these parts alone."""

PURE = ("optimization.surgery", "optimization.schedule", "selection.budget", "selection.mask")
"""Numbers and tensors in and out: they know no model, task or setting."""

GROUND = ("errors", "io.files")
"""What `PURE` modules may import of mtft."""

MAX_LINES = 300

REACHED_BY = {
    "call": "test_api.py",
    "cli.command_context": "cli/test_main.py",
    "cli.models": "cli/test_fetch.py",
    "cli.plugins": "cli/test_tasks_and_plugins.py",
    "cli.streams": "cli/test_main.py",
    "cli.tasks": "cli/test_tasks_and_plugins.py",
    "commands.fetch": "cli/test_fetch.py",
    "commands.refine": "cli/test_refine.py",
    "commands.train": "cli/test_train.py",
    "config.documentation": "test_api.py",
    "config.plugin_choice": "plugin/test_hooks.py",
    "config.presets": "config/test_load.py",
    "data.audit.form": "commands/test_data_check.py",
    "data.audit.repair": "cli/test_data.py",
    "data.guess.column_words": "data/guess/test_columns.py",
    "data.guess.label_columns": "data/guess/test_datasets.py",
    "data.guess.label_values": "data/guess/test_datasets.py",
    "data.inputs": "test_api.py",
    "data.rows": "data/test_sniff.py",
    "data.table_tally": "data/test_sniff.py",
    "data.tokenizer_classes": "data/test_pretrained_tokenizer.py",
    "encoder.family": "plugin/test_hooks.py",
    "experiments.variants": "experiments/test_expansion.py",
    "fetch.lock_file": "cli/test_fetch.py",
    "report.conflicts": "cli/test_report.py",
    "report.curves": "cli/test_report.py",
    "report.page": "cli/test_report.py",
    "report.run_reader": "cli/test_report_hostile.py",
    "report.scores": "cli/test_report.py",
    "runs.artifact": "cli/test_teachers.py",
    "runs.resume": "integration/test_resume.py",
    "runs.run_card": "cli/test_train.py",
    "runs.tracking": "plugin/test_hooks.py",
    "settings.groups": "test_api.py",
    "testing.parts": "testing/test_suite.py",
    "training.agreement": "integration/test_torchrun.py",
    "training.count": "cli/test_count_params.py",
    "training.data_warnings": "commands/test_data_check.py",
    "training.feature_cache": "cli/test_refine.py",
    "training.head_warmup": "cli/test_train.py",
}
"""Modules without a file of tests of their own, and which no test imports: the test that reaches each."""

Import = tuple[int, str]
"""Line, and the name of the module imported."""


def modules(package: Path) -> dict[str, Path]:
    """Return each module's dotted name and file; a package's name stands for its ``__init__.py``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: set[str]) -> list[Import]:
    """Return what a module imports anywhere, inside functions and for types too.

    ``from package import name`` imports ``package.name`` where that is a known module.
    """
    found: list[Import] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [f"{base}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name if name in known else base) for name in names]
    return sorted(set(found))


def belongs(part: str, parts: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the parts or lies inside one."""
    return any(part == other or part.startswith(f"{other}.") for other in parts)


def within(name: str) -> str:
    """Return a module's name inside the package: ``data.example`` of ``mtft.data.example``."""
    return name.partition(".")[2] or "__init__"


def layer(name: str) -> int | None:
    """Return the number of the layer of a module's room."""
    return next((number for number, row in enumerate(LAYERS) if room(name) in row), None)


def room(name: str) -> str:
    """Return the folder, or the loose module, that a module belongs to: ``data`` of ``mtft.data.example``."""
    return within(name).partition(".")[0]


def import_problem(name: str, target: str) -> str | None:
    """Say what is wrong with module `name` importing `target`, if anything."""
    if target.startswith("."):
        return "relative import; write the module's full name"
    for guarded, allowed in ONLY.items():
        if belongs(target, (guarded,)) and not belongs(within(name), allowed):
            return f"{guarded} is for {', '.join(allowed)} alone"
    if not belongs(target, ("mtft",)):
        return None
    if within(name) in PURE and within(target) not in GROUND:
        return f"knows {target}, but of mtft may know only {', '.join(GROUND)}"
    mine, other = layer(name), layer(target)
    if mine is not None and other is not None and other > mine:
        return f"imports {target}, which is built on top of it"
    return None


def problems(package: Path) -> list[str]:
    """Return every breach of the rules above in a package, each with its file."""
    files = modules(package)
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        relative = path.relative_to(package.parent)
        source = path.read_text(encoding="utf-8")
        imported = imports(source, set(files))
        graph[name] = {target for _, target in imported if target in files and target != name}
        if layer(name) is None:
            found.append(f"{relative}: {within(name)} has no layer in {Path(__file__).name}")
        if (lines := len(source.splitlines())) > MAX_LINES:
            found.append(f"{relative}: {lines} lines, at most {MAX_LINES} are allowed")
        for line, target in imported:
            if problem := import_problem(name, target):
                found.append(f"{relative}:{line}: {problem}")
    rooms: dict[str, set[str]] = {}
    for name, targets in graph.items():
        rooms.setdefault(room(name), set()).update(room(target) for target in targets if room(target) != room(name))
    for what, arrows in (("circle", graph), ("circle of folders", rooms)):
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            found.append(f"{what}: {' <- '.join(error.args[1])}")
    return found


def untested(package: Path, tests: Path) -> set[str]:
    """Return the modules that have no file of tests of their own and that no test imports."""
    files = modules(package)
    imported: set[str] = set()
    for path in tests.rglob("test_*.py"):
        imported |= {name for _, name in imports(path.read_text(encoding="utf-8"), set(files))}
    found = set()
    for name, path in files.items():
        mirror = tests / path.relative_to(package).with_name(f"test_{path.name}")
        if path.name not in ("__init__.py", "__main__.py") and name not in imported and not mirror.is_file():
            found.add(within(name))
    return found


def test_each_module_has_a_test_of_its_own_or_is_listed_with_the_one_that_reaches_it() -> None:
    assert untested(ROOT / "mtft", ROOT / "tests") == set(REACHED_BY), "write a test, or correct REACHED_BY"
    assert [path for path in REACHED_BY.values() if not (ROOT / "tests" / path).is_file()] == []


def test_a_module_without_test_is_found(package: Path) -> None:
    tests = package.parent / "tests"
    write(tests, "data/test_readers.py", "")
    write(tests, "test_errors.py", "from mtft.data.example import Example\n")
    assert untested(package, tests) == {"selection.budget", "cli.main"}


def test_architecture_is_kept() -> None:
    assert "mtft.errors" in modules(ROOT / "mtft")
    assert problems(ROOT / "mtft") == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package without problems, in which a test breaks one rule."""
    write(tmp_path / "mtft", "__init__.py", "")
    write(tmp_path / "mtft", "errors.py", "import difflib\n")
    write(tmp_path / "mtft", "data/__init__.py", "")
    write(tmp_path / "mtft", "data/example.py", "from mtft.errors import DataError\n")
    write(tmp_path / "mtft", "data/readers.py", "from mtft.data.example import Example\n")
    write(tmp_path / "mtft", "selection/budget.py", "import torch\n\nfrom mtft import errors\n")
    write(tmp_path / "mtft", "cli/main.py", "import click\n\n\ndef show():\n    from rich.table import Table\n")
    return tmp_path / "mtft"


def write(package: Path, name: str, text: str) -> None:
    path = package / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_sound_package_has_no_problems(package: Path) -> None:
    assert problems(package) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("outputs.py", "from mtft.tasks.task import Task", "outputs.py:1: imports mtft.tasks.task, which is built on"),
        ("heads.py", "def head():\n    import mtft.commands.train", "heads.py:2: imports mtft.commands.train, which"),
        ("outputs.py", "from mtft.data import readers", "outputs.py:1: imports mtft.data.readers, which is built"),
        ("errors.py", "from mtft import __version__", "errors.py:1: imports mtft, which is built on top of it"),
        ("heads.py", "from .errors import DataError", "heads.py:1: relative import"),
        ("losses.py", "from click import echo", "losses.py:1: click is for cli alone"),
        ("commands/train.py", "import rich.table", "commands/train.py:1: rich is for cli, report alone"),
        (
            "model/flat.py",
            "from mtft.config.schema import TrainConfig",
            "model/flat.py:1: mtft.config is for config, runs",
        ),
        (
            "selection/mask.py",
            "from mtft.runtime.seeding import seeded",
            "selection/mask.py:1: knows mtft.runtime.seeding, but of mtft",
        ),
        ("novelty.py", "", "novelty.py: novelty has no layer"),
        ("heads.py", "\n" * 301, "heads.py: 301 lines, at most 300"),
    ],
)
def test_breach_is_found(package: Path, name: str, text: str, problem: str) -> None:
    write(package, name, text)
    assert problems(package)[0].startswith(f"mtft/{problem}")


def test_circle_is_found(package: Path) -> None:
    write(
        package, "metrics.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mtft.report.bootstrap\n"
    )
    write(package, "report/bootstrap.py", "def draw():\n    from mtft.metrics import metric\n")
    problem = next(each for each in problems(package) if each.startswith("circle: "))
    assert {"mtft.metrics", "mtft.report.bootstrap"} <= set(problem.removeprefix("circle: ").split(" <- "))


def test_circle_of_folders_is_found_where_modules_form_none(package: Path) -> None:
    write(package, "model/flat.py", "from mtft.optimization.schedule import rate\n")
    write(package, "optimization/schedule.py", "")
    write(package, "optimization/adamw.py", "from mtft.model.parameters import count\n")
    write(package, "model/parameters.py", "")
    assert [each.partition(": ")[0] for each in problems(package)] == ["mtft/model/flat.py:1", "circle of folders"]


def test_thirdparty_names_that_begin_alike_are_free(package: Path) -> None:
    write(package, "heads.py", "import clickhouse\nimport richly\nfrom mtftools import heads\n")
    assert problems(package) == []


FLAG = re.compile(r"(?<![\w-])(?<!var\()--[a-z]")
SHELL = re.compile(r"\b(mtft|pip|torchrun) .*--[a-z]")
"""A flag may stand in a whole line for a shell; a variable of a style sheet looks like one."""


def flags(source: str) -> list[tuple[int, str]]:
    """Return line and text of each literal that names a flag of the command line, docstrings too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            lines = node.value.splitlines()
            found += [(node.lineno, line) for line in lines if FLAG.search(line) and not SHELL.search(line)]
    return found


def test_only_the_command_line_knows_flags() -> None:
    known = {
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for name, path in modules(ROOT / "mtft").items()
        if room(name) != "cli"
        for line, text in flags(path.read_text(encoding="utf-8"))
    }
    assert known == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise ConfigError(f"--out: {path} exists")', True),
        ('hint = "or give --overwrite"', True),
        ('"""Reads what ``--model`` names."""', True),
        ('hint = "pip install --no-deps it"', False),
        ('line = "# ---- one field ----"', False),
    ],
)
def test_a_flag_in_a_literal_is_found(source: str, found: bool) -> None:
    assert bool(flags(source)) == found
