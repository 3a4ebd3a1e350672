"""
npm's token-sockjs-client 2.2.0 in Chromium against our ``TokenSocketServer``, over each
transport of sockjs-client that is for browsers.
"""

from __future__ import annotations

from typing import Any

from txtokensock.server import Peer

from .browser import Chromium, page
from .embedded import EmbeddedServer
from .peers import JavaScriptPeer
from .support import InteropTestCase
from .test_embedded_server import JavaScriptClients


class Pages(JavaScriptClients):
    """The tests of JavaScript clients, in a page that the server's own site serves."""

    programs = ("npm", "chromium")

    def server(self: Any) -> EmbeddedServer:
        # A polling page that is closed is missed only after this.
        return EmbeddedServer(page(), sockjs={"disconnect_delay": 2.0})

    def program(self: Any) -> Chromium:
        return Chromium(self.embedded.url, *self.client)

    async def peer(self: Any) -> tuple[JavaScriptPeer, Peer]:
        peer, there = await super().peer()
        (transport,) = self.client
        sessions = self.embedded.server._running_server.sockjs._table._sessions
        self.assertEqual({session.transport.name for session in sessions}, {transport})
        return peer, there


class WebSocket(Pages, InteropTestCase):
    """The browser's own WebSocket."""

    client = ("websocket",)


class XHRStreaming(Pages, InteropTestCase):
    """XMLHttpRequest whose response goes on."""

    client = ("xhr-streaming",)


class EventSource(Pages, InteropTestCase):
    """Server-sent events."""

    client = ("eventsource",)


class XHRPolling(Pages, InteropTestCase):
    """XMLHttpRequest, one for each answer."""

    client = ("xhr-polling",)
