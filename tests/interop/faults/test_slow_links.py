"""
Slow links, and processes that stand still, with real TCP: the connection is as healthy as before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater

from tests.interop.embedded import EmbeddedServer
from tests.interop.support import InteropTestCase, within
from tests.interop.test_flow import SlowPeer
from tests.kit.certificates import Authority
from txtokensock import Timeouts, TLSPolicy, TokenSocket
from txtokensock.server import Limits

from .slow_link import SlowLink

TRANSPORTS = ("websocket", "websocket-raw", "xhr-streaming", "eventsource", "xhr-polling")

MEGABYTE = 1000 * 1000
LIMITS = Limits(message_size=5 * MEGABYTE, frame_size=10 * MEGABYTE, buffered=20 * MEGABYTE)
SOCKJS = {"heartbeat": 1.0, "heartbeat_timeout": 1.0, "disconnect_delay": 1.0}
PINGS = {"ping": 1.0, "ping_timeout": 1.0, "silence_timeout": 1.0}
LINKS = [(250, 950_000), (50, 950_000), (250, 4_000_000)]
"""Kilobytes a second, and bytes of one message."""

TIMEOUTS = Timeouts(send=2.0)


class LinkTestCase(InteropTestCase):
    """Pings on both sides, every second and with a second for the answer: of the server's too."""

    programs = ()
    timeout = 180

    async def setUp(self) -> None:
        await super().setUp()
        self.losses: list[Any] = []

    async def link(self, kilobytes: int, **options: Any) -> tuple[EmbeddedServer, SlowLink]:
        """A server, and the link to it."""
        options = {"sockjs": SOCKJS, **options}
        server = EmbeddedServer(limits=LIMITS, **options)
        await server.start()
        self.addCleanup(server.close)
        port = urlsplit(server.url).port
        assert port is not None
        link = SlowLink(port, kilobytes * 1000)
        self.addCleanup(link.close)
        return server, link

    async def client(self, url: str, transport: str, **options: Any) -> TokenSocket:
        """A client that is ready, and notes what it loses."""
        client = TokenSocket(
            url,
            transports=[transport],
            reactor=reactor,
            **PINGS,
            call_timeout=150.0,
            max_message_size=10 * MEGABYTE,
            timeouts=TIMEOUTS,
            **options,
        )
        client.on("disconnect", lambda error: self.losses.append((transport, error)))
        self.addCleanup(client.end)
        client.startService()
        await within(client.when_ready())
        return client

    async def echo(self, client: TokenSocket, size: int) -> None:
        """So many bytes go up, and come back."""
        answer = await client.rpc("echo", "x" * size)
        self.assertEqual(len(answer), size)


class SlowLinkTests(LinkTestCase):
    """Messages take longer than everything that is waited for."""

    async def both_ways(
        self,
        kilobytes: int,
        size: int,
        transports: Sequence[str] = TRANSPORTS,
        tls: CertificateOptions | None = None,
        policy: TLSPolicy | None = None,
    ) -> None:
        """Over each transport at once."""
        _, link = await self.link(kilobytes, tls=tls)
        url = f"http{'s' if tls else ''}://127.0.0.1:{link.number}"
        clients = [await self.client(url, transport, tls=policy) for transport in transports]
        await gatherResults(
            [within(self.echo(client, size), 150.0) for client in clients], consumeErrors=True
        )
        self.assertEqual(self.losses, [])

    async def test_both_ways(self) -> None:
        """950 kB at 250 kB/s and at 50 kB/s, and 4 MB."""
        await gatherResults(
            [ensureDeferred(self.both_ways(*link)) for link in LINKS], consumeErrors=True
        )

    async def test_many_messages(self) -> None:
        """As many bytes in short messages: a call is answered behind what a channel brings."""
        server, link = await self.link(250)
        url = f"http://127.0.0.1:{link.number}"
        for transport in TRANSPORTS:
            client = await self.client(url, transport)
            await within(client.subscribe("c", lambda data: None))
            for _ in range(400):
                server.server.publish("c", "x" * 2_000)
            await self.echo(client, 10)
        self.assertEqual(self.losses, [])

    async def test_tls(self) -> None:
        """Through TLS, whose buffers are further ones."""
        authority = Authority()
        authorities, _ = authority.issued.write(self.new_directory(), "authority")
        issued = authority.server("127.0.0.1")
        tls = CertificateOptions(
            privateKey=issued.key,
            certificate=issued.certificate,
            extraCertChain=list(issued.chain),
        )
        await self.both_ways(
            250,
            950_000,
            tls=tls,
            policy=TLSPolicy(authorities=str(authorities)),
            transports=("websocket", "xhr-polling"),
        )


class HeldUpTests(LinkTestCase):
    """Who stood still for longer than every deadline has lost nothing."""

    async def test_blocked(self) -> None:
        """
        A handler that blocks the reactor, in which the server is here, too: the deadlines of both
        have passed when they are looked at, and a call is answered whose time was over.
        """
        server, _ = await self.link(250)
        for transport in TRANSPORTS:
            client = await self.client(server.url, transport)
            calls = [client.rpc("echo", n, timeout=1.0) for n in range(10)]
            await deferLater(reactor, 0, time.sleep, 3.0)
            self.assertEqual(await gatherResults(calls), list(range(10)))
            await deferLater(reactor, 2.5)
            await self.echo(client, 10)
        self.assertEqual(self.losses, [])

    async def test_stopped(self) -> None:
        """A client that SIGSTOP stops for longer than its own deadlines, and SIGCONT continues."""
        server, _ = await self.link(250, sockjs={})
        peers = [
            await self.started(
                SlowPeer(
                    server.url,
                    "writer",
                    count=1,
                    size=10,
                    socket={"transports": [transport], **PINGS},
                )
            )
            for transport in TRANSPORTS
        ]
        await deferLater(reactor, 0.5)
        for peer in peers:
            peer.stop()
        await deferLater(reactor, 3.5)
        for peer in peers:
            peer.cont()
        await deferLater(reactor, 2.0)
        for peer in peers:
            await peer.tell("go")
            state = await peer.reaches(sent=1)
            self.assertEqual(state["losses"], [])
