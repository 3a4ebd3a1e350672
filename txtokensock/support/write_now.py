"""
Writes what was written to a TCP connection without a turn of the reactor.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection

__all__ = ["write_now"]


def write_now(transport: Any) -> None:
    """
    Have a TCP transport give what it holds to the kernel, as much as that takes, as the reactor
    would at the next turn.  It does so by ``IWriteDescriptor``: what cannot be written stays,
    and the reactor goes on with it, and notices where the connection was lost.

    Any other transport, one with TLS, and one that is being closed, whose end only the reactor
    can see to, are left alone.

    :param transport: has something to write.
    """
    if (
        isinstance(transport, Connection)
        and transport.connected
        and not transport.disconnecting
        and not transport.TLS
    ):
        transport.doWrite()
