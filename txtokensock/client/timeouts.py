"""
How long each phase of a connection may take.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..support.checks import check_seconds

__all__ = ["Timeouts"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    The deadline of each phase of an attempt to connect, of sending over HTTP, and of
    closing; all in seconds.  Each transport that an attempt tries has its own ``connect``,
    ``handshake`` and ``open``.

    :ivar token: asking ``authentication`` and the whole token request.
    :ivar connect: TCP and TLS.
    :ivar handshake: the answer to the WebSocket handshake, or to the first HTTP request of
        another transport.
    :ivar open: the wait for SockJS's ``o`` frame.
    :ivar auth: the wait for the answer to ``auth``; the server may call our actions
        meanwhile and wait for them.
    :ivar send: each request with messages, where a transport over HTTP is used; after that
        the connection is dropped.
    :ivar close: an orderly close; after that the connection is dropped.
    :raises InvalidOption: for a value that is not a positive, finite number.
    """

    token: float = 10.0
    connect: float = 10.0
    handshake: float = 10.0
    open: float = 10.0
    auth: float = 30.0
    send: float = 30.0
    close: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_seconds(f"timeouts.{field.name}", getattr(self, field.name))
