"""``mtft completion``."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from mtft.cli.main import main

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a script with which SHELL completes commands, options and values.

    Completion loads neither plugins nor torch. For the current shell:

    \b
      bash   source <(mtft completion bash)
      zsh    source <(mtft completion zsh)     (after compinit)
      fish   mtft completion fish | source

    \b
    Examples (for every new shell):
      mtft completion bash >> ~/.bashrc
      mtft completion zsh > "${fpath[1]}/_mtft"
      mtft completion fish > ~/.config/fish/completions/mtft.fish
    """  # noqa: D301 - click reads the backspace
    completion = get_completion_class(shell)
    if completion is None:  # an older or newer click
        raise click.UsageError(f"this click completes no {shell}", click.get_current_context())
    click.echo(ShellComplete.source(completion(main, {}, "mtft", "_MTFT_COMPLETE")).strip())
