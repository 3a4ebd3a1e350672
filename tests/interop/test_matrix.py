"""
Every way to a server: each kind of proxy, each kind of TLS, each transport.

One cell is one tuple; in each a client does all that clients do.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from OpenSSL.crypto import X509
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates

from tests.kit.certificates import Authority
from tests.kit.tables import each
from txtokensock import Backoff, TLSPolicy, TokenSocket
from txtokensock.errors import ConnectionFailed

from .embedded import EmbeddedServer
from .proxies import TinyProxy
from .servers import NodeServer, Redis
from .support import Heard, InteropTestCase, within

PROXIES = ("direct", "connect", "connect-auth")
SECURITY = ("http", "own-ca", "client-certificate")
TRANSPORTS = ("websocket", "xhr-streaming", "xhr-polling")
NODE_TRANSPORTS = (*TRANSPORTS, "eventsource", "websocket-raw")

CELLS = list(product(PROXIES, SECURITY, TRANSPORTS))


class MatrixTestCase(InteropTestCase):
    """The client's part of a cell."""

    async def proxy(self, kind: str) -> TinyProxy | None:
        """A proxy of that kind, running, or None for ``direct``."""
        if kind == "direct":
            return None
        credentials = ("ada", "s3cret") if kind == "connect-auth" else ()
        return await self.started(TinyProxy(*credentials))

    async def check(
        self, url: str, proxy: TinyProxy | None, transport: str, **options: Any
    ) -> None:
        """
        A token, calls both ways, a subscription, its messages, and the end; and the proxy,
        if there is one, has seen it.
        """
        port = int(url.rpartition(":")[2])
        seen = proxy.tunnels(port) if proxy else 0
        client = TokenSocket(
            url,
            transports=[transport],
            proxy=proxy.url if proxy else False,
            actions={"nested": {"foo": lambda data: {"foo": data}}},
            authentication={"user": "ada"},
            backoff=Backoff(cap=0.25),
            reactor=reactor,
            **options,
        )
        self.addCleanup(client.end)
        heard, lost = Heard(), Heard()
        client.on("disconnect", lost)
        client.startService()
        await within(client.when_ready(fail_after=1))
        self.assertEqual((await within(client.rpc("whoami")))["user"], "ada")
        for data in ({"é": [None, 1.5]}, "x" * 300_000):
            self.assertEqual(await within(client.rpc("echo", data)), data)
        called = await within(client.rpc("callme", {"command": "nested.foo", "args": "é"}))
        self.assertEqual(called, {"foo": "é"})
        await within(client.subscribe("channel1", heard))
        for number in range(3):
            await within(client.publish("channel1", {"n": number}))
        self.assertEqual(await heard.until(3), [({"n": n},) for n in range(3)])
        self.assertEqual(lost, [])
        await within(client.end())
        if proxy is not None:
            # The token request's connection, and at least one of the socket's.
            await proxy.until(lambda: proxy.tunnels(port) >= seen + 2)


@each({f"{p}_{s}_{t}".replace("-", "_"): (p, s, t) for p, s, t in CELLS})
class EmbeddedServerTests(MatrixTestCase):
    """Our own server."""

    programs = ("tinyproxy",)
    authority = Authority()

    async def run_case(self, proxy: str, security: str, transport: str) -> None:
        """A client does all that clients do."""
        directory = self.new_directory()
        # Only then does a server know of a client that polls that it is gone.
        sockjs = {"disconnect_delay": 1.0}
        server = EmbeddedServer(tls=self.server_tls(security), sockjs=sockjs)
        self.addCleanup(server.close)
        await server.start()
        running = await self.proxy(proxy)
        options: dict[str, Any] = {}
        if security != "http":
            authorities, _ = self.authority.issued.write(directory, "authority")
            options["tls"] = TLSPolicy(authorities=authorities)
        if security == "client-certificate":
            with self.assertRaises(ConnectionFailed):
                await self.check(server.url, running, transport, **options)
            certificate, key = self.authority.client().write(directory)
            options["tls"] = TLSPolicy(
                authorities=authorities, certificate=certificate, private_key=key
            )
        await self.check(server.url, running, transport, **options)

    def server_tls(self, security: str) -> CertificateOptions | None:
        """What the server shows, and what it asks for."""
        if security == "http":
            return None
        options: dict[str, Any] = {}
        if security == "client-certificate":
            ours = Certificate(X509.from_cryptography(self.authority.issued.certificate))
            options["trustRoot"] = trustRootFromCertificates([ours])
        issued = self.authority.server("127.0.0.1")
        return CertificateOptions(privateKey=issued.key, certificate=issued.certificate, **options)


class NodeServerTests(MatrixTestCase):
    """The real Node server, which speaks plain HTTP; it is slow to start, and all share it."""

    programs = ("node", "npm", "redis-server", "tinyproxy")

    async def test_transports(self) -> None:
        """All five transports, with and without a proxy."""
        node = await self.started(NodeServer(await self.started(Redis())))
        for kind in ("direct", "connect-auth"):
            proxy = await self.proxy(kind)
            for transport in NODE_TRANSPORTS:
                await self.check(node.url, proxy, transport)
