"""
``[upstream]``: the token-sockjs server that everything goes to and comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from random import random
from typing import Any

from msgspec import field
from msgspec.structs import asdict
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS

from ...address import Address, addresses, url_path
from ...client.credentials import encode_credentials
from ...config.numbers import counts, seconds
from ...config.section import Problem, Secret, Section, checked, revealed
from ...config.tls import TlsConfig
from ...errors import InvalidAddress, InvalidOption
from ...sockjs import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_TRANSPORTS
from ...sockjs.client.transports import check_transports
from ...support.backoff import Backoff
from ...support.timeouts import Timeouts
from ...web.client.headers import check_headers
from ...web.client.proxies import proxy_for
from .backoff import BackoffConfig, backoff_problems

__all__ = ["TimeoutsConfig", "UpstreamBackoff", "UpstreamConfig", "problems"]


class _Lasting(Backoff):
    """What an operator mends on the server must not need a restart here as well."""

    def retry(self, failure: Failure, attempt: int) -> float:
        """See :class:`~txtokensock.Backoff`; what would give up is tried slowly instead."""
        wait = super().retry(failure, attempt)
        return self.refusal_delay() if wait is None else wait

    def hold(self, error: Exception, attempt: int) -> float:
        """See :class:`~txtokensock.Backoff`; no host is passed over for good."""
        hold = super().hold(error, attempt)
        return self.refusal_delay() if hold == math.inf else hold


class UpstreamBackoff(BackoffConfig, frozen=True):
    """
    See :class:`~txtokensock.Backoff`.  A bridge never gives up: what no retry can mend, an
    operator may, so that it is tried again as a refusal is, slowly.
    """

    stable_after: float = 10.0
    refused: float = 60.0
    longest_retry_after: float = 3600.0

    def build(self, *, jitter: Callable[[], float] = random) -> Backoff:
        """Make the policy that these options describe, which never gives up."""
        return _Lasting(**asdict(self), jitter=jitter)


class TimeoutsConfig(Section, frozen=True):
    """See :class:`~txtokensock.Timeouts`; all in seconds."""

    token: float = 10.0
    connect: float = 10.0
    handshake: float = 10.0
    open: float = 10.0
    auth: float = 30.0
    send: float = 30.0
    close: float = 5.0

    def build(self) -> Timeouts:
        """Make the deadlines that these options describe."""
        return Timeouts(**asdict(self))


class UpstreamConfig(Section, frozen=True):
    """
    Every option of :class:`~txtokensock.TokenSocket` that a file can hold.

    :ivar authentication: anywhere in it, a table of just ``env`` or ``file`` is a
        :class:`~txtokensock.config.section.Secret`, read before every attempt to connect.
    :ivar headers: values are text or secrets, which are read before every attempt, too.
    :ivar proxy: a URL, a secret, or a boolean as for the socket.
    :ivar tls: how certificates are checked, and what we show for one.
    """

    host: str | list[str]
    port: int | None = None
    shuffle: bool = False
    token_path: str = "/socket/token"
    socket_prefix: str = "/sockets"
    authentication: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str | Secret] = field(default_factory=dict)
    transports: list[str] = field(default_factory=lambda: [*DEFAULT_TRANSPORTS])
    info: bool = False
    proxy: str | bool | Secret = True
    endpoint: str | None = None
    ping: float | None = None
    ping_timeout: float = 10.0
    silence_timeout: float | None = 60.0
    call_timeout: float = 60.0
    queue_limit: int = 10_000
    buffer_limit: int = 1000
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    backoff: UpstreamBackoff = field(default_factory=UpstreamBackoff)
    timeouts: TimeoutsConfig = field(default_factory=TimeoutsConfig)
    tls: TlsConfig | None = None

    def addresses(self) -> list[Address]:
        """
        Where it is, or where each of several is.

        :raises InvalidAddress: if that cannot be read.
        """
        return addresses(self.host, self.port)

    def credentials(self) -> dict[str, Any]:
        """
        ``authentication`` with its secrets.

        :raises SecretUnavailable: if one cannot be read.
        """
        return {key: _revealed(value) for key, value in self.authentication.items()}

    def revealed_headers(self) -> dict[str, str]:
        """``headers`` with their secrets; see :meth:`credentials`."""
        return {name: revealed(value) for name, value in self.headers.items()}

    def revealed_proxy(self) -> str | bool:
        """``proxy``, read now; see :meth:`credentials`."""
        return self.proxy if isinstance(self.proxy, bool) else revealed(self.proxy)

    def policy(self) -> IPolicyForHTTPS | None:
        """
        What decides on certificates; None for the default.

        :raises InvalidOption: if a file of it cannot be used.
        """
        return None if self.tls is None else self.tls.policy()


def _revealed(value: Any) -> Any:
    if isinstance(value, Mapping):
        if len(value) == 1 and value.keys() <= {"env", "file"}:
            return Secret(**value).reveal()
        return {key: _revealed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_revealed(inner) for inner in value]
    return value


def problems(section: UpstreamConfig, path: str) -> Iterator[Problem]:
    """What is wrong with ``[upstream]``."""
    yield from checked(f"{path}.host", section.addresses)
    yield from checked(f"{path}.token_path", url_path, "token_path", section.token_path)
    yield from checked(f"{path}.socket_prefix", url_path, "socket_prefix", section.socket_prefix)
    yield from checked(f"{path}.tls", section.policy)
    yield from checked(f"{path}.transports", check_transports, section.transports)
    yield from checked(f"{path}.proxy", _check_proxy, section)
    for key, value in section.authentication.items():
        yield from checked(f"{path}.authentication.{key}", _check_credentials, {key: value})
    for name, header in section.headers.items():
        yield from checked(f"{path}.headers.{name}", _check_header, name, header)
    yield from seconds(section, path, "ping", "ping_timeout", "silence_timeout", "call_timeout")
    yield from counts(section, path, "queue_limit", "buffer_limit", "max_message_size")
    yield from backoff_problems(section.backoff, f"{path}.backoff")
    yield from seconds(section.timeouts, f"{path}.timeouts", *section.timeouts.__struct_fields__)


def _check_credentials(credentials: dict[str, Any]) -> None:
    encode_credentials({key: _revealed(value) for key, value in credentials.items()})


def _check_proxy(section: UpstreamConfig) -> None:
    proxy = section.revealed_proxy()
    if section.endpoint is not None and isinstance(proxy, str):
        raise InvalidOption("endpoint and proxy exclude each other: each is the whole way")
    with suppress(InvalidAddress):  # whose problem is that of another option
        first = section.addresses()[0]
        proxy_for(proxy, first.host, first.port, secure=first.secure)


def _check_header(name: str, value: str | Secret) -> None:
    check_headers({name: revealed(value)})
