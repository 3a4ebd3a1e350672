"""
The command line of what works on files: contexts, and the spool of a bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from .common_options import Run, common_options

__all__ = ["bridge_spool", "contexts"]


@click.group("context", no_args_is_help=False)
def contexts() -> None:
    """Keep options under a name, for --context."""


@contexts.command("add")
@common_options
@click.argument("name", metavar="NAME")
@click.pass_context
def context_add(context: click.Context, name: str) -> Run:
    """Keep the options of this command line as NAME."""
    from .contexts import all_contexts, write_contexts

    options = {key: value for key, value in context.obj.typed.items() if key != "context"}
    return _file_command(lambda: write_contexts({**all_contexts(), name: options}))


@contexts.command("remove")
@click.argument("name", metavar="NAME")
def context_remove(name: str) -> Run:
    """Forget the context NAME."""
    from .contexts import all_contexts, read_context, write_contexts

    def remove() -> None:
        read_context(name)
        write_contexts({key: kept for key, kept in all_contexts().items() if key != name})

    return _file_command(remove)


@contexts.command("list")
def context_list() -> Run:
    """Print the names and hosts of all contexts, and no secret."""
    from .contexts import all_contexts

    def show() -> None:
        from .output import print_json

        for name, options in all_contexts().items():
            print_json({"name": name, "host": options.get("host", [])})

    return _file_command(show)


def _file_command(command: Callable[[], None]) -> Run:
    def run() -> int:
        from ..errors import InvalidOption
        from .output import say

        try:
            command()
        except (InvalidOption, OSError) as problem:
            say(str(problem))
            return 1
        return 0

    return run


@click.group("bridge-spool", no_args_is_help=False)
def bridge_spool() -> None:
    """Look at a bridge's spool of webhook messages, and mend it."""


def _spool(what: str, **arguments: Any) -> Run:
    from .bridge_spool import run

    return partial(run, what, **arguments)


def _check_selection(what: str, ids: tuple[str, ...], rule: str | None, all_: bool) -> None:
    if not ids and rule is None and not all_:
        raise click.UsageError(f"{what} what? name ids, --rule or --all")
    if all_ and (ids or rule is not None):
        raise click.UsageError("--all goes with neither ids nor --rule")


_path = click.argument("spool", metavar="SPOOL")
_rule = click.option("--rule", help="Only messages of this rule.")
_ids = click.argument("ids", metavar="[ID]...", nargs=-1)
_all = click.option("--all", "all_", is_flag=True, help="All of every rule.")


@bridge_spool.command("list")
@_path
@_rule
@click.option("--waiting", is_flag=True, help="Only what waits.")
@click.option("--dead", is_flag=True, help="Only dead letters.")
@click.option(
    "--limit", type=click.IntRange(1), default=100, help="Print so many of each; by default 100."
)
def spool_list(**arguments: Any) -> Run:
    """Print dead letters and what waits, oldest first, of the file SPOOL."""
    return _spool("list", **arguments)


@bridge_spool.command("retry")
@_path
@_ids
@_rule
@_all
def spool_retry(all_: bool, **arguments: Any) -> Run:
    """Send dead letters of the file SPOOL once more, behind what waits."""
    _check_selection("retry", arguments["ids"], arguments["rule"], all_)
    return _spool("retry", **arguments)


@bridge_spool.command("drop")
@_path
@_ids
@_rule
@_all
@click.option("--waiting", is_flag=True, help="Drop what waits instead.")
def spool_drop(all_: bool, **arguments: Any) -> Run:
    """Forget dead letters of the file SPOOL for good."""
    _check_selection("drop", arguments["ids"], arguments["rule"], all_)
    return _spool("drop", **arguments)
