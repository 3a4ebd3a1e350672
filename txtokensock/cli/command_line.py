"""
The command line of ``tokensock``: which commands and options there are.

It imports nothing of what runs the commands, so that help and usage errors appear at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from ..sockjs.transport_names import TRANSPORT_NAMES
from ..version import __version__

__all__ = ["parse"]

DEFAULT_HOST = "127.0.0.1:8080"
DEFAULT_TIMEOUT = 10.0


class _Parser(argparse.ArgumentParser):
    """
    Reports an error in one line.  The parser of a command also takes options between its
    arguments: argparse does not where an argument is optional, and cannot where there are
    commands to choose from.
    """

    _mixing = True

    def add_subparsers(self, **options: Any) -> Any:
        self._mixing = False
        return super().add_subparsers(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None, **more: Any) -> Any:
        """See the class; ``parse_known_intermixed_args`` comes back here."""
        if self._mixing:
            self._mixing = False
            try:
                return self.parse_known_intermixed_args(args, namespace)
            finally:
                self._mixing = True
        return super().parse_known_args(args, namespace, **more)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tokensock: {message} (see {self.prog} --help)\n")


def _value(kind: str) -> Callable[[str], Any]:
    """
    :param kind: the name of a function of :mod:`.values`, which is imported when a value is
        read.
    """

    def read(text: str) -> Any:
        from ..errors import UsageError
        from . import values

        try:
            return getattr(values, kind)(text)
        except UsageError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return read


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """
    Read a command line.

    :param argv: the arguments; by default those of the process.
    :return: ``command``, and its arguments.  For a command that talks to a server also
        ``hosts``, ``credentials``, ``timeout`` in seconds, and in ``options`` those of
        :class:`~txtokensock.TokenSocket` that say how it connects.
    :raises SystemExit: with status 2 for a usage error, and 0 for help and version.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "bridge-spool":
        problem = _spool_problem(arguments)
    else:
        problem = _client_problem(arguments)
    if problem is not None:
        parser.error(problem)
    return arguments


def _client_problem(arguments: argparse.Namespace) -> str | None:
    from ..address import addresses
    from ..errors import InvalidOption
    from .client_options import credentials, in_our_words, options

    arguments.hosts = arguments.hosts_more or arguments.hosts_first or [DEFAULT_HOST]
    try:
        addresses(arguments.hosts)
        arguments.credentials = credentials(arguments.auth_first + arguments.auth_more)
        arguments.options = options(arguments)
    except InvalidOption as problem:
        return in_our_words(str(problem))
    return None


def _spool_problem(arguments: argparse.Namespace) -> str | None:
    if arguments.what == "list":
        return "--limit must be at least 1" if arguments.limit < 1 else None
    if not arguments.ids and arguments.rule is None and not arguments.all:
        return f"{arguments.what} what? name ids, --rule or --all"
    if arguments.all and (arguments.ids or arguments.rule is not None):
        return "--all goes with neither ids nor --rule"
    return None


def _parser() -> argparse.ArgumentParser:
    empty: dict[str, Any] = {
        f"{what}_{place}": [] for what in ("hosts", "auth") for place in ("first", "more")
    }
    first = _common("first", timeout=DEFAULT_TIMEOUT, verbose=False, **empty)
    description = "Talk to a token-sockjs server."
    parser = _Parser(prog="tokensock", parents=[first], description=description)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> _Parser:
        parents = [_common("more")]
        added: _Parser = commands.add_parser(name, parents=parents, help=help, description=help)
        return added

    rpc = command("rpc", "Call a function and print its answer.")
    rpc.add_argument(
        "name", metavar="NAME", type=_value("function_name"), help="the function; dots nest"
    )
    rpc.add_argument("data", metavar="JSON", type=_value("json"), nargs="?", help="the argument")
    listen = command("listen", "Print the messages of channels until stopped.")
    listen.add_argument("channels", metavar="CHANNEL", type=_value("channel"), nargs="+")
    publish = command("publish", "Send a message to a channel.")
    publish.add_argument("channel", metavar="CHANNEL", type=_value("channel"))
    publish.add_argument("data", metavar="JSON", type=_value("json"))
    broadcast = command("broadcast", "Send a message to everybody.")
    broadcast.add_argument("data", metavar="JSON", type=_value("json"))
    description = "Look at a bridge's spool of webhook messages, and mend it."
    _add_spool_commands(
        commands.add_parser("bridge-spool", help=description, description=description)
    )
    return parser


