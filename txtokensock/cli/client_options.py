"""
Translates options of the command to those of the client, and the client's errors back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import click

from ..address import addresses
from ..client.credentials import encode_credentials
from ..errors import InvalidOption
from ..web.client.headers import check_headers
from . import values
from .common_options import DEFAULT_HOST, DEFAULT_TIMEOUT, Given
from .contexts import read_context
from .interrupts import interruptible

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
    "(token_path)": "(--token-path)",
    "is socket_prefix right": "is --socket-prefix right",
}
"""The client's options in error texts, and the command's options that they stand for."""

_LONGEST_STEP = 10.0

_AS_THEY_ARE = ("endpoint", "token_path", "socket_prefix")

_TLS = ("authorities", "certificate", "private_key", "server_name")


@dataclass(frozen=True)
class Settings:
    """
    How a command talks to a server.

    :ivar hosts: where the server is.
    :ivar credentials: those of the token request.
    :ivar timeout: seconds that the server may take.
    :ivar verbose: whether to log to stderr.
    :ivar quiet: whether to say nothing but errors.
    :ivar options: those of :class:`~txtokensock.TokenSocket` that say how it connects.
    """

    hosts: list[str]
    credentials: dict[str, Any] = field(repr=False)
    timeout: float
    verbose: bool
    quiet: bool
    options: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, given: Given) -> Self:
        """
        :raises InvalidOption: if an option is not valid, or the context is not.
        """
        chosen = given.environment | given.typed
        if "context" in chosen:
            chosen = read_context(chosen["context"]) | chosen
        hosts = list(chosen.get("host", ())) or [DEFAULT_HOST]
        addresses(hosts)
        timeout = chosen.get("timeout", DEFAULT_TIMEOUT)
        return cls(
            hosts,
            _all_credentials(chosen),
            timeout,
            chosen.get("verbose", False),
            chosen.get("quiet", False),
            _options(chosen, timeout),
        )


def _all_credentials(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the file, and over them those of options and of the terminal."""
    pairs = [values.credential(text) for text in given.get("auth", ())]
    for name in given.get("auth_prompt", ()):
        with interruptible():
            pairs.append((values.key(name), _ask(name)))
    typed = _credentials(pairs)
    return values.auth_file(given["auth_file"]) | typed if "auth_file" in given else typed


def _ask(name: str) -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        raise InvalidOption(f"--auth-prompt {name}: there is no terminal to ask on") from None
    secret: str = click.prompt(name, hide_input=True, err=True)
    return secret


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
    chosen = {name: given[name] for name in _AS_THEY_ARE if name in given}
    if "transport" in given:
        chosen["transports"] = given["transport"]
    if "proxy" in given:
        chosen["proxy"] = values.proxy(given["proxy"])
    if "header" in given:
        chosen["headers"] = check_headers(dict(values.header(text) for text in given["header"]))
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
