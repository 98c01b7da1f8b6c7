"""The command group, which imports commands when they run, and turns errors into exit codes."""

from __future__ import annotations

import io
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from types import FrameType
from typing import NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from mtft.cli.flags import Flags
from mtft.cli.streams import silence
from mtft.errors import DISTRIBUTION, MtftError, unknown, worded
from mtft.io.text import printable
from mtft.runtime import processes

VERBOSE = "mtft.verbose"
"""Key for --verbose in `meta`, which all contexts of a command line share."""

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("mtft.cli.init:command", "Write settings that train on files of your own."),
    "train": ("mtft.cli.train:command", "Fine-tune one encoder on several tasks."),
    "plan": ("mtft.cli.plan:command", "Estimate what a training needs: memory, disk, time."),
    "select": ("mtft.cli.select:command", "Rank the encoder's parameters and write a mask file."),
    "refine": ("mtft.cli.refine:command", "Train single heads of a run further; the encoder is frozen."),
    "eval": ("mtft.cli.eval:command", "Score a run on a split, with intervals and gates."),
    "predict": ("mtft.cli.predict:command", "Predict texts from stdin or a file, all tasks at once."),
    "compare": ("mtft.cli.compare:command", "Compare groups of runs: scores, parameters, bytes."),
    "experiment": ("mtft.cli.experiment:command", "Make the runs of a plan, several at once."),
    "report": ("mtft.cli.report:command", "Write an HTML report about runs."),
    "merge": ("mtft.cli.merge:command", "Write a run's encoder as a model directory for transformers."),
    "verify": ("mtft.cli.verify:command", "Check the files of a run against their digests."),
    "export": ("mtft.cli.export:command", "Write a run as one file, for mtft or for other runtimes."),
    "count-params": ("mtft.cli.count_params:command", "Count stored and tunable parameters."),
    "data": ("mtft.cli.data:command", "Fetch public data; check data files before training."),
    "models": ("mtft.cli.models:command", "Fetch pretrained encoders from the Hugging Face hub."),
    "tasks": ("mtft.cli.tasks:command", "List tasks, sources, and the packages they come from."),
    "plugins": ("mtft.cli.plugins:command", "List plugins, write a new one, check one."),
    "config": ("mtft.cli.config:command", "Show settings and where each value comes from."),
    "env": ("mtft.cli.env:command", "Describe this installation, for bug reports."),
    "completion": ("mtft.cli.completion:command", "Print a script for completion in the shell."),
}
"""Name of a command -> its import path, and its line in `mtft --help`, which does not import it."""

SHARED = ("train", "select", "eval", "predict")
"""Commands whose work the processes that ``torchrun`` started share; all others run in the first process."""


