"""Commands as users give them: in this process, which is fast, or in one of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

from safetensors.torch import load_file, save_file

from mtft.cli.main import run
from mtft.io import toml_parser
from mtft.io.digests import read_digests, write_digests

ROOT = Path(__file__).parent.parent
MTFT = [sys.executable, "-W", "error", "-m", "mtft"]
TASKS = ("sst", "quora", "sts")
FEW = ("--sample", "--max-steps", "4", "--batches", "2")
"""Options of a training that takes a second."""

VARY = ("environment.json", "times.jsonl", "config.toml")
"""Files of a run that differ each time or at another path."""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout, with no constant that strict JSON lacks."""
        assert self.code == 0, self.err
        return json.loads(self.out, parse_constant=_refuse)

    @property
    def lines(self) -> list[Any]:
        """The documents on stdout, one a line."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def clean(**changes: str) -> dict[str, str]:
    """Return the environment without settings of mtft, for Python from this checkout on one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MTFT_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", "OMP_NUM_THREADS": "1", **changes}


def cli(*args: object, stdin: str | bytes | TextIO = "", **environment: str) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    if isinstance(stdin, str):
        stdin = stdin.encode()
    if isinstance(stdin, bytes):
        stdin = io.TextIOWrapper(io.BytesIO(stdin))
    with redirect_stdout(out), redirect_stderr(err), mock.patch("sys.stdin", stdin):  # noqa: SIM117
        with mock.patch.dict(os.environ, clean(**environment), clear=True):
            code = run([str(arg) for arg in args])
    return Done(code, out.getvalue(), err.getvalue())


def process(*args: object, stdin: str = "", cwd: Path | None = None, **environment: str) -> Done:
    """Run a command in a process of its own, where warnings are errors."""
    done = subprocess.run(
        [*MTFT, *map(str, args)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=clean(**environment),
    )
    return Done(done.returncode, done.stdout, done.stderr)


def shell(script: str, **environment: str) -> Done:
    """Run a script of bash in which ``mtft`` is ours."""
    function = f'mtft() {{ {" ".join(MTFT)} "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", function + script], capture_output=True, text=True, check=False, env=clean(**environment)
    )
    return Done(done.returncode, done.stdout, done.stderr)


def contents(path: Path) -> dict[str, object]:
    """Return what must be the same for the same seed, by name: everything but times, versions and paths."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    found: dict[str, object] = {str(file.relative_to(path)): file.read_bytes() for file in files}
    if "config.toml" in found:
        settings = toml_parser.loads((path / "config.toml").read_text())
        found["settings"] = {key: value for key, value in settings.items() if key != "out"}
        found["digests.json"] = {name: kept for name, kept in read_digests(path).items() if name not in VARY}
    return {name: value for name, value in found.items() if name not in VARY}


def digests(directory: Path) -> dict[str, str]:
    """Return the digest of every file below a directory."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def reseal(path: Path) -> None:
    """Make the digests fit what a file holds now, as if mtft had written it."""
    write_digests(path.parent)


def clamp(run: Path) -> None:
    """Give a run an STS head whose scores are all clamped to zero, which have no correlation with anything."""
    path = run / "model" / "heads.safetensors"
    heads = load_file(path)
    last = max(name for name in heads if name.startswith("sts.") and name.endswith("bias") and heads[name].numel() == 1)
    save_file(heads | {last: heads[last] * 0 - 2.5}, path)
    reseal(path)


def records(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def summary(run: Path) -> dict[str, Any]:
    """Read the summary of a run."""
    found: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return found
