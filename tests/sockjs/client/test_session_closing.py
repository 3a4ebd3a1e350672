"""
The first sign of an end, over HTTP: nothing is sent after it, and the protocol is told.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from txtokensock.errors import SessionLost, SockJSClosed
from txtokensock.sockjs import ISockJSProtocol

from .http_peer import PAGES, PeerTestCase, Request
from .support import Recorder


@implementer(ISockJSProtocol)
class Told(Recorder):
    """
    A protocol that tries to send when it hears of the end.

    :ivar closing: what it was told, with how many messages had come by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closing: list[tuple[int, BaseException | None]] = []

    def connectionClosing(self, reason: Failure) -> None:
        self.closing.append((len(self.received), reason.value))
        assert self.transport.disconnecting
        assert not self.lost
        self.transport.write(b'"late"')


class ClosingTests(PeerTestCase):
    """Sessions over each kind of HTTP requests."""

    def factory(self) -> Factory:
        def build() -> Told:
            self.protocols.append(Told())
            return self.protocols[-1]  # type: ignore[return-value]

        return Factory.forProtocol(build)  # type: ignore[arg-type]

    def told(self, protocol: Any) -> Any:
        """Why it ends, which it was told once and before the end."""
        ((received, reason),) = protocol.closing
        self.assertEqual(received, len(protocol.received))
        return reason

    def test_close_frame(self) -> None:
        """It comes behind messages, and what is written after it is not sent."""
        for transport in PAGES:
            with self.subTest(transport):
                protocol: Any = self.connected(transport)
                self.assertFalse(protocol.transport.disconnecting)
                self.newest(transport).frame(b'a["m"]', b'c[3000,"Go away!"]')
                self.host.settle()
                self.assertIsInstance(self.told(protocol), SockJSClosed)
                self.assertEqual(self.lost(protocol).code, 3000)
                self.assertEqual(protocol.received, [b"m"])
                self.assertEqual(self.requested("xhr_send"), [])

    def test_paused(self) -> None:
        """A protocol that is paused can ask, and hears of it after the messages that wait."""
        protocol: Any = self.connected("xhr-streaming")
        self.newest("xhr-streaming").open()
        self.host.settle()
        request = self.newest("xhr-streaming")
        protocol.dataReceived = lambda data: (  # the first message pauses
            protocol.received.append(data),
            protocol.transport.pauseProducing(),
        )
        request.chunk(b'a["1","2"]\nc[3000,""]\n')  # of two, the second stays with the network
        self.host.settle()
        self.assertEqual(protocol.received, [b"1"])
        self.assertTrue(protocol.transport.disconnecting)
        protocol.transport.resumeProducing()
        self.assertEqual((protocol.received, protocol.closing), ([b"1", b"2"], []))
        protocol.transport.resumeProducing()
        self.host.settle()
        self.assertEqual(protocol.received, [b"1", b"2"])
        self.assertEqual(self.lost(protocol).code, 3000)

    def test_refused_messages(self) -> None:
        """A server that does not take messages has lost the session: that is told at once."""
        for transport in PAGES:
            with self.subTest(transport):
                self.answers["xhr_send"] = Request.drop
                protocol: Any = self.connected(transport)
                protocol.transport.write(b"m")
                self.host.settle()
                self.assertIsInstance(self.told(protocol), SessionLost)
                self.assertIsInstance(self.lost(protocol), SessionLost)

    def test_broken_frames(self) -> None:
        """What is no SockJS ends a session, and nothing is sent while it does."""
        for transport in PAGES:
            with self.subTest(transport):
                protocol: Any = self.connected(transport)
                self.newest(transport).frame(b"?")
                self.host.settle()
                self.told(protocol)
                self.lost(protocol)
                self.assertEqual(self.requested("xhr_send"), [])

    def test_own_end(self) -> None:
        """Who closes or aborts knows, and is told of the end alone."""
        for transport in PAGES:
            for end in ("loseConnection", "abortConnection"):
                with self.subTest(transport, end=end):
                    protocol: Any = self.connected(transport)
                    getattr(protocol.transport, end)()
                    self.assertTrue(protocol.transport.disconnecting)
                    self.lost(protocol)
                    self.assertEqual(protocol.closing, [])
