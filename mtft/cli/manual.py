"""The end of every command's help: its exit codes, and the environment variables that it reads."""

from __future__ import annotations

import click

EXITS = {
    0: "done",
    1: "failed",
    2: "usage, settings, data or model are wrong",
    3: "a score is below --fail-under",
    4: "stopped by --max-time; --resume continues",
    130: "interrupted (Ctrl-C)",
    143: "terminated (SIGTERM)",
}
"""Exit codes of all commands."""

NEEDS = {3: "fail_under", 4: "resume"}
"""Exit codes of commands with a certain option only."""

VARIABLES = {
    "MTFT_DATA_DIR": ("directory of data files, if --data-dir is not given", ("sample",)),
    "HF_HOME": ("directory of downloaded hub models and datasets", ("model", "first", "names", "hub_id")),
    "HF_HUB_OFFLINE": ("1: download nothing", ("names", "hub_id")),
    "HF_ENDPOINT": ("URL of another hub, such as a mirror", ("names", "hub_id")),
    "MTFT_COURSE_URL": ("URL of a copy of the course's files", ("names",)),
    "MTFT_DISABLE_PLUGINS": ("plugins to switch off (NAME,..., or 1 for all)", ()),
    "MTFT_STRICT_PLUGINS": ("1: a broken plugin is an error", ()),
    "MTFT_TRACEBACK": ("1: show the traceback of an internal error", ()),
    "NO_COLOR": ("if set, no colours on a terminal", ()),
}
"""Environment variables with their description and options; commands with one of these read it (none: all do)."""


def with_manual(command: click.Command, *, runs: bool = True) -> click.Command:
    """Add exit codes and variables to the help of a command, or of each in a group; some codes only if it `runs`."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_manual(below)
        return command
    options = {parameter.name for parameter in command.params}
    possible = (None, *options) if runs else (None,)
    codes = [f"{code:>5}  {text}" for code, text in EXITS.items() if NEEDS.get(code) in possible]
    heard = {name: text for name, (text, needs) in VARIABLES.items() if not needs or not options.isdisjoint(needs)}
    heeded = [f"  {name:<21} {text}" for name, text in heard.items()]
    command.epilog = "\n".join(["\b", "Exit codes:", *codes, "", "\b", "Environment:", *heeded])
    return command
