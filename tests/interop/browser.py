"""
A page in headless Chromium as a client: :class:`Chromium`, and what it is made of; any page:
:class:`Window`.
"""

from __future__ import annotations

import tempfile
from typing import Any
from urllib.parse import quote

import treq
from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.static import File

from tests.kit.processes import Program

from .embedded import Connections
from .peers import JavaScriptPeer
from .servers import NODE

_SCRIPTS = {
    "EventEmitter.js": "node_modules/wolfy87-eventemitter/EventEmitter.js",
    "sockjs.js": "node_modules/sockjs-client/dist/sockjs.js",
    "tokensockjs.js": "node_modules/token-sockjs-client/clients/browser/tokensockjs.js",
    "driver.js": "driver.js",
    "page.js": "page.js",
}

_FLAGS = [
    "--headless",
    "--no-sandbox",  # it needs privileges that containers lack
    "--disable-gpu",
    "--disable-dev-shm-usage",  # small in containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=direct://",  # whatever the environment says
]


def page() -> Resource:
    """``/page.html`` and its scripts: npm's token-sockjs-client and what it needs."""
    root = Resource()
    root.putChild(b"page.html", File(str(NODE / "page.html")))
    for name, path in _SCRIPTS.items():
        root.putChild(name.encode(), File(str(NODE / path)))
    return root


class _Browser(Program):
    """Headless Chromium, with a profile of its own."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        self._profile = tempfile.TemporaryDirectory(
            prefix="txtokensock-chromium-", ignore_cleanup_errors=True
        )

    def chromium(self, *arguments: str) -> list[str]:
        """The command that runs it."""
        return ["chromium", *_FLAGS, f"--user-data-dir={self._profile.name}", *arguments]

    async def close(self) -> None:
        """End it in order, so that it ends its own children; its profile is deleted."""
        try:
            if self.running:
                self.signal("TERM")
                await self.ended()
        finally:
            await super().close()
            self._profile.cleanup()


class Chromium(_Browser, JavaScriptPeer):
    """
    npm's browser client in a browser of its own.

    :param url: a server whose site has :func:`page`.
    :param transport: of sockjs-client.
    :param host: the client's option of that name, instead of none.
    """

    def __init__(self, url: str, transport: str, host: str | None = None) -> None:
        super().__init__(url, transport)
        self.name = f"chromium {transport}"
        self._page = f"{url}/page.html?{transport}"
        self._host = "" if host is None else f"&{quote(host, safe='')}"
        self._control = _Control(self)

    def command(self) -> list[str]:
        return self.chromium(f"{self._page}&{quote(self._control.url, safe='')}{self._host}")

    async def start(self) -> None:
        self._control.start()
        await super().start()

    def obey(self, call: str) -> None:
        self._control.send(call.encode())

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            await self._control.stop()


class Window(_Browser):
    """
    A page in headless Chromium, of which only the title is looked at.

    :param url: of the page.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.name = f"chromium {url}"
        self._url = url

    def command(self) -> list[str]:
        return self.chromium("--remote-debugging-port=0", self._url)

    def is_ready(self, line: str) -> bool:
        return line.startswith("DevTools listening on ")

    async def title(self) -> str:
        """The page's, at present."""
        (line,) = [line for line in self.output if self.is_ready(line)]
        response = await treq.get(f"http://{line.split('/')[2]}/json/list", persistent=False)
        pages = [page for page in await response.json() if page["type"] == "page"]
        return str(pages[0]["title"]) if pages else ""


class _Control(Resource):
    """
    Where the page hears what to do, and says what happened.

    :param chromium: whose page it is.
    """

    isLeaf = True

    def __init__(self, chromium: Chromium) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._chromium = chromium
        self._connections = Connections(Site(self, reactor=reactor))
        self._port: IListeningPort | None = None
        self._stream: Any = None
        self._unsent: list[bytes] = []

    @property
    def url(self) -> str:
        """The page's other end."""
        assert self._port is not None
        return f"http://127.0.0.1:{self._port.getHost().port}/"  # type: ignore[attr-defined]

    def start(self) -> None:
        """Listen, on a port of the system's choice."""
        self._port = reactor.listenTCP(0, self._connections, interface="127.0.0.1")

    async def stop(self) -> None:
        """Leave nothing open."""
        port, self._port = self._port, None
        if port is not None:
            closed = port.stopListening()
            await self._connections.drop()
            await closed

    def send(self, call: bytes) -> None:
        """The page gets it now, or when it listens."""
        self._unsent.append(call)
        if self._stream is not None:
            self._flush()

    def _flush(self) -> None:
        for call in self._unsent:
            self._stream.write(b"data: %s\n\n" % call)
        self._unsent.clear()

    def render_GET(self, request: Any) -> int:
        """The stream of calls."""
        request.setHeader(b"content-type", b"text/event-stream")
        request.setHeader(b"access-control-allow-origin", b"*")
        request.write(b"")
        request.notifyFinish().addErrback(self._gone, request)
        self._stream = request
        self._flush()
        return NOT_DONE_YET

    def _gone(self, _: Failure, request: Any) -> None:
        if self._stream is request:
            self._stream = None

    def render_POST(self, request: Any) -> bytes:
        """Something happened: a line of JSON, as the programs in Node print."""
        request.setHeader(b"access-control-allow-origin", b"*")
        self._chromium.say(request.content.read().decode())
        return b""
