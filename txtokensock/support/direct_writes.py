"""
Writes to a TCP connection without waiting for a turn of the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer

__all__ = ["follow_buffer", "is_plain_tcp", "write_now"]


def is_plain_tcp(transport: Any) -> bool:
    """Whether a transport is a TCP connection of Twisted's own, without TLS, that is open."""
    return isinstance(transport, Connection) and bool(transport.connected) and not transport.TLS


def write_now(transport: Any) -> None:
    """
    Have a TCP transport give what it holds to the kernel, as much as that takes, as the reactor
    would at the next turn.  It does so by ``IWriteDescriptor``: what cannot be written stays,
    and the reactor goes on with it, and notices where the connection was lost.

    Any other transport, one with TLS, and one that is being closed, whose end only the reactor
    can see to, are left alone.

    :param transport: has something to write.
    """
    if is_plain_tcp(transport) and not transport.disconnecting:
        transport.doWrite()


def follow_buffer(transport: Any, owner: IPushProducer) -> Callable[[bytes], object]:
    """
    Follow the buffer of a transport: ``owner`` is paused when it is full, and resumed when it has
    drained.  All that is written from now on has to be written by what is returned, until the
    producer of the transport is unregistered.

    :return: writes bytes; to a TCP connection without TLS straight into the kernel, as long as
        that has room and nothing else waits.
    """
    if is_plain_tcp(transport):
        return _DirectWriter(transport, owner).write
    transport.registerProducer(owner, True)
    write: Callable[[bytes], object] = transport.write
    return write


@implementer(IPullProducer)
class _DirectWriter:
    """
    What the kernel does not take is left to the transport, and then all that follows, until a
    pull producer is asked for more: that is when nothing waits any more.
    """

    __slots__ = ("_owner", "_send", "_transport", "_waiting")

    def __init__(self, transport: Connection, owner: IPushProducer) -> None:
        self._transport = transport
        self._send = transport.getHandle().send
        self._owner = owner
        self._wait()
        write_now(transport)  # of what was written before, if there is anything
        if self._waiting:
            owner.pauseProducing()

    def write(self, data: bytes) -> None:
        """Write bytes; what was written before leaves first."""
        if self._waiting:
            self._transport.write(data)
            return
        try:
            sent = self._send(data)
        except OSError:
            sent = 0  # there is no room, or the connection is lost, which the reactor will notice
        if sent < len(data):
            self._transport.write(data[sent:])
            self._wait()
            self._owner.pauseProducing()

    def _wait(self) -> None:
        self._waiting = False  # for a producer is asked as soon as it is registered
        self._transport.registerProducer(self, False)
        self._waiting = True

    def resumeProducing(self) -> None:
        """Write into the kernel again: the transport has nothing any more."""
        if self._waiting:
            self._waiting = False
            self._transport.unregisterProducer()
            self._owner.resumeProducing()

    def stopProducing(self) -> None:
        """Do nothing: the connection is lost, and ``connectionLost`` follows."""
