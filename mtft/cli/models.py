"""The commands `mtft models ...`."""

from __future__ import annotations

import shlex

import click

from mtft.cli.command_context import open_context
from mtft.cli.console import print_json, say
from mtft.cli.options import json_option, options_for, quiet_option
from mtft.config.load import Loaded
from mtft.config.schema import ModelFetchConfig


@click.group("models")
def command() -> None:
    """Fetch pretrained encoders."""


@command.command("fetch", short_help="Fetch an encoder from the Hugging Face hub.")
@click.argument("hub_id", metavar="NAME")
@options_for(ModelFetchConfig)
@json_option
@quiet_option
def fetch(hub_id: str, loaded: Loaded[ModelFetchConfig], as_json: bool, quiet: bool) -> None:
    """Fetch the encoder NAME from the Hugging Face hub into the local cache, where --model NAME finds it.

    Fetches only weights, configuration and tokenizer, and checks the digests that the hub gives. Broken downloads are
    resumed. The digests are recorded in fetched.json and must be the same later. The model has its own licence.

    \b
    Examples:
      mtft models fetch bert-base-uncased
      mtft train --model bert-base-uncased --tasks sst,quora,sts
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.fetch import fetch_model

    with open_context(loaded, quiet=quiet) as context:
        result = fetch_model(hub_id, loaded.config, context, quiet=quiet)
    if as_json:
        print_json(result)
        return
    if not quiet:
        say(f"{len(result.files)} files, commit {result.revision}; use it with --model {shlex.quote(hub_id)}")
    click.echo(result.path)
