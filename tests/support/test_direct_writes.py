"""
What was written leaves without a turn of the reactor.
"""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.direct_writes import follow_buffer, write_now


class Socket:
    """A socket of which the kernel takes so many bytes."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.sent = b""
        self.calls = 0

    def setblocking(self, blocking: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        return 17

    def send(self, data: bytes) -> int:
        self.calls += 1
        if not self.room:
            raise BlockingIOError(socket.EWOULDBLOCK, "full")
        if self.room < 0:
            raise BrokenPipeError(socket.EBADF, "gone")
        taken = bytes(data[: self.room])
        self.sent += taken
        self.room -= len(taken)
        return len(taken)


class ConnectionTests(SynchronousTestCase):
    """
    What there is for each test.

    :ivar transport: a connection over the socket.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.socket = Socket()
        any_socket: Any = self.socket
        self.transport: Any = Connection(any_socket, Protocol(), self.reactor)
        self.transport.connected = 1


class WriteNowTests(ConnectionTests):
    """Transports in every state."""

    def test_all_leaves(self) -> None:
        """What was written is the kernel's, and the reactor has nothing left to do."""
        self.transport.write(b"one")
        self.transport.write(b"two")
        write_now(self.transport)
        self.assertEqual(self.socket.sent, b"onetwo")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_the_rest_waits(self) -> None:
        """What the kernel does not take is the reactor's, as it always was."""
        for room in (0, 2):
            self.socket.room = room
            self.transport.write(b"abcd")
            write_now(self.transport)
            self.assertEqual(self.reactor.getWriters(), [self.transport])
        self.socket.room = 100
        self.transport.doWrite()
        self.assertEqual(self.socket.sent, b"abcdabcd")

    def test_lost(self) -> None:
        """A connection that is gone raises nothing here: the reactor notices."""
        self.socket.room = -1
        self.transport.write(b"a")
        write_now(self.transport)
        self.assertEqual(self.reactor.getWriters(), [self.transport])

    def test_closing(self) -> None:
        """One that is being closed is the reactor's, which ends it after the last byte."""
        self.transport.write(b"a")
        self.transport.loseConnection()
        write_now(self.transport)
        self.assertEqual(self.socket.calls, 0)
        self.assertIsNotNone(self.transport.doWrite())
        self.assertEqual(self.socket.sent, b"a")

    def test_others(self) -> None:
        """Other transports are left alone, and those that are not connected."""
        write_now(StringTransport())
        self.transport.write(b"a")
        self.transport.connected = 0
        write_now(self.transport)
        self.transport.connected, self.transport.TLS = 1, True
        write_now(self.transport)
        self.assertEqual(self.socket.calls, 0)


class Owner:
    """
    Follows a buffer.

    :ivar full: whether it was paused last.
    :ivar told: how often it was paused or resumed.
    """

    def __init__(self) -> None:
        self.full = False
        self.told = 0

    def pauseProducing(self) -> None:
        self.full = True
        self.told += 1

    def resumeProducing(self) -> None:
        self.full = False
        self.told += 1

    def stopProducing(self) -> None:
        """Nothing is left to stop."""


class FollowBufferTests(ConnectionTests):
    """What is written by the function that follows the buffer."""

    def setUp(self) -> None:
        super().setUp()
        self.owner = Owner()

    def follow(self) -> Any:
        """The function that writes from now on."""
        return follow_buffer(self.transport, self.owner)  # type: ignore[arg-type]

    def test_straight(self) -> None:
        """With room in the kernel, the transport and the reactor never see what is written."""
        write = self.follow()
        calls, self.owner.told = self.socket.calls, 0
        write(b"one")
        write(b"two")
        self.assertEqual(self.socket.sent, b"onetwo")
        self.assertEqual(self.socket.calls - calls, 2)
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertEqual(self.owner.told, 0)

    def test_written_before(self) -> None:
        """What the transport had before leaves first, also where it cannot leave at once."""
        for room in (100, 2, 0):
            self.setUp()
            self.socket.room = room
            self.transport.write(b"before ")
            write = self.follow()
            self.assertEqual(self.owner.full, room < 7)
            write(b"after")
            self.socket.room = 100
            while self.reactor.getWriters():
                self.transport.doWrite()
            self.assertEqual(self.socket.sent, b"before after")
            self.assertFalse(self.owner.full)

    @given(
        st.lists(st.one_of(st.binary(max_size=5), st.integers(0, 9), st.just("turn")), max_size=30)
    )
    def test_order(self, steps: list[bytes | int | str]) -> None:
        """
        However much room the kernel has at any time, every byte leaves once and in order, and
        the owner knows at any time whether something waits.
        """
        self.setUp()
        write = self.follow()
        self.socket.room = 0
        written = b""
        for step in [*steps, 1000, "turn", "turn"]:
            if isinstance(step, bytes):
                written += step
                write(step)
            elif isinstance(step, int):
                self.socket.room = step
            elif self.reactor.getWriters():
                self.transport.doWrite()
            self.assertTrue(written.startswith(self.socket.sent))
            self.assertEqual(self.owner.full, self.socket.sent != written)
        self.assertEqual(self.socket.sent, written)

    def test_lost(self) -> None:
        """On a connection that is gone nothing is raised: the reactor notices."""
        write = self.follow()
        self.socket.room = -1
        write(b"a")
        self.assertEqual(self.reactor.getWriters(), [self.transport])
        self.assertIsNotNone(self.transport.doWrite())

    def test_closing(self) -> None:
        """A connection that is closed while something waits ends after the last byte."""
        write = self.follow()
        self.socket.room = 1
        write(b"ab")
        self.transport.loseConnection()
        self.socket.room = 100
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(self.socket.sent, b"ab")
        self.assertEqual(self.reactor.getWriters(), [self.transport])
        self.assertIsNotNone(self.transport.doWrite())

    def test_others(self) -> None:
        """Other transports write by themselves, and say themselves when they are full."""
        transport = StringTransport()
        write = follow_buffer(transport, self.owner)  # type: ignore[arg-type]
        write(b"a")
        self.assertEqual(transport.value(), b"a")
        self.assertIs(transport.producer, self.owner)
        self.assertTrue(transport.streaming)