class LazyGroup(click.Group):
    """Finds its commands in `COMMANDS`; imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from mtft.cli.manual import with_manual

        return with_manual(pkgutil.resolve_name(COMMANDS[cmd_name][0]))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing and not args[0].startswith("-"):
            raise click.UsageError(unknown("command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        completions = [
            CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return completions + click.Command.shell_complete(self, ctx, incomplete)


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    number = "(not installed)"
    with suppress(PackageNotFoundError):
        number = version(DISTRIBUTION)
    click.echo(f"mtft {number}")
    context.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
@click.pass_context
def main(context: click.Context) -> None:
    """Fine-tune one shared encoder on several tasks, use it, and measure what sharing costs or gains."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)
    if processes.rank() and context.invoked_subcommand not in SHARED:
        context.exit(0)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    `mtft.cli.manual.EXITS` explains the codes. Of several processes that ``torchrun`` started, only the first prints.
    An error that ends them all is reported once on each machine.
    """
    _open_closed()
    _encode()
    with _terminable(), worded(Flags()):
        try:
            with _first_prints():
                code = _dispatch(list(sys.argv[1:] if args is None else args))
                sys.stdout.flush()
                return code
        except BrokenPipeError:
            silence(sys.stdout, sys.stderr)
            return 0
        except BaseException as error:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what ends this process is reported
            return _report(error)


def start() -> NoReturn:
    """Run the command line and end the process with its exit code.

    One of several processes closes its files, flushes its streams and exits without the interpreter's shutdown, during
    which a thread of torch's gloo sometimes aborts the process.
    """
    code = run()
    if processes.size() > 1:
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _report(error: BaseException) -> int:
    """Report the exception that ended the command and return the exit code; raise exceptions of unknown kinds again."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _fail("interrupted", 130, reported=None)
    if isinstance(error, _TerminatedError):
        return _fail("terminated", 143, reported=None)
    if isinstance(error, MtftError):
        text = f"error: {error}" if error.exit_code else str(error)
        return _fail(text, error.exit_code, reported=error.reported)
    if isinstance(error, click.ClickException):
        return _fail(f"error: {_usage(error)}", error.exit_code, reported=None)
    if isinstance(error, OSError):
        file = f": {error.filename}" if error.filename else ""
        return _fail(f"error: {(error.strerror or str(error)).lower()}{file}", 1)
    if isinstance(error, Exception):
        if os.environ.get("MTFT_TRACEBACK") == "1":
            traceback.print_exc()
        return _fail(f"internal error: {type(error).__name__}: {error} (MTFT_TRACEBACK=1 shows where)", 1)
    raise error


def _open_closed() -> None:
    """Open streams that the caller closed, as in ``>&-``, on the null device, so that no file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _encode() -> None:
    """Write UTF-8 to files and pipes in any locale; on a terminal, escape characters that it does not have."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")


@contextmanager
def _first_prints() -> Iterator[None]:
    """Discard stdout in all processes but the first."""
    if processes.rank() == 0:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def _dispatch(args: list[str]) -> int:
    """Run a command, or complete one for the shell; return the exit code."""
    if instruction := os.environ.get("_MTFT_COMPLETE"):
        return shell_complete(main, {}, "mtft", "_MTFT_COMPLETE", instruction)
    try:
        with main.make_context("mtft", args) as context, _traced(context):
            main.invoke(context)
    except click.exceptions.Exit as error:
        return error.exit_code
    return 0


@contextmanager
def _traced(context: click.Context) -> Iterator[None]:
    """With --verbose, print where an error arose, before it is reported."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort, click.ClickException, BrokenPipeError):
        raise
    except Exception:
        if context.meta.get(VERBOSE):
            traceback.print_exc()
        raise


class _TerminatedError(BaseException):
    """SIGTERM was received; `except Exception` must not catch it."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that open files are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _usage(error: click.ClickException) -> str:
    """Return click's error in the style of mtft's own, with a hint at --help."""
    text = _no_option(error) if isinstance(error, click.NoSuchOption) else error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"\ntry '{context.command_path} --help'" if context else ""
    return text[:1].lower() + text[1:] + hint


def _no_option(error: click.NoSuchOption) -> str:
    """Return an error text with the unknown option and the most similar one."""
    from mtft.config.synonyms import names_files, near

    params = error.ctx.command.params if error.ctx else []
    options = {name.lstrip("-").replace("-", "_"): name for param in params for name in param.opts if name[:2] == "--"}
    name = error.option_name.lstrip("-").replace("-", "_")
    meant = near(name, options)
    hint = f"; did you mean {options[meant]}?" if meant else ""
    if meant == "config" and names_files(name):
        hint += " (a settings file names the data files; mtft init --from FILE writes one)"
    return f"no such option: {error.option_name}{hint}"


def _fail(text: str, code: int, *, reported: bool | None = False) -> int:
    """Print an error with a prefix on each line and return the exit code, even if a stream fails.

    An error that another process has `reported` is not printed again; with None the first on each machine prints it.
    """
    if reported if reported is not None else processes.local_rank() > 0:
        return code
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)
    with suppress(OSError):
        for line in printable(text).splitlines():
            print(f"mtft: {line}", file=sys.stderr)
    return code
