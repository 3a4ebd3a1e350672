"""
The sockets that are soaked: all kinds of them, and none patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from txtokensock import Backoff, Timeouts, TokenSocket
from txtokensock.errors import ActionError

__all__ = ["Way", "new_socket"]

PATIENCE: dict[str, Any] = {
    "call_timeout": 20.0,
    "queue_limit": 400,
    "ping": 2.0,
    "ping_timeout": 3.0,
    "silence_timeout": 6.0,
    "backoff": Backoff(cap=2.0, stable_after=3.0),
    "timeouts": Timeouts(token=4.0, connect=4.0, handshake=4.0, open=4.0, auth=6.0, close=2.0),
}
"""Deadlines that some of the faults outlast and others do not."""


@dataclass(frozen=True)
class Way:
    """
    How to the server: always through the network that fails.

    :ivar url: of the server, for those that go to it directly.
    :ivar proxy: URL of the proxy, for the others.
    :ivar behind: of the server, as the proxy sees it.
    """

    url: str
    proxy: str
    behind: str


def new_socket(way: Way, name: str, kind: str) -> TokenSocket:
    """
    A client as the soak's are, with actions that the server calls.

    :param kind: a transport, or ``auto`` for the default ones, and ``+proxy`` after that
        for one that goes through the proxy.
    """
    transport, _, proxied = kind.partition("+")
    options: dict[str, Any] = {} if transport == "auto" else {"transports": [transport]}
    return TokenSocket(
        way.behind if proxied else way.url,
        authentication={"user": name},
        actions={"add": sum, "later": _later, "refuse": _refuse},
        proxy=way.proxy if proxied else False,
        reactor=reactor,
        **PATIENCE,
        **options,
    )


def _later(data: Any) -> Deferred[Any]:
    return deferLater(reactor, 0.2, lambda: sum(data))


def _refuse(data: Any) -> Any:
    raise ActionError({"refused": data})
