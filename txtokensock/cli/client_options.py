"""
Translates options of the command to those of the client, and the client's errors back.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..client.credentials import encode_credentials
from ..errors import InvalidOption
from ..web.client.headers import check_headers

if TYPE_CHECKING:
    from ..web.tls.policy import TLSPolicy

__all__ = ["credentials", "in_our_words", "options"]

_IN_OUR_WORDS = {
    "tls=TLSPolicy(certificate=..., private_key=...)": "--certificate",
    "tls=TLSPolicy(server_name=...)": "--server-name",
    "tls=TLSPolicy(authorities=...)": "--authorities",
    "authorities= of TLSPolicy": "--authorities",
    "endpoint and proxy": "--endpoint and --proxy",
    "proxy=": "--proxy",
}
"""The client's options in error texts, and the command's options that they stand for."""

_LONGEST_STEP = 10.0

_TLS = ("authorities", "certificate", "private_key", "server_name")


def credentials(pairs: list[tuple[list[str], str]]) -> dict[str, Any]:
    """
    :param pairs: such as ``[(["a", "b"], "1")]``, of :func:`.values.credential`.
    :return: such as ``{"a": {"b": "1"}}``.
    :raises InvalidOption: for a key that is given twice, and for what cannot be sent; the
        text shows no value.
    """
    nested: dict[str, Any] = {}
    for path, value in pairs:
        inner: Any = nested
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InvalidOption(f"--auth {'.'.join(path)}: {key!r} has a value already")
        if path[-1] in inner:
            raise InvalidOption(f"--auth {'.'.join(path)} is given twice")
        inner[path[-1]] = value
    encode_credentials(nested)
    return nested


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """
    :param arguments: ``timeout``, and those of ``transport``, ``header``, ``proxy``,
        ``endpoint`` and of TLS that were given.
    :return: the options of :class:`~txtokensock.TokenSocket` that say how it connects.
    :raises InvalidOption: if one is not valid.
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
    policy = {name: given[name] for name in _TLS if name in given}
    if policy:
        chosen["tls"] = _tls_policy(policy)
    # Imported last, for it loads Twisted, and usage errors do not wait for that.
    from ..support.timeouts import Timeouts

    # If one transport is not answered, there must be time for the next.
    step = min(_LONGEST_STEP, arguments.timeout / 3)
    chosen["timeouts"] = Timeouts(
        token=arguments.timeout * 0.9, connect=step, handshake=step, open=step
    )
    return chosen


def _tls_policy(options: dict[str, str]) -> TLSPolicy:
    """Files that cannot be used are found before Twisted's TLS is loaded, which is slow."""
    from ..web.tls.pem import read_certificates, read_identity

    if "authorities" in options:
        read_certificates("authorities", options["authorities"])
    read_identity(options.get("certificate"), options.get("private_key"))
    from ..web.tls.policy import TLSPolicy

    return TLSPolicy(**options)


def in_our_words(text: str) -> str:
    """The text of a client's error, with the command's names of its options."""
    for theirs, ours in _IN_OUR_WORDS.items():
        text = text.replace(theirs, ours)
    return text
