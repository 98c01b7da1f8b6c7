"""Write the output of the commands in the README's first block below them: `make readme`; a slow test compares."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import MTFT, ROOT, clean

README = ROOT / "README.md"
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```)", re.MULTILINE | re.DOTALL)
PROGRESS = re.compile(r"^[^$\n]+: [a-z]+ [\d,]+/[\d,]+.*\n", re.MULTILINE)
"""Lines that a terminal shows as a bar, which is gone at the end."""


def commands(text: str) -> list[str]:
    """Return the commands of the first block of a document."""
    (block,) = BLOCK.findall(text)[:1]
    return re.findall(r"^\$ (.*)$", block, re.MULTILINE)


def block(lines: list[str], directory: Path) -> str:
    """Run commands in `directory`; return each with what it prints on stdout and stderr, progress left out."""
    function = f'set -euo pipefail; mtft() {{ {" ".join(MTFT)} "$@"; }}\n'
    parts = []
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", function + line],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=directory,
            env=clean(PYTHONUNBUFFERED="1"),
        )
        if done.returncode:
            raise RuntimeError(f"{line}: exit code {done.returncode}: {done.stdout}")
        parts.append(f"$ {line}\n{PROGRESS.sub('', done.stdout)}")
    return "".join(parts)


def main() -> None:
    """Write the README anew."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        fresh = block(commands(text), Path(directory))
    README.write_text(BLOCK.sub(lambda _: fresh, text, count=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
