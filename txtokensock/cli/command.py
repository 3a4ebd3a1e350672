"""
``tokensock``: a token-sockjs client for the command line.

JSON goes to stdout, one line each; what is for people goes to stderr.  The exit status
is 0 for success, 1 for a failure, 2 for a mistake on the command line.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib.metadata import version
from typing import Any, NoReturn, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from ..address import Address, addresses
from ..client.credentials import encode_credentials
from ..client.socket import TokenSocket
from ..errors import (
    AttemptTimeout,
    InvalidOption,
    RemoteError,
    TokenSocketError,
    UsageError,
    shorten,
)
from ..jsontext import Malformed, dumps, loads
from ..messages import check_channel
from ..messages.from_client import check_name
from . import bridge_spool, client_options

__all__ = ["main"]

DEFAULT_HOST = "127.0.0.1:8080"
DEFAULT_TIMEOUT = 10.0


class _Parser(argparse.ArgumentParser):
    """
    Says in one line what is wrong.  A command's parser also takes options between its
    arguments, which argparse does not do for an argument that may be left out.
    """

    _mixing = True

    def parse_known_args(self, args: Any = None, namespace: Any = None, **more: Any) -> Any:
        """See the class; ``parse_known_intermixed_args`` comes back here."""
        if self._mixing and self._subparsers is None:
            self._mixing = False
            try:
                return self.parse_known_intermixed_args(args, namespace)
            finally:
                self._mixing = True
        return super().parse_known_args(args, namespace, **more)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tokensock: {message} (see {self.prog} --help)\n")


def _json(text: str) -> Any:
    try:
        return loads(text.encode(errors="surrogateescape"))
    except Malformed as problem:
        raise argparse.ArgumentTypeError(
            f"{shorten(repr(text))} is no JSON: {problem}"
            """ (a text has quotes of its own: '"text"')"""
        ) from None


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """A text that ``check`` does not refuse."""

    def checked(text: str) -> str:
        try:
            check(text)
        except UsageError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None
        return text

    return checked


def _pair(text: str) -> tuple[list[str], str]:
    key, equals, value = text.partition("=")
    path = key.split(".")
    if not equals or not all(path):
        raise argparse.ArgumentTypeError(f"{key!r} is not of the form key=value")
    return path, value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return seconds


def _credentials(pairs: list[tuple[list[str], str]]) -> dict[str, Any]:
    """``[(["a", "b"], "1")]`` as ``{"a": {"b": "1"}}``."""
    credentials: dict[str, Any] = {}
    for path, value in pairs:
        inner: Any = credentials
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidOption(f"--auth {'.'.join(path)}: {key!r} has a value already")
        if path[-1] in inner:
            raise InvalidOption(f"--auth {'.'.join(path)} is given twice")
        inner[path[-1]] = value
    return credentials


def _common(place: str, **defaults: Any) -> _Parser:
    """
    The options of every command, before its name or behind it.

    :param place: ``first`` or ``more``, which is which: credentials add up, hosts behind
        the name replace those before it, as the other options do.
    :param defaults: of each option; behind the name there are none, or they would undo
        what stands before it.
    """
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--host",
        action="append",
        dest=f"hosts_{place}",
        type=_checked(Address.parse),
        metavar="HOST",
        help=f"the server: a URL or host[:port] (default: {DEFAULT_HOST}); may be repeated:"
        " the next is tried where one cannot be connected to",
    )
    common.add_argument(
        "--auth",
        action="append",
        dest=f"auth_{place}",
        type=_pair,
        metavar="KEY=VALUE",
        help="a credential for the token request; may be repeated, and dots in KEY nest",
    )
    common.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help=f"how long to wait for the server (default: {DEFAULT_TIMEOUT:g})",
    )
    common.add_argument("--verbose", action="store_true", help="log to stderr")
    client_options.add_arguments(common)
    common.set_defaults(**defaults)
    return common


def _parser() -> argparse.ArgumentParser:
    empty: dict[str, Any] = {
        f"{what}_{place}": [] for what in ("hosts", "auth") for place in ("first", "more")
    }
    first = _common("first", timeout=DEFAULT_TIMEOUT, verbose=False, **empty)
    description = "Talk to a token-sockjs server."
    parser = _Parser(prog="tokensock", parents=[first], description=description)
    parser.add_argument("--version", action="version", version=version("txtokensock"))
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., Coroutine[Any, Any, None]], help: str) -> _Parser:
        added = commands.add_parser(name, parents=[_common("more")], help=help, description=help)
        added.set_defaults(run=run)
        return added

    rpc = command("rpc", _rpc, "Call a function and print its answer.")
    rpc.add_argument(
        "name", metavar="NAME", type=_checked(check_name), help="the function; dots nest"
    )
    rpc.add_argument("data", metavar="JSON", type=_json, nargs="?", help="the argument")
    listen = command("listen", _listen, "Print the messages of channels until stopped.")
    channel = _checked(check_channel)
    listen.add_argument("channels", metavar="CHANNEL", type=channel, nargs="+")
    publish = command("publish", _publish, "Send a message to a channel.")
    publish.add_argument("channel", metavar="CHANNEL", type=channel)
    publish.add_argument("data", metavar="JSON", type=_json)
    broadcast = command("broadcast", _broadcast, "Send a message to everybody.")
    broadcast.add_argument("data", metavar="JSON", type=_json)
    description = "Look at a bridge's spool of webhook messages, and mend it."
    spool = commands.add_parser("bridge-spool", help=description, description=description)
    bridge_spool.add_arguments(spool)
    return parser


def _say(text: str) -> None:
    if sys.stderr is None:  # print() would take stdout instead
        return
    try:
        print(f"tokensock: {text}", file=sys.stderr, flush=True)
    except OSError:  # nobody listens
        _discard(sys.stderr)


def _print_json(value: Any) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.write(dumps(value).decode() + "\n")
    sys.stdout.flush()


def _discard(stream: TextIO | None) -> None:
    """What could not be written must not be tried once more when Python exits."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


