"""Write examples/commands.md from the help of every command: `make docs`; a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click import Context

from mtft.cli.main import COMMANDS, main

WIDTH: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100}
PLACE = Path(__file__).parent.parent / "examples" / "commands.md"


def document() -> str:
    """Return the help of all commands as Markdown."""
    parts = ["# Commands\n\nMade from `--help` by `make docs`; do not edit.\n"]
    top = Context(main, info_name="mtft", help_option_names=["-h", "--help"], **WIDTH)
    parts.append(f"```text\n{main.get_help(top)}\n```\n")
    for name in COMMANDS:
        command = main.get_command(top, name)
        assert command is not None
        context = Context(command, info_name=name, parent=top, **WIDTH)
        parts.append(f"## mtft {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PLACE.write_text(document(), encoding="utf-8")
