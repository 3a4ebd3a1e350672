"""
npm's token-sockjs-client 2.2.0 in Chromium against our ``TokenSocketServer``, over each
transport of sockjs-client that is for browsers.
"""

from __future__ import annotations

import hashlib
import json
import sys
from base64 import b64encode
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from tests.kit.ports import ReservedPort
from txtokensock.server import Peer
from txtokensock.sockjs.server.options import SOCKJS_INTEGRITY, SOCKJS_URL

from .browser import Chromium, Window, page
from .embedded import EmbeddedServer
from .peers import JavaScriptPeer
from .servers import NODE
from .support import InteropTestCase, until, within
from .test_embedded_server import JavaScriptClients
from .test_examples import EXAMPLES, LOOPBACK, Python, example
from .twistd import Serve


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


class TokenByScript(InteropTestCase):
    """
    Pages whose client has a scheme in ``host``: they ask for the token with a script (JSONP), also
    from their own origin.
    """

    programs = ("npm", "chromium")
    timeout = 90

    async def pages(self) -> EmbeddedServer:
        """A server, and a site with the page."""
        server = EmbeddedServer(page())
        self.addCleanup(server.close)
        await server.start()
        return server

    async def test_own_origin(self) -> None:
        """A page of the server's own needs no option."""
        server = await self.pages()
        browser = await self.started(Chromium(server.url, "websocket", server.url))
        self.assertEqual(await within(browser.call("rpc", "echo", {"a": 1})), {"a": 1})

    async def test_listed_origin(self) -> None:
        """A page of another origin needs ``--allowed-origin``, over every transport."""
        pages = await self.pages()
        server = await self.started(Serve("--allowed-origin", pages.url))
        for transport in ("websocket", "xhr-streaming", "eventsource", "xhr-polling"):
            host = f"http://{server.address}"
            browser = await self.started(Chromium(pages.url, transport, host))
            self.assertEqual(await within(browser.call("rpc", "echo", {"a": 1})), {"a": 1})

    async def test_other_origin(self) -> None:
        """One that is not listed gets no token, and the log names the option."""
        pages = await self.pages()
        server = await self.started(Serve())
        browser = await self.started(_Refused(pages.url, "websocket", f"http://{server.address}"))
        self.assertIn("error", browser.seen("ready")[0])
        await until(lambda: any("allowed-origin" in line for line in server.output))


class ExamplePageTests(InteropTestCase):
    """``examples/browser``, under the Content-Security-Policy that its server sends."""

    programs = ("npm", "chromium")
    timeout = 90

    async def pages(self, *options: str) -> Python:
        """The example's server."""
        packages = str(NODE / "node_modules")
        arguments = ("--packages", packages, "--listen", LOOPBACK, *options)
        return await self.started(example("browser/server.py", *arguments, ready="listening on "))

    async def shows(self, pages: Python) -> None:
        """What the page published comes back, and it shows it."""
        window = await self.started(Window(f"http://{pages.address}/"))

        async def shown() -> bool:
            return await window.title() == "news: hello, ada"

        await until(shown, window.log)

    async def test_no_packages(self) -> None:
        """Without the scripts it does not start, and says which file is missing."""
        command = [str(EXAMPLES / "browser/server.py"), "--packages", "nowhere"]
        _, err, status = await within(
            getProcessOutputAndValue(sys.executable, command, env=None, reactor=reactor)
        )
        self.assertEqual(status, 2, err)
        self.assertIn(b"there is no nowhere/sockjs-client/dist/sockjs.min.js", err)

    async def test_same_origin(self) -> None:
        """Without a host, the page talks to where it came from."""
        await self.shows(await self.pages())

    async def test_other_origin(self) -> None:
        """It talks to the server of another origin, which lists that of the page."""
        port = ReservedPort()
        self.addCleanup(port.release)
        address = f"127.0.0.1:{port.number}"
        server = await self.started(Serve("--allowed-origin", f"http://{address}"))
        listen = f"tcp:{port.number}:interface=127.0.0.1"
        await self.shows(
            await self.pages("--listen", listen, "--host", f"http://{server.address}")
        )


class _Refused(Chromium):
    """A page that is ready when it knows that it is not let in."""

    def is_ready(self, line: str) -> bool:
        return line.startswith('{"event":"ready","error":')


class IframeTests(InteropTestCase):
    """What SockJS's iframe page loads."""

    programs = ("npm",)

    async def test_digest(self) -> None:
        """The page demands npm's file of that version, byte by byte."""
        client = NODE / "node_modules" / "sockjs-client"
        version = json.loads((client / "package.json").read_text())["version"]
        script = (client / "dist" / "sockjs.min.js").read_bytes()
        digest = b64encode(hashlib.sha384(script).digest()).decode()
        self.assertIn(f"sockjs-client@{version}/dist/sockjs.min.js", SOCKJS_URL)
        self.assertEqual(SOCKJS_INTEGRITY, f"sha384-{digest}")
