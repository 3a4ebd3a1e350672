"""``twistd tokensock serve`` as a process: own code, Redis, admin pages, TLS, and its end."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.utils import getProcessOutputAndValue

from tests.kit.certificates import self_signed
from tests.kit.processes import EVENT_SECONDS
from txtokensock import Backoff, TLSPolicy, TokenSocket
from txtokensock.errors import ConnectionFailed, TokenRefused, TokenSocketError

from .servers import Redis
from .support import Heard, InteropTestCase, within
from .twistd import Serve

APPLICATION = '''
"""An application's own module."""

from txtokensock.server import query


def authenticate(request):
    credentials = query(request)
    return credentials if credentials.get("password") == "open" else None


async def ask_back(data, peer):
    return {"you said": await peer.rpc("ask", data)}


def make_actions():
    return {"whoami": lambda data, peer: peer.auth, "ask": {"back": ask_back}}
'''

CREDENTIALS = {"user": "ada", "password": "open"}


class MeasuredServe(Serve):
    """A server with admin pages."""

    async def number(self, name: str) -> float:
        """One number of ``/metrics``, with its labels in the name."""
        status, page = await self.get("/metrics")
        assert status == 200, page
        lines = [line for line in page.splitlines() if line.startswith(f"tokensock_{name} ")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    async def begin_to_stop(self) -> None:
        """SIGTERM; it is not over yet."""
        self.signal("TERM")
        await self.line("stopping")


class ServeTestCase(InteropTestCase):
    """With a directory of the application's own."""

    programs: tuple[str, ...] = ()

    async def setUp(self) -> None:
        await super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix="txtokensock-serve-")
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        (self.directory / "application.py").write_text(APPLICATION)

    async def serve(self, *arguments: str, tls: str = "") -> MeasuredServe:
        """A server with the application's own actions and authentication."""
        return await self.started(
            MeasuredServe(
                *("--actions", "application:make_actions"),
                *("--authentication", "application:authenticate"),
                *arguments,
                endpoint=f"{'ssl' if tls else 'tcp'}:{{}}:interface=127.0.0.1{tls}",
                admin=True,
                directory=self.directory,
            )
        )

    async def client(self, host: str, **options: Any) -> TokenSocket:
        """A client that is ready."""
        options.setdefault("authentication", CREDENTIALS)
        socket = TokenSocket(
            host,
            call_timeout=EVENT_SECONDS,
            backoff=Backoff(cap=0.25),
            reactor=reactor,
            **options,
        )
        self.addCleanup(socket.end)
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        return socket


class ServeTests(ServeTestCase):
    """In memory."""

    async def test_application(self) -> None:
        """Its module is found in the current directory, and has its say."""
        server = await self.serve()
        client = await self.client(f"127.0.0.1:{server.port}")
        self.assertEqual(await within(client.rpc("whoami")), CREDENTIALS)
        with self.assertRaises(TokenRefused):
            await self.client(f"127.0.0.1:{server.port}", authentication={"user": "eve"})
        self.assertNotIn("demonstration", server.log())

    async def test_demonstration(self) -> None:
        """Without a module, the log says what is served."""
        server = await self.started(MeasuredServe(admin=True, directory=self.directory))
        self.assertEqual(server.log().count("this is the demonstration's"), 1)
        self.assertEqual(server.log().count("these are the demonstration's"), 1)
        client = await self.client(f"127.0.0.1:{server.port}")
        self.assertEqual(await within(client.rpc("echo", 1)), 1)

    async def test_admin(self) -> None:
        """The pages are there, on their own port alone, and are not logged."""
        server = await self.serve()
        self.assertEqual((await server.get("/healthz"))[0], 200)
        status, body = await server.readiness()
        self.assertEqual((status, body["ready"]), (200, True))
        client = await self.client(f"127.0.0.1:{server.port}")
        await within(client.subscribe("c"))
        await gatherResults([within(client.rpc("whoami")) for _ in range(3)])
        await self.assertFailure(within(client.rpc("missing")), TokenSocketError)
        for name, value in (
            ("peers", 1),
            ("channels", 1),
            ('calls_total{outcome="success"}', 3),
            ("call_seconds_count", 4),
            ('errors_total{kind="function_not_found"}', 1),
            ('token_requests_total{status="200"}', 1),
            ("received_messages_total", 6),
        ):
            self.assertEqual(await server.number(name), value, name)
        for path in ("/healthz", "/readyz", "/metrics"):
            url = f"http://127.0.0.1:{server.port}{path}"
            response = await within(treq.get(url, persistent=False))
            await response.content()
            self.assertEqual(response.code, 404)
        self.assertEqual(server.log().count("GET /readyz"), 1)

    async def test_mistake(self) -> None:
        """A mistake in the application is one line with its place, and exit status 2."""
        (self.directory / "application.py").write_text("import json\n\njson.loads('')\n")
        command = MeasuredServe("--actions", "application:x", directory=self.directory).command()
        out, err, status = await within(
            getProcessOutputAndValue(
                command[0], command[1:], path=str(self.directory), reactor=reactor
            )
        )
        self.assertEqual(status, 2)
        self.assertEqual(err.count(b"\n"), 1, err)
        self.assertIn(b"JSONDecodeError", err)
        self.assertIn(b"(application.py:3)", err)
        self.assertNotIn(b"Traceback", out)

    async def test_graceful_end(self) -> None:
        """
        SIGTERM with a call in flight: nobody new comes in, the call is answered, its peer
        is told why it is closed, and the process ends by itself.
        """
        asked, gate = Heard(), Deferred[Any]()
        server = await self.serve()

        def ask(data: Any) -> Deferred[Any]:
            asked(data)
            return gate

        host = f"127.0.0.1:{server.port}"
        client = await self.client(host, actions={"ask": ask}, reconnect=False)
        idle = await self.client(host, reconnect=False)
        busy_closed, idle_closed = Heard(), Heard()
        client.on("disconnect", busy_closed)
        idle.on("disconnect", idle_closed)
        call = within(client.rpc("ask.back", 1))
        await asked.until(1)
        await server.begin_to_stop()
        status, body = await server.readiness()
        self.assertEqual((status, body["server"]["state"]), (503, "stopping"))
        self.assertEqual((await server.get("/healthz"))[0], 200)
        self.assertEqual(await server.number("ready"), 0)
        await self.assertFailure(
            within(treq.get(f"http://{host}/socket/token", persistent=False)),
            ConnectionRefusedError,
        )
        await idle_closed.until(1)
        self.assertEqual((call.called, busy_closed), (False, []))
        gate.callback("done")
        self.assertEqual(await call, {"you said": "done"})
        # twistd ends in order, and then, as shells expect it, by the signal that it got.
        self.assertIn("signal 15", await server.ended())
        self.assertIn("Server Shut Down.", server.log())
        for closed in (busy_closed, idle_closed):
            [[reason]] = await closed.until(1)
            self.assertIn("4503 Server shutting down", str(reason))


class RedisTests(ServeTestCase):
    """On Redis."""

    programs = ("redis-server",)

    async def setUp(self) -> None:
        await super().setUp()
        self.redis = await self.started(Redis())
        self.url = f"redis://127.0.0.1:{self.redis.port}/0"

    async def test_cluster(self) -> None:
        """Two servers are one, in their namespace."""
        arguments = ("--redis", self.url, "--namespace", "app")
        one, two = await self.serve(*arguments), await self.serve(*arguments)
        heard = Heard()
        for server in (one, two):
            await server.until_ready()
        listener = await self.client(f"127.0.0.1:{one.port}")
        listener.onmessage(heard)
        await within(listener.subscribe("c"))
        publisher = await self.client(f"127.0.0.1:{two.port}")
        await within(publisher.publish("c", 1))
        self.assertEqual(list(await heard.until(1)), [("c", 1)])

    async def test_readiness(self) -> None:
        """A server without its Redis is not ready, and says since when."""
        server = await self.serve("--redis", self.url, "--shared-with-node")
        await server.until_ready()
        before = datetime.now(UTC)
        await self.redis.kill()
        body = await server.until_ready(503)
        self.assertEqual(body["server"]["state"], "running")
        self.assertEqual(body["store"]["state"], "unavailable")
        since = datetime.fromisoformat(body["store"]["since"])
        self.assertLess(abs(since - before), timedelta(seconds=EVENT_SECONDS))
        self.assertEqual(await server.number("store_available"), 0)
        with self.assertRaises(TokenSocketError):
            await self.client(f"127.0.0.1:{server.port}")
        await self.redis.restart()
        await server.until_ready()
        await self.client(f"127.0.0.1:{server.port}")

    async def test_password(self) -> None:
        """A password is nowhere to be read."""
        url = f"redis://user:s3cret@127.0.0.1:{self.redis.port}/0"
        server = await self.serve("--redis", url, "--namespace", "app")
        await server.until(lambda: any("WRONGPASS" in line for line in server.output))
        self.assertEqual((await server.readiness())[0], 503)
        await server.begin_to_stop()
        await server.ended()
        self.assertNotIn("s3cret", server.log())


class TLSTests(ServeTestCase):
    """With a certificate of our own making."""

    async def test_tls(self) -> None:
        """Who trusts the certificate gets in over TLS, others do not."""
        certificate, _ = self_signed("127.0.0.1").write(self.directory)
        server = await self.serve(tls=":privateKey=certificate.key:certKey=certificate.pem")
        url = f"https://127.0.0.1:{server.port}"
        client = await self.client(url, tls=TLSPolicy(authorities=certificate))
        self.assertEqual(await within(client.rpc("whoami")), CREDENTIALS)
        with self.assertRaises(ConnectionFailed):
            await self.client(url)
