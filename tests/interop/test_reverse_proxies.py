"""
A server behind nginx and haproxy, with the configurations of the documentation: everything is
about the client.
"""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import treq
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.web.client import Agent, HTTPConnectionPool

from txtokensock import TLSPolicy, TokenSocket

from .reverse_proxies import HAProxy, HAProxyTCP, Nginx, ReverseProxy
from .support import InteropTestCase, until, within
from .test_bridge_http import BridgeTestCase, HttpBridge, Reader
from .twistd import Serve

SOON = 5.0
"""Seconds: the heartbeat, with which a buffering proxy would pass on what it has, takes 25."""

TEXT = "x" * 5000
TRANSPORTS = ("websocket", "websocket-raw", "xhr-streaming", "eventsource", "xhr-polling")
LIMIT = 20
SESSIONS = 15
"""Of each client; of 70 clients they are 1,050."""

CLAIMED = "10.9.8.7"
CLAIMS = {
    "X-Forwarded-For": CLAIMED,
    "X-Forwarded-Proto": "https",
    "Forwarded": f"for={CLAIMED};proto=https",
}
"""What clients say of themselves, which is not believed."""


class FirstFrame:
    """Collects a body until it has a text."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._received = b""
        self.found: Deferred[None] = Deferred()

    def __call__(self, data: bytes) -> None:
        self._received += data
        if self._text in self._received and not self.found.called:
            self.found.callback(None)


class Client:
    """
    Sends requests from an address of its own; all that begin with 127 are this machine's.

    :param host: the address.
    """

    def __init__(self, host: str, proxy: ReverseProxy) -> None:
        self._pool = HTTPConnectionPool(reactor)
        self.http = HTTPClient(Agent(reactor, bindAddress=(host, 0), pool=self._pool))
        self._url = proxy.url
        self._names = itertools.count()
        self._name = host.replace(".", "-")

    async def open(self) -> int:
        """Open a session, which is there for some seconds, and return the status."""
        url = f"{self._url}/sockets/000/{self._name}-{next(self._names)}/xhr"
        response = await within(self.http.post(url, headers=CLAIMS))
        await response.content()
        return response.code

    async def open_many(self) -> list[int]:
        """Open as many as a client may have."""
        return [await self.open() for _ in range(SESSIONS)]

    async def close(self) -> None:
        """Close its connections."""
        await self._pool.closeCachedConnections()


class Behind:
    """What holds behind each proxy, in whichever way it says who the client is."""

    proxy_type: type[ReverseProxy]
    changes: dict[str, str] = {}
    endpoint = "tcp:{}:interface=127.0.0.1"
    clients = 10

    async def setUp(self: Any) -> None:
        await super().setUp()  # type: ignore[misc]
        arguments = ["--trusted-proxy", "127.0.0.1", "--limit", f"peers_per_address={LIMIT}"]
        self.server = Serve(*arguments, "--authentication", "demo", endpoint=self.endpoint)
        await self.started(self.server)
        self.proxy = await self.started(self.proxy_type(self.server.port, **self.changes))

    def client(self: Any, host: str) -> Client:
        """A client at an address."""
        client = Client(host, self.proxy)
        self.addCleanup(client.close)
        return client

    async def echo(self: Any, transport: str) -> None:
        """A call over TLS comes back soon."""
        socket = TokenSocket(
            self.proxy.secure_url,
            transports=[transport],
            tls=TLSPolicy(authorities=self.proxy.authorities),
            reactor=reactor,
        )
        self.addCleanup(socket.end)
        begun = time.monotonic()
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(await within(socket.rpc("echo", TEXT)), TEXT)
        self.assertLess(time.monotonic() - begun, SOON, transport)

    async def htmlfile(self: Any) -> None:
        """The page of htmlfile, which only browsers read, shows the open frame soon."""
        begun = time.monotonic()
        url = f"{self.proxy.url}/sockets/000/htmlfile-session/htmlfile?c=f"
        response: Any = await within(treq.get(url, unbuffered=True, persistent=False))
        opened = FirstFrame(b'p("o")')
        body = response.collect(opened)
        await within(opened.found)
        self.assertLess(time.monotonic() - begun, SOON)
        body.addErrback(lambda _: None)  # the server goes
        body.cancel()

    async def test_transports(self: Any) -> None:
        """Nothing of any transport waits in the proxy."""
        for transport in TRANSPORTS:
            await self.echo(transport)
        await self.htmlfile()

    async def test_clients(self: Any) -> None:
        """Many together are not too many, and one alone is; the log names them."""
        clients = [self.client(f"127.0.1.{number}") for number in range(1, self.clients + 1)]
        statuses = await gatherResults([within(client.open_many(), 50) for client in clients])
        self.assertEqual(statuses, [[200] * SESSIONS] * self.clients)
        alone = self.client("127.0.2.1")
        statuses = [await alone.open() for _ in range(2 * LIMIT + 1)]
        self.assertEqual(statuses, [200] * 2 * LIMIT + [429])
        log = self.server.log
        await until(lambda: re.search(r'"127\.0\.2\.1" - - .* 429 ', log()), log)
        self.assertNotIn('"127.0.0.1" - -', log())
        self.assertNotIn(CLAIMED, log())
        self.assertNotIn("Traceback", log())
        self.assertNotIn("without a valid header", log())


class BehindHeaders(Behind):
    """A proxy that says in headers who the client is."""

    clients = 70

    async def test_pages(self: Any) -> None:
        """
        A page of the proxy's own host and scheme may have a token, and no other.  The proxy's
        names need not be listed; who comes past it has loopback names alone.
        """
        own = self.proxy.secure_url.removeprefix("https://")
        agent = Agent(reactor, TLSPolicy(authorities=self.proxy.authorities))
        client = self.client("127.0.1.1")
        plain = self.proxy.url
        past = f"http://127.0.0.1:{self.server.port}"
        for http, url, headers, expected in (
            (client.http, plain, {"Origin": plain}, 200),
            (client.http, plain, {"Origin": plain.replace("http:", "https:")}, 403),
            (client.http, plain, {"Host": "app.example.com"}, 200),
            (client.http, past, {"Host": "app.example.com"}, 421),
            (HTTPClient(agent), f"https://{own}", {"Origin": f"https://{own}"}, 200),
            (HTTPClient(agent), f"https://{own}", {"Origin": f"http://{own}"}, 403),
            (HTTPClient(agent), f"https://{own}", {"Origin": "https://evil.example"}, 403),
        ):
            request = http.get(f"{url}/socket/token", headers={**CLAIMS, **headers})
            response = await within(request)
            await response.content()
            self.assertEqual(response.code, expected, (url, headers))


class BehindNginxTests(BehindHeaders, InteropTestCase):
    """nginx."""

    programs = ("nginx",)
    proxy_type = Nginx


class BehindHAProxyTests(BehindHeaders, InteropTestCase):
    """haproxy, which speaks HTTP."""

    programs = ("haproxy",)
    proxy_type = HAProxy


class BehindProxyProtocolTests(Behind, InteropTestCase):
    """haproxy, which speaks version 2 of the PROXY protocol."""

    programs = ("haproxy",)
    proxy_type = HAProxyTCP
    endpoint = "haproxy:tcp:{}:interface=127.0.0.1"

    async def test_hosts(self) -> None:
        """The proxy's names need not be listed."""
        http = self.client("127.0.1.1").http
        url = f"{self.proxy.url}/socket/token"
        response = await within(http.get(url, headers={"Host": "app.example.com"}))
        await response.content()
        self.assertEqual(response.code, 200)


