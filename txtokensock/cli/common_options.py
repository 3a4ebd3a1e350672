"""
The options of every command, which may stand before its name or after it, and in the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import click
from click.core import ParameterSource

from ..sockjs.transport_names import TRANSPORT_NAMES

__all__ = ["DEFAULT_HOST", "DEFAULT_TIMEOUT", "Given", "Run", "Value", "common_options"]

F = TypeVar("F", bound=Callable[..., Any])

Run: TypeAlias = Callable[[], int]
"""Runs what a command line asks for, and returns the exit status."""

DEFAULT_HOST = "127.0.0.1:8080"
DEFAULT_TIMEOUT = 10.0


@dataclass
class Given:
    """
    The options of a command, by name, as they were written; what :mod:`.contexts` keeps.

    :ivar environment: those of the environment.
    :ivar typed: those of the command line, which go first.
    """

    environment: dict[str, Any] = field(default_factory=dict)
    typed: dict[str, Any] = field(default_factory=dict, repr=False)


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in some versions only
    """
    What a function of :mod:`.values` reads, which is imported when there is something to read.

    :param kind: the name of the function.
    :param checked: whether it only checks, and the text is the value.
    :param lines: whether in the environment a line is one of several, and not a word.
    """

    def __init__(self, kind: str, *, checked: bool = False, lines: bool = False) -> None:
        self.name = kind
        self._checked = checked
        if lines:
            self.envvar_list_splitter = "\n"  # type: ignore[misc]  # ClassVar where it is None

    def convert(self, value: str, param: Any, ctx: Any) -> Any:
        """Make the value of a text, as ``click.ParamType`` asks."""
        from ..errors import UsageError
        from . import values

        try:
            read = getattr(values, self.name)(value)
        except UsageError as problem:
            self.fail(str(problem), param, ctx)
        return value if self._checked else read


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Credentials add up; other options after a command's name replace those before it."""
    name = str(option.name)
    source = context.get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE:
        typed = context.ensure_object(Given).typed
        typed[name] = typed.get(name, ()) + value if name == "auth" else value
    elif source is ParameterSource.ENVIRONMENT:
        context.ensure_object(Given).environment[name] = value


def _option(*short: str, **settings: Any) -> Callable[..., Callable[[F], F]]:
    return partial(click.option, *short, expose_value=False, callback=_remember, **settings)


_OPTIONS: dict[str, Callable[..., Callable[[Any], Any]]] = {
    "host": _option(
        multiple=True,
        type=Value("host", checked=True),
        metavar="HOST",
        help=f"The server: a URL or host[:port]; by default {DEFAULT_HOST}.  May be repeated:"
        " the next is tried where one cannot be connected to.",
    ),
    "auth": _option(
        multiple=True,
        type=Value("credential", checked=True, lines=True),
        metavar="KEY=VALUE",
        help="A credential for the token request.  May be repeated, and dots in KEY nest.  Other"
        " users of the machine can see it.",
    ),
    "auth-file": _option(
        type=Value("auth_file", checked=True),
        metavar="FILE",
        help="Has credentials: a JSON object.",
    ),
    "auth-prompt": _option(
        multiple=True,
        type=Value("key", checked=True),
        metavar="KEY",
        help="Ask for this credential on the terminal.  May be repeated.",
    ),
    "context": _option(metavar="NAME", help="Has options that are given nowhere else."),
    "timeout": _option(
        type=Value("seconds"),
        metavar="SECONDS",
        help=f"How long to wait for the server; by default {DEFAULT_TIMEOUT:g}.",
    ),
    "verbose": _option("-v", is_flag=True, help="Log to stderr."),
    "quiet": _option("-q", is_flag=True, help="Say nothing but errors."),
    "token-path": _option(
        type=Value("path"),
        metavar="PATH",
        help="The token route below the host; by default /socket/token.",
    ),
    "socket-prefix": _option(
        type=Value("path"),
        metavar="PATH",
        help="SockJS below the host; by default /sockets.",
    ),
    "transport": _option(
        multiple=True,
        type=click.Choice(TRANSPORT_NAMES),
        metavar="NAME",
        help=f"What carries the socket: {', '.join(TRANSPORT_NAMES)}.  Several are tried in this"
        " order.",
    ),
    "header": _option(
        multiple=True,
        type=Value("header", checked=True, lines=True),
        metavar="'NAME: VALUE'",
        help="Sent with every request.  May be repeated.",
    ),
    "proxy": _option(
        type=Value("proxy", checked=True),
        metavar="URL",
        help="Go through this proxy, or with 'none' through none; by default HTTPS_PROXY,"
        " HTTP_PROXY and NO_PROXY in the environment say.",
    ),
    "endpoint": _option(
        metavar="TEXT",
        help="Connect to this endpoint instead, such as unix:/run/app.sock.",
    ),
    "authorities": _option(
        metavar="FILE", help="Trust these certificates, in PEM, and no others."
    ),
    "certificate": _option(metavar="FILE", help="A certificate to show, in PEM."),
    "private-key": _option(metavar="FILE", help="Its key; by default in the same file."),
    "server-name": _option(
        metavar="NAME", help="The name that the server's certificate must be for."
    ),
}


def common_options(function: F, *, first: bool = False) -> F:
    """
    Decorate a command: give it these options, whose values are in the context's object.

    :param first: whether these are the options before the name of a command, which are read in
        the environment as well.
    """
    for name, option in reversed(_OPTIONS.items()):
        variable = f"TOKENSOCK_{name.upper().replace('-', '_')}" if first else None
        function = option(f"--{name}", envvar=variable, show_envvar=first)(function)
    return function
