"""
One TCP connection through the soak's network, and what can befall it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Cut", "Lane", "Mode", "Relay", "Side"]

_ENOUGH = 64 * 1024


class Mode(Enum):
    """What a direction does with bytes."""

    PASS = "hand them on"
    HOLD = "read no more"
    SWALLOW = "read them, and forget them"
    DRIP = "hand on a few at a time"


@dataclass
class Cut:
    """
    The end of a connection after so many bytes of the server's.

    :ivar budget: how many.
    :ivar how: ``reset``, ``close``, or ``silence``: as if a cable was cut.
    """

    budget: int
    how: str


class Side(Protocol):
    """One of the two sockets."""

    transport: Any
    lane: Lane
    """Of what this side sends."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connectionMade(self) -> None:
        self._relay.joined()

    def dataReceived(self, data: bytes) -> None:
        self.lane.feed(data)
        self._relay.look_at_cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = False
        self._relay.lost(self, reason)

    def end(self, abort: bool) -> None:
        """End this socket, with RST or with FIN."""
        if not self.connected:
            return
        if abort:
            self.transport.abortConnection()
        else:
            self.transport.unregisterProducer()  # or it is waited for
            self.transport.loseConnection()


@implementer(IPushProducer)
class Lane:
    """
    One direction of a connection.

    :param source: whose bytes these are.
    :param target: where they go.
    :ivar spoilt: whether bytes are missing, so that the connection must not go on.
    """

    def __init__(self, source: Side, target: Side) -> None:
        self._source = source
        self._target = target
        self._mode = Mode.PASS
        self._buffer = bytearray()
        self._full = self._paused = False
        self._end: Callable[[], None] | None = None
        self.spoilt = False
        self.cut: Cut | None = None

    def feed(self, data: bytes) -> None:
        """The source sent this."""
        if self._mode is Mode.SWALLOW:
            self.spoilt = True
            return
        if self.cut is not None:
            self.spoilt = self.spoilt or len(data) > self.cut.budget
            data = data[: self.cut.budget]
            self.cut.budget -= len(data)
        self._buffer += data
        self._go_on()

    def set_mode(self, mode: Mode) -> None:
        """From now on."""
        self._mode = mode
        if mode is Mode.SWALLOW and self._buffer:
            self.spoilt = True
            self._buffer.clear()
        self._go_on()

    def drip(self, size: int) -> None:
        """Hand on that many bytes."""
        if self._mode is Mode.DRIP:
            self._hand_on(size)
            self._go_on()

    def finish(self, end: Callable[[], None]) -> None:
        """Nothing comes any more: ``end`` is called when all was handed on."""
        self._end = end
        self._go_on()

    def joined(self) -> None:
        """One of the sockets, or both, are connected."""
        self._go_on()

    def _go_on(self) -> None:
        if self._mode is Mode.PASS:
            self._hand_on(len(self._buffer))
        if self._end is not None and not self._buffer and self._mode in (Mode.PASS, Mode.DRIP):
            self._end()
            return
        barred = self._full or self._mode is Mode.HOLD or not self._target.connected
        stop = barred or len(self._buffer) > _ENOUGH
        if self._source.connected and stop is not self._paused:
            self._paused = stop
            if stop:
                self._source.transport.pauseProducing()
            else:
                self._source.transport.resumeProducing()

    def _hand_on(self, size: int) -> None:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        if data and self._target.connected:
            self._target.transport.write(data)

    # -- IPushProducer: the target's socket is full, or not any more

    def pauseProducing(self) -> None:
        """Read no more of the source."""
        self._full = True
        self._go_on()

    def resumeProducing(self) -> None:
        """Read it again."""
        self._full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The target is gone."""


class Relay:
    """
    A connection: the client's socket, and ours to the server.

    :param gone: called when neither is left.
    :ivar inwards: what the client sends.
    :ivar outwards: what the server sends.
    """

    def __init__(self, gone: Callable[[Relay], None]) -> None:
        self.client, self.server = Side(self), Side(self)
        self.inwards = Lane(self.client, self.server)
        self.outwards = Lane(self.server, self.client)
        self.client.lane, self.server.lane = self.inwards, self.outwards
        self._gone = gone
        self._over = False

    def joined(self) -> None:
        """One of the sockets is connected, or now both are."""
        if self._over:  # told so while it was being connected
            self.reset()
        elif self.client.connected and self.server.connected:
            self.client.transport.registerProducer(self.outwards, True)
            self.server.transport.registerProducer(self.inwards, True)
            self.look_at_cut()
        self.inwards.joined()
        self.outwards.joined()

    def look_at_cut(self) -> None:
        """The end, where it was told to come now."""
        cut = self.outwards.cut
        if cut is None or cut.budget:
            return
        self.outwards.cut = None
        if cut.how == "silence":
            self.set_modes(Mode.SWALLOW, Mode.SWALLOW)
        elif cut.how == "reset":
            self.reset()
        else:
            self.close()

    def set_modes(self, inwards: Mode | None, outwards: Mode | None) -> None:
        """From now on; None changes nothing."""
        if inwards is not None:
            self.inwards.set_mode(inwards)
        if outwards is not None:
            self.outwards.set_mode(outwards)

    def drip(self, size: int) -> None:
        """Hand on that many bytes, in each direction that drips."""
        self.inwards.drip(size)
        self.outwards.drip(size)

    def heal(self) -> None:
        """Everything passes again; what has missed bytes meanwhile is reset."""
        if self.inwards.spoilt or self.outwards.spoilt:
            self.reset()
        else:
            self.set_modes(Mode.PASS, Mode.PASS)

    def reset(self) -> None:
        """Both sockets end with RST."""
        self._end(abort=True)

    def close(self) -> None:
        """Both sockets end with FIN."""
        self._end(abort=False)

    def _end(self, abort: bool) -> None:
        self._over = True
        for side in (self.client, self.server):
            side.end(abort)

    def lost(self, side: Side, reason: Failure) -> None:
        """One of the sockets is gone."""
        other = self.server if side is self.client else self.client
        if not other.connected:
            self._over = True  # the other one may yet be connected
            self._gone(self)
        elif not self._over:
            abort = reason.check(ConnectionDone) is None
            side.lane.finish(lambda: other.end(abort))
