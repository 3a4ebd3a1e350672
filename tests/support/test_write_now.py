"""
What was written leaves without a turn of the reactor.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.write_now import write_now


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


class WriteNowTests(SynchronousTestCase):
    """Transports in every state."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.socket = Socket()
        self.transport = self.connection()

    def connection(self) -> Any:
        """A connection over that socket."""
        any_socket: Any = self.socket
        transport: Any = Connection(any_socket, Protocol(), self.reactor)
        transport.connected = 1
        return transport

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
