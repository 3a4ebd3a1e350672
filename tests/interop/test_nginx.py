"""
Streams through nginx, which keeps what it is sent until it has enough of it, unless the answer
says otherwise.
"""

from __future__ import annotations

import time
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from txtokensock import TokenSocket

from .embedded import EmbeddedServer
from .nginx import Nginx
from .support import InteropTestCase, within
from .test_bridge_http import BridgeTestCase, Reader

HEARTBEAT = 25.0
"""Seconds after which a buffering proxy gets more, by default."""

SOON = HEARTBEAT / 5
TEXT = "x" * 5000


class _FirstFrame:
    """Collects a body until it has a text."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._received = b""
        self.found: Deferred[None] = Deferred()

    def __call__(self, data: bytes) -> None:
        self._received += data
        if self._text in self._received and not self.found.called:
            self.found.callback(None)


class SockJSBehindNginx(InteropTestCase):
    """The transports that stream."""

    programs = ("nginx",)

    async def setUp(self) -> None:
        await super().setUp()
        self.embedded = EmbeddedServer()
        self.addCleanup(self.embedded.close)
        await self.embedded.start()
        self.nginx = await self.started(Nginx(self.embedded.url))

    async def assert_soon(self, transport: str) -> None:
        socket = TokenSocket(self.nginx.url, transports=[transport], reactor=reactor)
        self.addCleanup(socket.end)
        begun = time.monotonic()
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(await within(socket.rpc("echo", TEXT)), TEXT)
        self.assertLess(time.monotonic() - begun, SOON)

    async def test_xhr_streaming(self) -> None:
        """Frames of xhr-streaming come well before the heartbeat."""
        await self.assert_soon("xhr-streaming")

    async def test_eventsource(self) -> None:
        """Those of eventsource, too."""
        await self.assert_soon("eventsource")

    async def test_xhr_polling(self) -> None:
        """A poll is one whole answer, which nginx passes on at once anyway."""
        await self.assert_soon("xhr-polling")

    async def test_websocket(self) -> None:
        """A WebSocket is not buffered."""
        await self.assert_soon("websocket")

    async def test_htmlfile(self) -> None:
        """The page of htmlfile shows the open frame well before the heartbeat."""
        begun = time.monotonic()
        response: Any = await within(
            treq.get(
                f"{self.nginx.url}/sockets/000/htmlfile-session/htmlfile?c=f",
                unbuffered=True,
                persistent=False,
            )
        )
        opened = _FirstFrame(b'p("o")')
        body = response.collect(opened)
        await within(opened.found)
        self.assertLess(time.monotonic() - begun, SOON)
        body.addErrback(lambda _: None)  # the server goes
        body.cancel()


class BridgeBehindNginx(BridgeTestCase):
    """The event streams of the bridge."""

    programs = ("nginx",)

    async def test_events(self) -> None:
        """An event comes well before the heartbeat."""
        bridge = await self.bridge()
        nginx = await self.started(Nginx(bridge.url))
        reader = await self.started(Reader(f"{nginx.url}/events?channel=news"))
        begun = time.monotonic()
        await within(bridge.ask("/publish", {"topic": "news", "args": ["hello"]}))
        await reader.until(lambda: reader.messages() == ["hello"], what="message")
        self.assertLess(time.monotonic() - begun, SOON)
