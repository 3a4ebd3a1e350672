"""
The limits of a site, and what becomes of who crosses one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from twisted.logger import Logger

from ...support.checks import check_count, check_seconds
from ...support.once_a_minute import OnceAMinute

__all__ = ["Refusal", "Refusals", "SiteLimits"]

Refusal: TypeAlias = Literal[
    "connections",
    "connections_per_address",
    "descriptors",
    "head_timeout",
    "body_timeout",
    "bodies_per_address",
    "temporary_files",
]
"""
Which limit a connection has crossed: those of :class:`SiteLimits`; and ``descriptors`` and
``temporary_files``, the process's own.
"""

_WORDS: dict[Refusal, str] = {
    "connections": "there are connections={limit} already",
    "connections_per_address": "one address has connections_per_address={limit}",
    "descriptors": "of the {limit} descriptors that this process may open few are left: raise"
    " LimitNOFILE of systemd, or ulimit -n",
    "head_timeout": "a request's head, or the TLS handshake before it, took longer than"
    " head_timeout={limit}",
    "body_timeout": "a request's body took longer than body_timeout={limit} and body_rate allow",
    "temporary_files": "bodies over 8 KiB are in temporary files, and one address has {limit} of"
    " them, or there is no room for more",
    "bodies_per_address": "one address sends bodies_per_address={limit} bytes at once",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimits:
    """
    The limits of a site.  Addresses are those of TCP; those of trusted proxies have no limit of
    their own.  IPv6 addresses count by their network of 64 bits.

    :ivar max_body: bytes of a request's body.
    :ivar connections: connections of all clients at once; None for any number.  With the last
        one taken, a newcomer gets the place of the oldest that has sent no complete head within
        a second.
    :ivar connections_per_address: the same for one address, from ``accept`` on; none gets more
        than half of the descriptors that the process may open.
    :ivar bodies_per_address: bytes of the bodies that one address is sending, or that are being
        worked on; None for 16 of the largest.
    :ivar head_timeout: seconds for the head of a request, from its first byte; for the first
        one from ``accept``, TLS handshake included.  Later ones get 408, and the connection is
        closed.
    :ivar body_timeout: seconds for a body, and then as long as it comes at ``body_rate``; also
        408.
    :ivar body_rate: bytes per second, on average over the whole body.
    :ivar idle_timeout: seconds that a connection may stay open between two requests.
    :raises InvalidOption: if one is not a positive number.
    """

    max_body: int
    connections: int | None = None
    connections_per_address: int | None = None
    bodies_per_address: int | None = None
    head_timeout: float = 10.0
    body_timeout: float = 20.0
    body_rate: int = 500
    idle_timeout: float = 60.0

    def __post_init__(self) -> None:
        for name in ("max_body", "body_rate"):
            check_count(name, getattr(self, name))
        for name in ("connections", "connections_per_address", "bodies_per_address"):
            check_count.optional(name, getattr(self, name))
        for name in ("head_timeout", "body_timeout", "idle_timeout"):
            check_seconds(name, getattr(self, name))

    @property
    def most_body_bytes(self) -> int:
        """``bodies_per_address``, or its default."""
        return self.bodies_per_address or 16 * self.max_body


class Refusals:
    """
    Counts and logs those that cross a limit: each limit once a minute, with how many there were.

    :param seconds: the clock.
    :param on_refusal: called with each.
    """

    _log = Logger()

    def __init__(
        self, seconds: Callable[[], float], on_refusal: Callable[[Refusal], object] | None
    ) -> None:
        self._on_refusal = on_refusal
        self._lines = OnceAMinute(seconds)

    def add(self, refusal: Refusal, limit: float | None) -> None:
        """
        :param refusal: which limit was crossed.
        :param limit: what it is.
        """
        if self._on_refusal is not None:
            self._on_refusal(refusal)
        if count := self._lines.count(refusal):
            self._log.warn(
                "turned {count} connections away: {why}",
                count=count,
                why=_WORDS[refusal].format(limit=limit),
                event="site.refused",
                reason=refusal,
            )
