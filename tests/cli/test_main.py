import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import mtft.cli.main as cli
from mtft.errors import CheckpointError, GateError

HEAVY = {
    "torch",
    "pluggy",
    "pydantic",
    "rich",
    "numpy",
    "tomli",
    "tomllib",
    "filelock",
    "psutil",
    "tokenizers",
    "safetensors",
}
ROOT = Path(cli.__file__).parents[2]
RUN = [sys.executable, "-W", "error", "-m", "mtft"]

FAKE = """
import os, sys, time
import click
from mtft.cli import main

@click.command("fake")
@click.argument("what")
def command(what):
    if what == "wait":
        print("ready", flush=True)
        time.sleep(30)
    if what == "flood":
        while True:
            print("x" * 1000)
    if what == "gate":
        from mtft.errors import GateError
        print("data")
        raise GateError("too low")

main.COMMANDS["fake"] = ("__main__:command", "A fake.")
sys.exit(main.run())
"""


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The command `fake` raises the error put in here."""
    errors: list[BaseException] = []

    @click.command("fake")
    @click.option("--colour")
    def command(colour: str | None) -> None:
        raise errors[0]

    monkeypatch.setitem(sys.modules, "mtft_fake", SimpleNamespace(command=command))
    monkeypatch.setitem(cli.COMMANDS, "fake", ("mtft_fake:command", "A fake."))
    return errors


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    path = tmp_path / "fake.py"
    path.write_text(FAKE)
    return [sys.executable, str(path)]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment for `python -m mtft` from here, with output buffered as usual."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_commands_and_imports_nothing_heavy(flag: str, environment: dict[str, str]) -> None:
    probe = (
        "import sys; from mtft.cli.main import run; code = run(); "
        f"print(code, sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr); "
        "print(*(name for name in sys.modules if name.startswith('mtft.')), file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe, flag], capture_output=True, text=True, check=True, env=environment
    )
    summary, modules = found.stderr.splitlines()
    assert summary == "0 []"
    modules_named = "cli cli.flags cli.main cli.streams errors io io.text runtime runtime.processes"
    few = {f"mtft.{name}" for name in modules_named.split()}
    assert set(modules.split()) == few
    for name, (_, text) in cli.COMMANDS.items():
        assert f"{name} " in found.stdout
        assert text in found.stdout


def test_completion_of_commands_imports_none(environment: dict[str, str]) -> None:
    probe = f"import sys; from mtft.cli.main import run; run(); print(sorted({HEAVY!r} & sys.modules.keys()))"
    variables = {"_MTFT_COMPLETE": "zsh_complete", "COMP_WORDS": "mtft co", "COMP_CWORD": "1"}
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=environment | variables
    ).stdout
    assert [line for line in found.splitlines() if line in cli.COMMANDS] == [
        name for name in cli.COMMANDS if name.startswith("co")
    ]
    assert found.endswith("[]\n")


def test_module_and_version(environment: dict[str, str]) -> None:
    found = subprocess.run([*RUN, "--version"], capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.startswith("mtft ")


def test_no_command_shows_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Commands:" in captured.err


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (["trian"], ["mtft: error: unknown command 'trian'; did you mean 'train'?", "mtft: try 'mtft --help'"]),
        (["fake", "--color", "x"], ["mtft: error: no such option", "--colour", "mtft: try 'mtft fake --help'"]),
        (["--hlep"], ["mtft: error: no such option", "--help"]),
        (["fake", "\x1b[31m"], [r"\u001b[31m"]),
    ],
)
def test_usage_errors(
    args: list[str], parts: list[str], fails: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\x1b" not in captured.err
    for part in parts:
        assert part in captured.err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CheckpointError("bad\x1b]0;title\x07"), 2, "mtft: error: bad\\u001b]0;title\\u0007\n"),
        (GateError("low\nlower"), 3, "mtft: error: low\nmtft: lower\n"),
        (click.UsageError("Bad."), 2, "mtft: error: bad\nmtft: try 'mtft fake --help'\n"),
        (PermissionError(13, "Permission denied", "a"), 1, "mtft: error: permission denied: a\n"),
        (KeyError("x"), 1, "mtft: internal error: KeyError: 'x' (MTFT_TRACEBACK=1 shows where)\n"),
        (KeyboardInterrupt(), 130, "mtft: interrupted\n"),
        (click.exceptions.Exit(1), 1, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_become_exit_codes(
    error: BaseException,
    code: int,
    text: str,
    fails: list[BaseException],
    capsys: pytest.CaptureFixture[str],
) -> None:
    fails.append(error)
    assert cli.run(["fake"]) == code
    assert capsys.readouterr() == ("", text)


def test_tracebacks_are_for_those_who_ask(
    fails: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails.append(KeyError("x"))
    monkeypatch.setenv("MTFT_TRACEBACK", "1")
    assert cli.run(["fake"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"])
def test_signals(number: int, code: int, script: list[str], environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*script, "fake", "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == code
    assert errors == {143: "mtft: terminated\n", 130: "mtft: interrupted\n"}[code]


def test_the_handler_of_sigterm_is_put_back(fails: list[BaseException]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    fails.append(KeyError())
    cli.run(["fake"])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("args", "pipe", "code", "errors"),
    [
        ("fake flood", "head -n 1 >/dev/null", 0, ""),
        ("fake gate", "true", 3, "mtft: error: too low\n"),
        ("--help", "true", 0, ""),
    ],
    ids=["head", "gate", "help"],
)
def test_closed_pipes_are_quiet(
    args: str, pipe: str, code: int, errors: str, script: list[str], environment: dict[str, str]
) -> None:
    command = f"set -o pipefail; (sleep 0.2; {' '.join(script)} {args}; echo $? >&2) | {pipe}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert found.stderr == f"{errors}{code}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("args", "code", "error"), [(["--help"], 1, "no space left on device"), (["fake", "gate"], 3, "too low")], ids=repr
)
def test_a_full_disk_is_an_error(
    args: list[str], code: int, error: str, script: list[str], environment: dict[str, str]
) -> None:
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(
            [*script, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert (found.returncode, found.stderr) == (code, f"mtft: error: {error}\n")
