"""No command but an explicit download needs a network: the whole way with sockets that refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from commands import clean

SCRIPT = """
import json, socket, sys, urllib.request
from pathlib import Path

def refuse(*_, **__):
    raise AssertionError("a socket was asked for")

for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
    setattr(socket, name, refuse)

from mtft.cli.main import run
model = sys.argv[1]
Path("texts.txt").write_text("What a film.\\nOne.\\tTwo.\\n")
tasks = ["--tasks", "sst,quora,sts"]
small = [*tasks, "--sample", "--model", model, "--batches", "1", "--quiet"]
commands = [
    ["tasks"],
    ["plugins"],
    ["count-params", *tasks, "--model", "bert-base-uncased"],
    ["select", *small, "--out", "mask.safetensors"],
    ["train", *small, "--mask", "mask.safetensors", "--max-steps", "1", "--out", "run"],
    ["refine", "run", "--tasks", "sts", "--sample", "--epochs", "1", "--out", "refined", "--quiet"],
    ["eval", "refined", "--sample", "--resamples", "10", "--quiet"],
    ["predict", "refined", "texts.txt"],
    ["compare", "a=run", "b=refined", "--resamples", "10"],
    ["report", "run", "refined", "--resamples", "10", "--quiet"],
    ["count-params", *tasks, "--model", "someone/some-model"],
]
print(json.dumps([run(command) for command in commands]), file=sys.stderr)
"""


def test_everything_works_without_a_network(tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean(), cwd=tmp_path)
    *messages, codes = done.stderr.splitlines()
    assert json.loads(codes) == [0] * 10 + [2], done.stderr
    assert any("someone/some-model" in line for line in messages)
    assert "a socket was asked for" not in done.stderr