def _common(place: str, **defaults: Any) -> _Parser:
    """
    The options of every command, which may stand before its name or after it.

    :param place: ``first`` for before, ``more`` for after.  Credentials add up; hosts and
        other options after the name replace those before it.
    :param defaults: the default of each option.  There are none after the name, where they
        would replace what stands before it.
    """
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--host",
        action="append",
        dest=f"hosts_{place}",
        type=_value("host"),
        metavar="HOST",
        help=f"the server: a URL or host[:port] (default: {DEFAULT_HOST}); may be repeated:"
        " the next is tried where one cannot be connected to",
    )
    common.add_argument(
        "--auth",
        action="append",
        dest=f"auth_{place}",
        type=_value("credential"),
        metavar="KEY=VALUE",
        help="a credential for the token request; may be repeated, and dots in KEY nest",
    )
    common.add_argument(
        "--timeout",
        type=_value("seconds"),
        metavar="SECONDS",
        help=f"how long to wait for the server (default: {DEFAULT_TIMEOUT:g})",
    )
    common.add_argument("--verbose", action="store_true", help="log to stderr")
    _add_ways_to_the_server(common)
    common.set_defaults(**defaults)
    return common


def _add_ways_to_the_server(parser: argparse.ArgumentParser) -> None:
    """Add these options; one that is not given is not in the result."""
    group = parser.add_argument_group("how the server is reached")
    group.add_argument(
        "--transport",
        action="append",
        choices=TRANSPORT_NAMES,
        help="what carries the socket; several are tried in this order",
    )
    group.add_argument(
        "--header",
        action="append",
        type=_value("header"),
        metavar="'NAME: VALUE'",
        help="sent with every request; may be repeated",
    )
    group.add_argument(
        "--proxy",
        type=_value("proxy"),
        metavar="URL",
        help="go through this proxy, or with 'none' through none"
        " (default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment)",
    )
    group.add_argument(
        "--endpoint",
        metavar="TEXT",
        help="connect to this endpoint instead, such as unix:/run/app.sock",
    )
    group.add_argument(
        "--authorities", metavar="FILE", help="trust these certificates, in PEM, and no others"
    )
    group.add_argument("--certificate", metavar="FILE", help="a certificate to show, in PEM")
    group.add_argument("--private-key", metavar="FILE", help="its key (default: in the same file)")
    group.add_argument(
        "--server-name", metavar="NAME", help="the name that the server's certificate must be for"
    )


def _add_spool_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``bridge-spool`` to its parser."""
    parsers = parser.add_subparsers(dest="what", required=True, metavar="list|retry|drop")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = parsers.add_parser(name, help=help, description=help)
        added.add_argument("spool", metavar="SPOOL", help="the file, as in webhooks.spool")
        added.add_argument("--rule", help="only messages of this rule")
        return added

    listing = command("list", "Print dead letters and what waits, oldest first.")
    listing.add_argument("--waiting", action="store_true", help="only what waits")
    listing.add_argument("--dead", action="store_true", help="only dead letters")
    listing.add_argument(
        "--limit", type=int, default=100, help="print so many of each (default: 100)"
    )
    retry = command("retry", "Send dead letters once more, behind what waits.")
    drop = command("drop", "Forget dead letters for good.")
    drop.add_argument("--waiting", action="store_true", help="drop what waits instead")
    for selecting in (retry, drop):
        selecting.add_argument("ids", metavar="ID", nargs="*", help="only these")
        selecting.add_argument("--all", action="store_true", help="all of every rule")