async def _rpc(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await socket.when_ready()
    _print_json(await socket.rpc(arguments.name, arguments.data))


async def _publish(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await _send(socket, lambda: socket.publish(arguments.channel, arguments.data))


async def _broadcast(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    await _send(socket, lambda: socket.broadcast(arguments.data))


async def _send(socket: TokenSocket, send: Callable[[], Deferred[None]]) -> None:
    """
    Send, and learn whether it was refused: a server that acknowledges nothing answers
    only a refusal, and answers in order, so that its answer to a ping comes after.
    """
    refusals: list[Exception] = []
    socket.on("error", refusals.append)
    await socket.when_ready()
    await send()
    with suppress(RemoteError):  # "Function not found" will do
        await socket.rpc("_ping", {})
    if refusals:
        raise refusals[0]


async def _listen(socket: TokenSocket, arguments: argparse.Namespace) -> None:
    failed: Deferred[None] = Deferred()

    def fail(error: Exception) -> None:
        if not failed.called:
            failed.errback(error)

    def came_back(error: Exception | None) -> None:
        wait = getattr(error, "retry_in", None)
        again = "" if wait is None else f"; trying again in {wait:.3g} s"
        _say("connected" if error is None else f"{error}{again}")

    socket.on("ready", came_back)
    socket.on("reconnect", came_back)
    socket.on("disconnect", lambda error: _say(f"disconnected: {error}; connecting again"))
    socket.on("error", fail)
    await socket.when_ready()
    for channel in dict.fromkeys(arguments.channels):

        def print_message(message: Any, channel: str = channel) -> None:
            try:
                _print_json({"channel": channel, "message": message})
            except OSError as problem:
                fail(problem)

        await socket.subscribe(channel, print_message)
        _say(f"listening to {channel}")
    await failed


class _TooLate(Exception):
    """The time for the whole command is over."""


async def _talk(arguments: argparse.Namespace, reactor: Any) -> int:
    """One command, from the connection to the exit status."""
    endless = arguments.run is _listen
    try:
        socket = TokenSocket(
            arguments.hosts,
            authentication=arguments.credentials,
            reconnect=endless,
            call_timeout=arguments.timeout,
            reactor=reactor,
            **arguments.options,
        )
    except InvalidOption as problem:  # one that takes a reactor to find out
        _say(client_options.in_our_words(str(problem)))
        return 2
    socket.startService()
    try:
        running = Deferred.fromCoroutine(arguments.run(socket, arguments))
        if not endless:
            running.addTimeout(arguments.timeout, reactor, lambda *_: Failure(_TooLate()))
        await running
    except CancelledError:  # Ctrl-C, which is how listening ends
        return 0 if endless else 1
    except BrokenPipeError:  # nobody reads any more
        _discard(sys.stdout)
    except (_TooLate, AttemptTimeout) as problem:
        hosts = " or ".join(arguments.hosts)
        reason = f": {client_options.in_our_words(str(problem))}" if str(problem) else ""
        _say(f"no answer from {hosts} within {arguments.timeout:g} seconds{reason}")
        return 1
    except TokenSocketError as problem:
        _say(client_options.in_our_words(str(problem)))
        return 1
    except OSError as problem:
        _say(f"cannot write to stdout: {problem.strerror}")
        _discard(sys.stdout)
        return 1
    finally:
        socket.remove_all_listeners()  # the end is no news
        await socket.end()
    return 0


def _bridge_spool(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> NoReturn:
    """The one command that talks to nobody: no reactor is needed."""
    if problem := bridge_spool.problem(arguments):
        parser.error(problem)
    try:
        sys.exit(bridge_spool.run(arguments, _print_json, _say))
    except TokenSocketError as error:
        _say(str(error))
    except BrokenPipeError:
        _discard(sys.stdout)
    sys.exit(1)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """
    Read a command line.

    :raises SystemExit: with status 2 where it cannot be.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "bridge-spool":
        _bridge_spool(parser, arguments)
    arguments.hosts = arguments.hosts_more or arguments.hosts_first or [DEFAULT_HOST]
    try:
        addresses(arguments.hosts)
        arguments.credentials = _credentials(arguments.auth_first + arguments.auth_more)
        encode_credentials(arguments.credentials)
        arguments.options = client_options.options(arguments)
    except InvalidOption as problem:
        parser.error(client_options.in_our_words(str(problem)))
    return arguments


def main(argv: list[str] | None = None) -> NoReturn:
    """The command ``tokensock``."""
    arguments = parse(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as JSON is, whatever the locale
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    status = 1
    ended: Deferred[None] = Deferred()

    def start() -> None:
        talk = Deferred.fromCoroutine(_talk(arguments, reactor))
        talk.addCallbacks(set_status, lambda failure: failure.printTraceback(sys.stderr))
        # Ctrl-C stops the reactor, which waits until the connection is closed.
        reactor.addSystemEventTrigger("before", "shutdown", stop, talk)
        talk.addBoth(finish)

    def finish(_: object) -> None:
        ended.callback(None)
        with suppress(ReactorNotRunning):  # it is stopping already
            reactor.stop()

    def set_status(result: int) -> None:
        nonlocal status
        status = result

    def stop(talk: Deferred[Any]) -> Deferred[None]:
        talk.cancel()
        return ended

    if arguments.verbose:
        observers = [textFileLogObserver(sys.stderr)]
        globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)
    reactor.callWhenRunning(start)
    reactor.run()
    sys.exit(status)
