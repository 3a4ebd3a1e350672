"""
The command line of ``tokensock``: which commands and options there are.

It imports nothing of what runs the commands, so that help and usage errors appear at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from ..version import __version__
from .common_options import Given, Value, common_options

if TYPE_CHECKING:
    from .client_options import Settings

__all__ = ["Run", "parse"]

Run: TypeAlias = Callable[[], int]
"""Runs what a command line asks for, and returns the exit status."""

_NEGATIVE = re.compile(r"-\d[\d.eE+-]*")


def parse(argv: list[str] | None = None) -> Run:
    """
    Read a command line, and import what runs it.

    :param argv: the arguments; by default those of the process.
    :raises SystemExit: with status 2 for a usage error, and 0 for help and version.
    :raises KeyboardInterrupt: for Ctrl-C.
    """
    try:
        run = tokensock.main(argv, "tokensock", standalone_mode=False, obj=Given())
    except click.UsageError as problem:
        path = problem.ctx.command_path if problem.ctx else "tokensock"
        text = " ".join(problem.format_message().split())
        with suppress(OSError):  # nobody reads it
            click.echo(f"tokensock: {text} (see {path} --help)", err=True)
        sys.exit(2)
    except click.Abort:
        raise KeyboardInterrupt from None
    if not callable(run):  # help and version have been shown
        sys.exit(run)
    parsed: Run = run
    return parsed


class _DataCommand(click.Command):
    """Takes a negative number for data, and not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A blank says that it is none, and JSON may begin with one."""
        args = [f" {text}" if _NEGATIVE.fullmatch(text) else text for text in args]
        return super().parse_args(ctx, args)


@click.group(no_args_is_help=False)
@partial(common_options, first=True)
@click.version_option(__version__, message="%(version)s")
def tokensock() -> None:
    """Talk to a token-sockjs server."""


def _settings(context: click.Context) -> Settings:
    """
    What the options of a command say about the client.

    :raises click.UsageError: if they cannot be.
    """
    from ..errors import InvalidOption
    from .client_options import Settings, in_our_words

    try:
        return Settings.of(context.obj)
    except InvalidOption as problem:
        raise click.UsageError(in_our_words(str(problem)), context) from None


def _conversation(context: click.Context, *, reconnect: bool = False, **arguments: Any) -> Run:
    """
    Run the function of :mod:`.commands` that has the name of the command.

    :param arguments: those of the function; what was not given is left to it.
    """
    settings = _settings(context)
    # Imported last, for it takes longest: a usage error does not wait for it.
    from . import commands
    from .run import run
    from .values import LINES

    conversation = partial(
        getattr(commands, str(context.info_name)),
        **{name: value for name, value in arguments.items() if value or name == "data"},
    )
    bounded = not (reconnect or arguments.get("count") or arguments.get("data") is LINES)
    return partial(run, settings, conversation, reconnect=reconnect, bounded=bounded)


_channel = click.argument("channel", metavar="CHANNEL", type=Value("channel"))
_data = click.argument("data", metavar="JSON", type=Value("data"))
_count = click.option("--count", type=Value("count"), metavar="N", help="Send it so often.")
_rate = click.option(
    "--rate", type=Value("rate"), metavar="N", help="Send so many a second at most."
)
_raw = click.option("--raw", is_flag=True, help="Print a text without quotes.")


@tokensock.command(cls=_DataCommand)
@common_options
@_count
@_rate
@_raw
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("data", metavar="[JSON]", type=Value("data"), required=False)
@click.pass_context
def rpc(context: click.Context, /, **arguments: Any) -> Run:
    """Call the function NAME, whose dots nest, and print its answer.

    JSON may also be @FILE, @- for stdin, or - for stdin with one value a line.
    """
    return _conversation(context, **arguments)


@tokensock.command()
@common_options
@click.option("--count", type=Value("count"), metavar="N", help="End after so many messages.")
@click.option("--timestamps", is_flag=True, help="Print when each was received, in UTC.")
@click.option("--raw", is_flag=True, help="Print only messages, and texts without quotes.")
@click.argument("channels", metavar="CHANNEL...", type=Value("channel"), nargs=-1, required=True)
@click.pass_context
def listen(context: click.Context, /, **arguments: Any) -> Run:
    """Print the messages of channels until stopped."""
    return _conversation(context, reconnect=True, **arguments)


@tokensock.command(cls=_DataCommand)
@common_options
@_count
@_rate
@_channel
@_data
@click.pass_context
def publish(context: click.Context, /, **arguments: Any) -> Run:
    """Send a message to a channel.

    JSON may also be @FILE, @- for stdin, or - for stdin with one message a line.
    """
    return _conversation(context, **arguments)


@tokensock.command(cls=_DataCommand)
@common_options
@_count
@_rate
@_data
@click.pass_context
def broadcast(context: click.Context, /, **arguments: Any) -> Run:
    """Send a message to everybody.

    JSON may also be @FILE, @- for stdin, or - for stdin with one message a line.
    """
    return _conversation(context, **arguments)


@tokensock.command()
@common_options
@click.option(
    "--jobs",
    type=Value("count"),
    default="10",
    metavar="N",
    help="Run so many at a time; by default 10.",
)
@click.option(
    "--kill-after",
    type=Value("seconds"),
    default="60",
    metavar="SECONDS",
    help="Kill one that runs longer; by default 60.",
)
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True)
@click.pass_context
def reply(
    context: click.Context, /, name: str, command: tuple[str, ...], jobs: int, kill_after: float
) -> Run:
    """Answer the server's calls of NAME with a program.

    It gets the JSON of the call on its stdin, and prints that of the answer; no shell is between.
    """
    if not all(name.split(".")):
        raise click.UsageError(f"{name!r} has an empty part", context)
    import shutil

    if shutil.which(command[0]) is None:
        raise click.UsageError(f"there is no program {command[0]!r}", context)
    settings = _settings(context)
    from .reply import reply as conversation
    from .run import run

    answering = partial(conversation, name=name, command=command, jobs=jobs, seconds=kill_after)
    return partial(run, settings, answering, reconnect=True, bounded=False)


@tokensock.command(cls=_DataCommand)
@common_options
@click.option(
    "--count",
    type=Value("count"),
    default="1000",
    metavar="N",
    help="Call so often; by default 1000.",
)
@click.option(
    "--concurrency",
    type=Value("count"),
    default="10",
    metavar="N",
    help="Let so many calls wait for answers at a time; by default 10.",
)
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("data", metavar="[JSON]", type=Value("json"), required=False)
@click.pass_context
def bench(context: click.Context, /, **arguments: Any) -> Run:
    """Call NAME again and again, and print calls a second and percentiles of their times."""
    settings = _settings(context)
    from .bench import bench as conversation
    from .run import run

    return partial(run, settings, partial(conversation, **arguments), bounded=False)


@tokensock.command()
@common_options
@click.pass_context
def console(context: click.Context, /) -> Run:
    """Call, publish and watch at a prompt."""
    settings = _settings(context)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("console needs a terminal; rpc and publish read stdin", context)
    try:
        from .console import console as conversation
    except ModuleNotFoundError as missing:
        if missing.name != "prompt_toolkit":
            raise
        text = "console needs prompt_toolkit: pip install 'txtokensock[cli]'"
        raise click.UsageError(text, context) from None
    from .run import run

    def start() -> int:
        # The prompt runs on asyncio.
        import asyncio

        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)  # the first prompt is there before the loop runs
        asyncioreactor.install(loop)
        return run(settings, conversation, reconnect=True, bounded=False)

    return start


@tokensock.command()
@common_options
@click.option(
    "--channel",
    type=Value("channel"),
    default="doctor",
    metavar="CHANNEL",
    help="Subscribe to this; by default doctor.",
)
@click.pass_context
def doctor(context: click.Context, /, channel: str) -> Run:
    """Go the way to the server step by step, and say where it ends, and what to do."""
    settings = _settings(context)
    from .doctor import examine
    from .run import run_reactor

    return partial(run_reactor, lambda reactor: examine(settings, reactor, channel))


@tokensock.group("context", no_args_is_help=False)
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


@tokensock.group("bridge-spool", no_args_is_help=False)
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
