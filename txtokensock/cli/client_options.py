"""
The options of ``tokensock`` that say how the server is reached.
"""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InvalidOption
from ..sockjs import TRANSPORTS
from ..support.timeouts import Timeouts
from ..web.client.proxies import Proxy
from ..web.client.request_headers import check_headers
from ..web.tls.policy import TLSPolicy

__all__ = ["add_arguments", "in_our_words", "options"]

_IN_OUR_WORDS = {
    "tls=TLSPolicy(certificate=..., private_key=...)": "--certificate",
    "tls=TLSPolicy(server_name=...)": "--server-name",
    "tls=TLSPolicy(authorities=...)": "--authorities",
    "authorities= of TLSPolicy": "--authorities",
    "endpoint and proxy": "--endpoint and --proxy",
    "proxy=": "--proxy",
}
"""What errors call the client's options, and what they are called here."""

_LONGEST_STEP = 10.0

_TLS = ("authorities", "certificate", "private_key", "server_name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them; one that is not given leaves nothing behind."""
    group = parser.add_argument_group("how the server is reached")
    group.add_argument(
        "--transport",
        action="append",
        choices=tuple(TRANSPORTS),
        help="what carries the socket; several are tried in this order",
    )
    group.add_argument(
        "--header",
        action="append",
        type=_header,
        metavar="'NAME: VALUE'",
        help="sent with every request; may be repeated",
    )
    group.add_argument(
        "--proxy",
        type=_proxy,
        metavar="URL",
        help="go through this proxy, or with 'none' through none"
        " (default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment)",
    )
    group.add_argument(
        "--endpoint", metavar="TEXT", help="connect here instead, such as unix:/run/app.sock"
    )
    group.add_argument(
        "--authorities", metavar="FILE", help="trust these certificates, in PEM, and no others"
    )
    group.add_argument("--certificate", metavar="FILE", help="a certificate to show, in PEM")
    group.add_argument("--private-key", metavar="FILE", help="its key (default: in the same file)")
    group.add_argument(
        "--server-name", metavar="NAME", help="whom the server's certificate must be for"
    )


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """
    :return: options for :class:`~txtokensock.TokenSocket`.
    :raises InvalidOption: for what cannot be.
    """
    given = vars(arguments)
    chosen = {
        option: given[name]
        for option, name in (
            ("transports", "transport"),
            ("proxy", "proxy"),
            ("endpoint", "endpoint"),
        )
        if name in given
    }
    if "header" in given:
        chosen["headers"] = check_headers(dict(given["header"]))
    # Where one transport is not answered, there must be time for the next.
    step = min(_LONGEST_STEP, arguments.timeout / 3)
    chosen["timeouts"] = Timeouts(
        token=arguments.timeout * 0.9, connect=step, handshake=step, open=step
    )
    policy = {name: given[name] for name in _TLS if name in given}
    if policy:
        chosen["tls"] = TLSPolicy(**policy)
    return chosen


def in_our_words(text: str) -> str:
    """An error of the client's, with the options of the command for those of Python."""
    for theirs, ours in _IN_OUR_WORDS.items():
        text = text.replace(theirs, ours)
    return text


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError("it is not of the form 'NAME: VALUE'")
    return name.strip(), value.strip()


def _proxy(text: str) -> str | bool:
    if text == "none":
        return False
    try:
        Proxy.parse(text, "it")
    except InvalidOption as problem:  # which quotes nothing, for it may hold a password
        raise argparse.ArgumentTypeError(str(problem)) from None
    return text
