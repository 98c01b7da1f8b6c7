"""Write examples/guide/commands.md from the help of every command: `make docs`; a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click import Command, Context, Group

from mtft.cli.main import COMMANDS, main

WIDTH: dict[str, Any] = {"terminal_width": 88, "max_content_width": 88}
PLACE = Path(__file__).parent.parent / "examples" / "guide" / "commands.md"


def document() -> str:
    """Return the help of all commands as Markdown."""
    parts = ["# Commands\n\nMade from `--help` by `make docs`; do not edit.\n"]
    top = Context(main, info_name="mtft", help_option_names=["-h", "--help"], **WIDTH)
    parts.append(f"```text\n{main.get_help(top)}\n```\n")
    for name in COMMANDS:
        command = main.get_command(top, name)
        assert command is not None
        parts += sections(command, Context(command, info_name=name, parent=top, **WIDTH))
    return "\n".join(parts)


def sections(command: Command, context: Context) -> list[str]:
    """Return the help of one command, and of those below it."""
    found = [f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    for name, below in command.commands.items() if isinstance(command, Group) else ():
        found += sections(below, Context(below, info_name=name, parent=context, **WIDTH))
    return found


if __name__ == "__main__":
    PLACE.write_text(document(), encoding="utf-8")