class BehindFirstProxyProtocolTests(BehindProxyProtocolTests):
    """haproxy, which speaks version 1."""

    changes = {"send-proxy-v2": "send-proxy"}


class BehindEvents:
    """The event streams of the bridge."""

    proxy_type: type[ReverseProxy]

    async def test_events(self: Any) -> None:
        """An event comes well before the heartbeat."""
        bridge = await self.bridge()
        proxy = await self.started(self.proxy_type(bridge.port))
        reader = await self.started(Reader(f"{proxy.url}/events?channel=news"))
        begun = time.monotonic()
        await within(bridge.ask("/publish", {"topic": "news", "args": ["hello"]}))
        await reader.until(lambda: reader.messages() == ["hello"], what="message")
        self.assertLess(time.monotonic() - begun, SOON)


class BridgeBehindNginxTests(BehindEvents, BridgeTestCase):
    """nginx."""

    programs = ("nginx",)
    proxy_type = Nginx


class BridgeBehindHAProxyTests(BehindEvents, BridgeTestCase):
    """haproxy, which speaks HTTP."""

    programs = ("haproxy",)
    proxy_type = HAProxy


class BridgeBehindProxyProtocolTests(BridgeTestCase):
    """A bridge, which must have keys: who can connect may say to be anybody."""

    programs = ("haproxy",)

    async def test_bridge(self) -> None:
        """It listens for the PROXY protocol as well."""
        bridge = HttpBridge(directory=self.directory, KEY="secret")
        keys = '[[http.keys]]\nname = "a"\nsecret = { env = "KEY" }\nchannels = ["*"]\n'
        bridge.configure(self.server.port, keys)
        file = self.directory / "bridge.toml"
        file.write_text(file.read_text().replace('"tcp:', '"haproxy:tcp:'))
        await self.started(bridge)
        proxy = await self.started(HAProxyTCP(bridge.port))
        client = Client("127.0.1.1", proxy)
        self.addCleanup(client.close)
        response = await within(client.http.get(f"{proxy.url}/healthz"))
        await response.content()
        self.assertEqual(response.code, 200)
