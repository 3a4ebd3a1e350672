"""
The options of every command, which may stand before its name or after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..sockjs.transport_names import TRANSPORT_NAMES

__all__ = ["DEFAULT_HOST", "DEFAULT_TIMEOUT", "Value", "common_options"]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_HOST = "127.0.0.1:8080"
DEFAULT_TIMEOUT = 10.0


class Value(click.ParamType):  # type: ignore[type-arg]  # generic in some versions only
    """
    What a function of :mod:`.values` reads, which is imported when there is something to read.

    :param kind: the name of the function.
    """

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(self, value: str, param: Any, ctx: Any) -> Any:
        """See ``click.ParamType``."""
        from ..errors import UsageError
        from . import values

        try:
            return getattr(values, self.name)(value)
        except UsageError as problem:
            self.fail(str(problem), param, ctx)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    """
    Keep what was given in the object that all contexts share.  Credentials add up; other
    options after a command's name replace those before it.
    """
    name = str(option.name)
    if context.get_parameter_source(name) is ParameterSource.DEFAULT:
        return
    given = context.ensure_object(dict)
    given[name] = given.get(name, ()) + value if name == "auth" else value


def _option(*names: str, **settings: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_remember, **settings)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _option(
        "--host",
        multiple=True,
        type=Value("host"),
        metavar="HOST",
        help=f"The server: a URL or host[:port]; by default {DEFAULT_HOST}.  May be repeated:"
        " the next is tried where one cannot be connected to.",
    ),
    _option(
        "--auth",
        multiple=True,
        type=Value("credential"),
        metavar="KEY=VALUE",
        help="A credential for the token request.  May be repeated, and dots in KEY nest.",
    ),
    _option(
        "--timeout",
        type=Value("seconds"),
        metavar="SECONDS",
        help=f"How long to wait for the server; by default {DEFAULT_TIMEOUT:g}.",
    ),
    _option("--verbose", is_flag=True, help="Log to stderr."),
    _option(
        "--transport",
        multiple=True,
        type=click.Choice(TRANSPORT_NAMES),
        metavar="NAME",
        help=f"What carries the socket: {', '.join(TRANSPORT_NAMES)}.  Several are tried in this"
        " order.",
    ),
    _option(
        "--header",
        multiple=True,
        type=Value("header"),
        metavar="'NAME: VALUE'",
        help="Sent with every request.  May be repeated.",
    ),
    _option(
        "--proxy",
        type=Value("proxy"),
        metavar="URL",
        help="Go through this proxy, or with 'none' through none; by default HTTPS_PROXY,"
        " HTTP_PROXY and NO_PROXY in the environment say.",
    ),
    _option(
        "--endpoint",
        metavar="TEXT",
        help="Connect to this endpoint instead, such as unix:/run/app.sock.",
    ),
    _option(
        "--authorities", metavar="FILE", help="Trust these certificates, in PEM, and no others."
    ),
    _option("--certificate", metavar="FILE", help="A certificate to show, in PEM."),
    _option("--private-key", metavar="FILE", help="Its key; by default in the same file."),
    _option(
        "--server-name", metavar="NAME", help="The name that the server's certificate must be for."
    ),
)


def common_options(function: F) -> F:
    """Decorate a command: give it these options, whose values are in the context's object."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
