"""``mtft config``."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from mtft.cli.console import plain, print_json, table
from mtft.cli.main import COMMANDS, main
from mtft.cli.manual import with_manual
from mtft.cli.options import json_option, take_layers
from mtft.config.groups import Options
from mtft.config.load import Loaded, load
from mtft.config.task_tables import task_tables
from mtft.config.toml import toml_line, toml_value

NOT_SET = "not set"


@click.group("config")
def command() -> None:
    """Show settings without running anything."""


class _Commands(click.Group):
    """Has a subcommand for each command of mtft that takes settings; the default is `train`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if name != "config" and self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        shown = main.get_command(ctx, cmd_name) if cmd_name in COMMANDS and cmd_name != "config" else None
        return _shown(shown, cmd_name) if shown else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
        if typed or not (args or ctx.resilient_parsing):
            args = ["train", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete with the commands, or with the options of the default command."""
        train = self.get_command(ctx, "train")
        if incomplete.startswith("-") and train:
            return train.shell_complete(ctx, incomplete)
        return [CompletionItem(name) for name in self.list_commands(ctx) if name.startswith(incomplete)]


@command.group(
    "show",
    short_help="Print settings and where each comes from.",
    cls=_Commands,
    no_args_is_help=False,
    subcommand_metavar="[COMMAND] [OPTIONS]",
)
def show() -> None:
    """Print each setting of COMMAND (default: train), its value, and where the value came from.

    Takes the options of that command and checks them in the same way. Origins are default, preset NAME, file PATH,
    --set and flag --NAME; a later one overrides an earlier one. --toml prints a settings file.

    \b
    Examples:
      mtft config show --config run.toml
      mtft config show train --preset report --set epochs=2 --lr 3e-5
      mtft config show eval --toml > eval.toml
    """  # noqa: D301 - click reads the backspace


def _shown(shown: click.Command, words: str) -> click.Command | None:
    """Return the command that shows the settings of another command; None if that has none."""
    if isinstance(shown, click.Group):
        all_below = {name: _shown(each, f"{words} {name}") for name, each in shown.commands.items()}
        below = {name: each for name, each in all_below.items() if each}
        return click.Group(shown.name, commands=below, help=shown.help) if below else None
    schema: type[Options] | None = getattr(shown.callback, "schema", None)
    if schema is None:
        return None
    names = {*schema.settings(), "_preset", "_file", "_sets"}
    toml = click.Option(["--toml", "as_toml"], is_flag=True, help="Print a settings file with origins as comments.")
    params = [*(each for each in shown.params if each.name in names), toml]

    def callback(as_json: bool, as_toml: bool, **given: Any) -> None:
        flags, layers = take_layers(schema, given)
        required = {name: "?" for name, field in schema.settings().items() if field.is_required()}
        _print(load(schema, given=flags, stand_ins=required, **layers), as_json=as_json, as_toml=as_toml)

    text = f"Show the settings of `mtft {words}`."
    return with_manual(json_option(click.Command(shown.name, callback=callback, params=params, help=text)), runs=False)


def _print(loaded: Loaded[Any], *, as_json: bool, as_toml: bool) -> None:
    origins = {key: loaded.origins[key] for key in type(loaded.config).settings()}
    values = {key: None if origin == NOT_SET else getattr(loaded.config, key) for key, origin in origins.items()}
    if as_json:
        print_json({key: {"value": values[key], "origin": origins[key]} for key in origins})
    elif as_toml:
        _print_toml(values, origins, getattr(loaded.config, "declared", {}))
    else:
        rows = [[key, "" if value is None else toml_value(value), origins[key]] for key, value in values.items()]
        table(["setting", "value", "from"], rows)


def _print_toml(values: dict[str, Any], origins: dict[str, str], declared: dict[str, dict[str, Any]]) -> None:
    """Print settings as a file that `load` reads back; settings without a value are comments."""
    tables = task_tables(values.get("tasks", tuple(declared)), declared) if declared else {}
    for key, value in values.items():
        if value is None:
            click.echo(f"# {key}: {origins[key]}, no value")
        elif not (key == "tasks" and tables):
            click.echo(toml_line(key, value, origins[key]))
    for name, entries in tables.items():
        click.echo(f"\n[tasks.{toml_value(name)}]")
        for key, value in entries.items():
            click.echo(toml_line(key, plain(value)))
