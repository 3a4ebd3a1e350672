"""
Translates options of the command to those of the client, and the client's errors back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ..address import addresses
from ..client.credentials import encode_credentials
from ..errors import InvalidOption
from ..web.client.headers import check_headers
from .common_options import DEFAULT_HOST, DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from ..web.tls.policy import TLSPolicy

__all__ = ["Settings", "in_our_words"]

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


@dataclass(frozen=True)
class Settings:
    """
    How a command talks to a server.

    :ivar hosts: where the server is.
    :ivar credentials: those of the token request.
    :ivar timeout: seconds that the server may take.
    :ivar verbose: whether to log to stderr.
    :ivar options: those of :class:`~txtokensock.TokenSocket` that say how it connects.
    """

    hosts: list[str]
    credentials: dict[str, Any] = field(repr=False)
    timeout: float
    verbose: bool
    options: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """
        :param given: the values of :func:`.common_options.common_options` that were given.
        :raises InvalidOption: if one is not valid.
        """
        hosts = list(given.get("host", ())) or [DEFAULT_HOST]
        addresses(hosts)
        timeout = given.get("timeout", DEFAULT_TIMEOUT)
        return cls(
            hosts,
            _credentials(given.get("auth", ())),
            timeout,
            given.get("verbose", False),
            _options(given, timeout),
        )


def _credentials(pairs: Iterable[tuple[list[str], str]]) -> dict[str, Any]:
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


def _options(given: Mapping[str, Any], timeout: float) -> dict[str, Any]:
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
    step = min(_LONGEST_STEP, timeout / 3)
    chosen["timeouts"] = Timeouts(token=timeout * 0.9, connect=step, handshake=step, open=step)
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
