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
from typing import TYPE_CHECKING, Any

import click

from ..version import __version__
from .common_options import Given, Run, Value, common_options
from .file_commands import bridge_spool, contexts

if TYPE_CHECKING:
    from .client_options import Settings

__all__ = ["parse"]

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


def _command(**settings: Any) -> Callable[[Callable[..., Run]], click.Command]:
    """Decorate a command that takes the common options, and is called with its context."""

    def decorate(function: Callable[..., Run]) -> click.Command:
        return tokensock.command(**settings)(common_options(click.pass_context(function)))

    return decorate


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


def _option(
    name: str, kind: str, metavar: str, text: str, default: str | None = None
) -> Callable[[Any], Any]:
    """An option with a value, whose help says which it has by default."""
    help = f"{text}." if default is None else f"{text}; by default {default}."
    return click.option(name, type=Value(kind), default=default, metavar=metavar, help=help)


_channel = click.argument("channel", metavar="CHANNEL", type=Value("channel"))
_data = click.argument("data", metavar="JSON", type=Value("data"))
_count = _option("--count", "count", "N", "Send it so often")
_rate = _option("--rate", "rate", "N", "Send so many a second at most")
_raw = click.option("--raw", is_flag=True, help="Print a text without quotes.")


@_command(cls=_DataCommand)
@_count
@_rate
@_raw
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("data", metavar="[JSON]", type=Value("data"), required=False)
def rpc(context: click.Context, /, **arguments: Any) -> Run:
    """Call the function NAME, whose dots nest, and print its answer.

    JSON may also be @FILE, @- for stdin, or - for stdin with one value a line.
    """
    return _conversation(context, **arguments)


@_command()
@_option("--count", "count", "N", "End after so many messages")
@click.option("--timestamps", is_flag=True, help="Print when each was received, in UTC.")
@click.option("--raw", is_flag=True, help="Print only messages, and texts without quotes.")
@click.argument("channels", metavar="CHANNEL...", type=Value("channel"), nargs=-1, required=True)
def listen(context: click.Context, /, **arguments: Any) -> Run:
    """Print the messages of channels until stopped."""
    return _conversation(context, reconnect=True, **arguments)


@_command(cls=_DataCommand)
@_count
@_rate
@_channel
@_data
def publish(context: click.Context, /, **arguments: Any) -> Run:
    """Send a message to a channel.

    JSON may also be @FILE, @- for stdin, or - for stdin with one message a line.
    """
    return _conversation(context, **arguments)


@_command(cls=_DataCommand)
@_count
@_rate
@_data
def broadcast(context: click.Context, /, **arguments: Any) -> Run:
    """Send a message to everybody.

    JSON may also be @FILE, @- for stdin, or - for stdin with one message a line.
    """
    return _conversation(context, **arguments)


@_command()
@_option("--jobs", "count", "N", "Run so many at a time", "10")
@_option("--kill-after", "seconds", "SECONDS", "Kill one that runs longer", "60")
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True)
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


@_command(cls=_DataCommand)
@_option("--count", "count", "N", "Call so often", "1000")
@_option("--concurrency", "count", "N", "Let so many calls wait for answers at a time", "10")
@click.argument("name", metavar="NAME", type=Value("function_name"))
@click.argument("data", metavar="[JSON]", type=Value("json"), required=False)
def bench(context: click.Context, /, **arguments: Any) -> Run:
    """Call NAME again and again, and print calls a second and percentiles of their times."""
    return _conversation(context, **arguments)


@_command()
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


@_command()
@_option("--channel", "channel", "CHANNEL", "Subscribe to this", "doctor")
def doctor(context: click.Context, /, channel: str) -> Run:
    """Go the way to the server step by step, and say where it ends, and what to do."""
    settings = _settings(context)
    from .doctor import examine
    from .run import run_reactor

    return partial(run_reactor, lambda reactor: examine(settings, reactor, channel))


tokensock.add_command(contexts)
tokensock.add_command(bridge_spool)
