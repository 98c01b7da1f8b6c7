"""The commands `mtft plugins` and `mtft plugins ...`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtft.cli.console import plain, print_json, say, table
from mtft.cli.options import json_option, quiet_option
from mtft.errors import MtftError

if TYPE_CHECKING:
    from mtft.plugin.manager import Plugin, Plugins
    from mtft.tasks.registry import Registry

Record = dict[str, object]


@click.group("plugins", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the installed plugins, their packages, and whether they work.

    A broken plugin is listed with its error; all others work. MTFT_DISABLE_PLUGINS=1 switches off all but the
    built-in one, MTFT_DISABLE_PLUGINS=NAME,... those named. MTFT_STRICT_PLUGINS=1 makes a broken one an error.

    \b
    Example:
      mtft plugins
    """  # noqa: D301 - click reads the backspace
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError(f"--json: write it behind {context.invoked_subcommand!r}", context)
        return
    plugins, registry = _load()
    if as_json:
        parts = [{**each, **_origin(plugins, str(each.pop("owner")))} for each in _parts(registry)]
        print_json({"plugins": [_record(plugin) for plugin in plugins], "parts": parts})
        return
    rows = [
        [each.name, each.distribution, each.version, _status(each), ", ".join(each.hooks) or None] for each in plugins
    ]
    table(["name", "distribution", "version", "status", "hooks"], rows)
    print()
    table(
        ["part", "name", "plugin", "description"],
        [[each["kind"], each["name"], each["owner"], each["description"]] for each in _parts(registry)],
    )


@command.command("new", short_help="Write the project of a plugin with one task.")
@click.argument("name")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="New directory [default: ./mtft-NAME].")
@json_option
@quiet_option
def new(name: str, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Write a plugin project with the task NAME: code, data, tests, README, CI.

    It can be installed, and its tests pass, before you change anything. An existing path is never changed.

    \b
    Examples:
      mtft plugins new reviews
      pip install -e 'mtft-reviews[test]' && pytest mtft-reviews
    """  # noqa: D301 - click reads the backspace
    from mtft.commands.scaffold import scaffold

    made = scaffold(name, out, _load()[1])
    if as_json:
        print_json(plain(made))
        return
    print(made.path)
    if not quiet:
        path = shlex.quote(str(made.path))
        say(f"next: pip install -e {path}; mtft plugins test {made.task}; mtft train --tasks {made.task}")


@command.command("test", short_help="Check that a plugin keeps its contract.")
@click.argument("name")
@click.option(
    "--data-dir",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory of data files; without it, readers whose files are missing are not checked.",
)
@json_option
@quiet_option
def test(name: str, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Check the installed plugin NAME; exit code 1 if a check fails.

    Checks tasks (schema, labels, metrics, head, loss, reading offline and twice the same), sources and parts (heads,
    surgery, scores, trackers) on a tiny model, and that loading the plugin imports no torch. A plugin's own tests can
    call the same checks: `mtft.testing.suite.checks(NAME)`.

    \b
    Example:
      mtft plugins test reviews
    """  # noqa: D301 - click reads the backspace
    from mtft.testing.suite import checks

    results = [(check.name, check.problems()) for check in checks(name, data_dir)]
    failed = sum(bool(problems) for _, problems in results)
    try:
        if as_json:
            records = [{"check": what, "ok": not problems, "problems": problems} for what, problems in results]
            print_json({"plugin": name, "ok": not failed, "checks": records})
        else:
            table(["check", "result"], [[what, "; ".join(problems) or "ok"] for what, problems in results])
        if not quiet:
            say(f"{len(results) - failed} of {len(results)} checks passed")
    finally:  # a reader that closed the pipe must not hide the failure
        if failed:
            raise MtftError(f"plugin {name!r} fails {failed} of {len(results)} checks")


@command.command("freeze", short_help="Print the plugins as requirement lines.")
@json_option
def freeze(as_json: bool) -> None:
    """Print the packages of all plugins as requirements for `pip install -r`.

    A package that was installed from a directory or an address is given with it: on an index, its name may be somebody
    else's.

    \b
    Example:
      mtft plugins freeze > plugins.txt
    """  # noqa: D301 - click reads the backspace
    requirements = {each.distribution: each.version for each in _load()[0] if each.name != "builtin"}
    if as_json:
        print_json({"requirements": requirements})
        return
    for name, version in sorted(requirements.items()):
        origin = _installed_from(name)
        print(f"{name} @ {origin}" if origin else f"{name}=={version}")


def _installed_from(distribution: str) -> str:
    """Return the address that pip recorded for a package that does not come from an index, else ""."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import distribution as find

    try:
        recorded = json.loads(find(distribution).read_text("direct_url.json") or "{}")
        url, kept = recorded.get("url", ""), recorded.get("vcs_info")
        return f"{kept['vcs']}+{url}@{kept['commit_id']}" if kept else url
    except (PackageNotFoundError, ValueError, AttributeError, KeyError):
        return ""


def _load() -> tuple[Plugins, Registry]:
    from mtft.plugin.manager import build_registry, load_plugins

    plugins = load_plugins()
    return plugins, build_registry(plugins)


def _status(plugin: Plugin) -> str:
    return f"{plugin.status}: {plugin.error}" if plugin.error else plugin.status


def _record(plugin: Plugin) -> Record:
    return {
        "name": plugin.name,
        "module": plugin.module,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "error": plugin.error,
        "hooks": plugin.hooks,
    }


def _parts(registry: Registry) -> list[Record]:
    """Describe every part that settings can name."""
    return [
        {"kind": kind, "name": part.name, "description": part.description, "owner": registry.owner(f"{kind} {name}")}
        for kind, named in registry.parts.items()
        for name, part in named.items()
    ]


def _origin(plugins: Plugins, owner: str) -> Record:
    plugin = plugins.get(owner)
    return {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
