"""Several servers as processes, one of which is killed, and one that has no time."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor

from tests.kit.processes import EVENT_SECONDS
from txtokensock import Backoff, TokenSocket
from txtokensock.errors import AllHostsFailed, TokenServerError

from .servers import Server
from .support import Heard, InteropTestCase, within
from .twistd import Serve

BUSY = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Busy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Busy)
print("ready", flush=True)
server.serve_forever()
"""


class BusyServer(Server):
    """Answers 429 to everything."""

    name = "http.server"

    def command(self) -> list[str]:
        return [sys.executable, "-c", BUSY, str(self.port)]

    def is_ready(self, line: str) -> bool:
        return line == "ready"


class FailoverTests(InteropTestCase):
    """``twistd tokensock serve``, twice, and one client."""

    programs = ()

    def client(self, *servers: Server, **options: Any) -> TokenSocket:
        """A client of these, not yet started."""
        options = {"backoff": Backoff(cap=0.25), "call_timeout": EVENT_SECONDS, **options}
        hosts = [f"127.0.0.1:{server.port}" for server in servers]
        socket = TokenSocket(hosts, reactor=reactor, **options)
        self.addCleanup(socket.end)
        return socket

    async def test_killed(self) -> None:
        """
        ``kill -9`` of the one, and calls are answered by the other, subscriptions are made
        anew; and back again, and when both are gone, one error names both.
        """
        one, two = await self.started(Serve()), await self.started(Serve())
        socket, messages, failed = self.client(one, two), Heard(), Heard()
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(socket.connected_to, f"http://127.0.0.1:{one.port}")
        await within(socket.subscribe("news", messages))
        for dies, lives in ((one, two), (two, one)):
            lost = Heard()
            socket.once("disconnect", lost)
            await dies.kill()
            await lost.until(1)
            began = reactor.seconds()
            self.assertEqual(await within(socket.rpc("echo", "there?", idempotent=True)), "there?")
            self.assertLess(reactor.seconds() - began, 5)
            self.assertEqual(socket.connected_to, f"http://127.0.0.1:{lives.port}")
            await within(socket.publish("news", lives.port))
            await messages.until(1)
            self.assertEqual(messages.pop(), (lives.port,))
            await dies.start()
        await one.kill()
        await two.kill()
        socket.onreconnect(lambda error: error and failed(error))
        ((error,), *_) = await failed.until(1)
        self.assertIsInstance(error, AllHostsFailed)
        self.assertEqual(len(error.errors), 2)
        await two.start()
        await within(socket.when_ready())

    async def test_retry_after(self) -> None:
        """A server that has no time is asked again when it said, and not before."""
        busy = await self.started(BusyServer())
        times: list[float] = []
        socket, heard = self.client(busy), Heard()
        socket.ready(lambda _: times.append(reactor.seconds()))
        socket.ready(heard)
        socket.startService()
        ((error,), _) = await heard.until(2)
        assert isinstance(error, TokenServerError)
        self.assertEqual((error.status, error.retry_after), (429, 1.0))
        assert error.retry_in is not None
        self.assertTrue(1 <= error.retry_in <= 1.25)
        self.assertGreaterEqual(times[1] - times[0], 1)

    async def test_busy_and_free(self) -> None:
        """One that has no time does not keep us from one that has."""
        busy, free = await self.started(BusyServer()), await self.started(Serve())
        socket = self.client(busy, free)
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(socket.connected_to, f"http://127.0.0.1:{free.port}")
