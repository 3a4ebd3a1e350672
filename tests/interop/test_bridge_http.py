"""
``twistd tokensock bridge`` as a process between ``twistd tokensock serve`` and HTTP: what
kill -9, SIGHUP and SIGTERM do to it, and a client of Crossbar's HTTP bridge.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.client import Agent, ResponseNeverReceived

from tests.kit.certificates import self_signed
from tests.kit.processes import EVENT_SECONDS
from txtokensock import TLSPolicy, TokenSocket

from .support import Heard, InteropTestCase, within
from .test_examples import Python
from .twistd import Bridge, NotifySocket, Serve

ROOT = Path(__file__).parents[2]

CLIENT = """
import sys
from crossbarhttp import Client, ClientSignatureError
base, secret = sys.argv[1:]
publisher = Client(base + "/publish", key="myapp1", secret=secret)
caller = Client(base + "/call", key="myapp1", secret=secret)
try:
    print("id", publisher.publish("com.myapp.topic1", "Hello, world!", 23))
    print("id", publisher.publish("com.myapp.topic1", greeting="hello"))
    print("echo", caller.call("echo", 1, 2))
except ClientSignatureError as problem:
    print("refused", problem)
"""
"""What the documentation of crossbarhttp3 shows, signed."""

ENDED = "process ended by signal 15"
"""twistd finishes what it has to, and then ends as whoever sent SIGTERM expects."""


class HttpBridge(Bridge):
    """A bridge with an HTTP side; its configuration is written here."""

    def configure(self, upstream: int, more: str = "") -> None:
        """Write the configuration; without keys in ``more`` everybody may come in."""
        who = "" if "http.keys" in more else 'authentication = "none"\n'
        (self.directory / "bridge.toml").write_text(
            f'[upstream]\nhost = "127.0.0.1:{upstream}"\n[upstream.backoff]\ncap = 0.25\n'
            f'[http]\nlisten = "tcp:{self.port}:interface=127.0.0.1"\n{who}{more}'
        )

    @property
    def url(self) -> str:
        """Its HTTP."""
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Status and answer of a POST."""
        response = await treq.post(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json", **headers},
            persistent=False,
        )
        return response.code, json.loads(await response.content())


class Reader(Python):
    """``curl -N`` of an event stream, as lines."""

    def __init__(self, url: str) -> None:
        program = (
            "import sys, urllib.request\n"
            "for line in urllib.request.urlopen(sys.argv[1]):\n"
            "    print(line.decode().rstrip(), flush=True)\n"
        )
        super().__init__("reader of events", "-c", program, url, ready=": connected")

    def messages(self) -> list[Any]:
        """What came so far."""
        lines = [line.removeprefix("data: ") for line in self.output if line.startswith("data: ")]
        found = [json.loads(line) for line in lines]
        return [each["message"] for each in found if "message" in each]


class BridgeTestCase(InteropTestCase):
    """With a server and a bridge."""

    programs: tuple[str, ...] = ()

    async def setUp(self) -> None:
        await super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix="txtokensock-bridge-")
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.server = await self.started(Serve())

    async def bridge(self, more: str = "", **environment: str) -> HttpBridge:
        """A bridge that is ready."""
        bridge = HttpBridge(directory=self.directory, **environment)
        bridge.configure(self.server.port, more)
        await self.started(bridge)
        await bridge.until_ready()
        return bridge

    async def listener(self, *channels: str) -> Heard:
        """Hears what is published at the server."""
        client = TokenSocket(
            f"127.0.0.1:{self.server.port}", reactor=reactor, call_timeout=EVENT_SECONDS
        )
        self.addCleanup(client.end)
        client.startService()
        heard = Heard()
        await gatherResults([within(client.subscribe(name, heard)) for name in channels])
        return heard


class HttpBridgeTests(BridgeTestCase):
    """Both up, and one of them down."""

    async def test_all_pages(self) -> None:
        """Calls, publishes, streams and numbers, over real sockets."""
        bridge = await self.bridge()
        heard = await self.listener("news")
        reader = await self.started(Reader(f"{bridge.url}/events?channel=news"))
        call = await within(bridge.ask("/call", {"procedure": "echo", "args": [1, 2]}))
        self.assertEqual(call, (200, {"args": [[1, 2]]}))
        status, _ = await within(bridge.ask("/call", {"rpc": "no.such"}))
        self.assertEqual(status, 404)
        for number in range(100):
            body = {"topic": "news", "args": [number]}
            self.assertEqual((await within(bridge.ask("/publish", body)))[0], 202)
        await heard.until(100)
        self.assertEqual([message for (message,) in heard], list(range(100)))
        await reader.until(lambda: len(reader.messages()) >= 100, what="messages")
        self.assertEqual(reader.messages(), list(range(100)))
        page = (await bridge.get("/metrics"))[1]
        self.assertIn('{outcome="out",rule="anybody/publish",side="http"} 100.0', page)
        self.assertEqual((await bridge.get("/healthz"))[0], 200)

    async def test_upstream_killed(self) -> None:
        """
        kill -9 of the server: calls are answered with 503, publishes wait, the stream
        stays; when the server is back, all of it goes on.
        """
        bridge = await self.bridge()
        reader = await self.started(Reader(f"{bridge.url}/events?channel=news"))
        await self.server.kill()
        down = await bridge.until_ready(503)
        self.assertFalse(down["sides"]["upstream"]["up"])
        self.assertTrue(down["sides"]["http"]["up"])
        self.assertEqual((await bridge.get("/healthz"))[0], 200)
        status, answer = await within(bridge.ask("/call", {"rpc": "echo"}))
        self.assertEqual((status, answer["error"]), (503, "wamp.error.unavailable"))
        for number in range(10):
            status, answer = await within(
                bridge.ask("/publish", {"channel": "news", "data": number})
            )
            self.assertEqual((status, answer["queued"]), (202, True))
        await self.server.start()
        await bridge.until_ready()
        await reader.until(lambda: len(reader.messages()) >= 10, what="messages")
        self.assertEqual(reader.messages(), list(range(10)))
        self.assertIn("event: reconnect", reader.output)
        self.assertEqual((await within(bridge.ask("/call", {"rpc": "echo"})))[0], 200)

    async def test_hang_up(self) -> None:
        """SIGHUP: good rules come into force, bad ones do not; the connection stays."""
        bridge = await self.bridge()
        self.assertEqual((await within(bridge.ask("/call", {"rpc": "echo"})))[0], 200)
        key = '[[http.keys]]\nname = "a"\nsecret = { file = "key" }\nprocedures = ["echo"]\n'
        (self.directory / "key").write_text("first\n")
        bridge.configure(self.server.port, key)
        bridge.signal("HUP")
        await bridge.line("reloaded ")
        self.assertEqual((await within(bridge.ask("/call", {"rpc": "echo"})))[0], 401)
        authorized = {"authorization": "Bearer first"}
        call = await within(bridge.ask("/call", {"rpc": "echo"}, **authorized))
        self.assertEqual(call[0], 200)
        bridge.configure(self.server.port, key + "streams = 0\n")
        bridge.signal("HUP")
        await bridge.line("bridge.toml:11: http.keys[0].streams: is 0")
        (self.directory / "key").write_text("second\n")
        call = await within(bridge.ask("/call", {"rpc": "echo"}, **authorized))
        self.assertEqual(call[0], 200)
        bridge.configure(self.server.port, key)
        bridge.signal("HUP")
        await bridge.line("reloaded /", 2)
        call = await within(bridge.ask("/call", {"rpc": "echo"}, **authorized))
        self.assertEqual(call[0], 401)
        self.assertEqual(sum("upstream connected" in line for line in bridge.output), 1)
        self.assertNotIn("second", bridge.log())

    async def test_certificate(self) -> None:
        """SIGHUP takes a renewed certificate, and leaves things alone where it is not good."""
        certificate, key = self_signed("127.0.0.1").write(self.directory)
        trusted = self.directory / "first.pem"
        trusted.write_bytes(certificate.read_bytes())
        bridge = HttpBridge(directory=self.directory)
        files = f'certificate = "{certificate}"\ncertificate_key = {{ file = "{key}" }}\n'
        bridge.configure(self.server.port, files)
        await self.started(bridge)

        async def healthy(authorities: Path) -> None:
            agent = Agent(reactor, TLSPolicy(authorities=authorities))
            url = f"https://127.0.0.1:{bridge.port}/healthz"
            response = await within(agent.request(b"GET", url.encode()))
            self.assertIn(b"true", await within(treq.content(response)))

        await healthy(trusted)
        key.write_text("")
        bridge.signal("HUP")
        await bridge.line("not reloaded: ")
        await healthy(trusted)
        renewed, _ = self_signed("127.0.0.1").write(self.directory)
        bridge.signal("HUP")
        await bridge.line("clients are shown another certificate")
        await healthy(renewed)
        await self.assertFailure(within(healthy(trusted)), ResponseNeverReceived)
        bridge.configure(self.server.port)
        bridge.signal("HUP")
        await bridge.line("http.certificate: to have one, or none any more, takes a restart")
        await healthy(renewed)

    async def test_bad_config(self) -> None:
        """One line with the path, exit status 2, and nothing listens."""
        bridge = HttpBridge(directory=self.directory)
        self.addCleanup(bridge.close)
        bridge.configure(self.server.port, "streams = 'many'\n")
        for more in ([], ["--check"]):
            program, *arguments = [*bridge.command(), *more]
            out, err, status = await within(
                getProcessOutputAndValue(
                    program, arguments, os.environ, str(self.directory), reactor
                )
            )
            line = "http.streams: expected whole number, got text"
            self.assertEqual(err.decode(), f"twistd tokensock: bridge.toml:8: {line}\n")
            self.assertEqual(status, 2)
            self.assertNotIn(b"upstream", out)
            await self.assertFailure(
                within(treq.get(f"{bridge.url}/healthz", persistent=False)), ConnectionRefusedError
            )

    async def test_systemd(self) -> None:
        """Ready, fed, and told of the end."""
        systemd = NotifySocket(self.directory)
        self.addCleanup(systemd.close)
        bridge = await self.bridge(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="200000")
        await deferLater(reactor, 0.5, lambda: None)
        bridge.signal("TERM")
        await bridge.ended()
        messages = systemd.told()
        self.assertEqual(messages[0], "READY=1")
        self.assertGreaterEqual(messages.count("WATCHDOG=1"), 3)
        self.assertIn("STOPPING=1", messages)


class EndTests(BridgeTestCase):
    """SIGTERM."""

    async def test_drain(self) -> None:
        """
        A call in flight is answered although nobody new comes in, streams end, and the
        process ends by itself.
        """
        bridge = await self.bridge("[operation]\nstop_timeout = 10\n")
        reader = await self.started(Reader(f"{bridge.url}/events?channel=news"))
        self.server.stop()  # it keeps the call
        call = within(bridge.ask("/call", {"rpc": "echo", "data": "in flight"}))
        for _ in range(100):
            if "tokensock_bridge_http_in_flight 1.0" in (await bridge.get("/metrics"))[1]:
                break
            await deferLater(reactor, 0.05, lambda: None)
        bridge.signal("TERM")
        await bridge.line("Closed)")
        # Who was already in the system's queue of connections is reset instead.
        await self.assertFailure(
            within(bridge.ask("/call", {"rpc": "echo"})),
            ConnectionRefusedError,
            ResponseNeverReceived,
        )
        await reader.end()
        self.server.cont()
        self.assertEqual(await call, (200, {"args": ["in flight"]}))
        self.assertIn(ENDED, await bridge.ended())
        self.assertNotIn("Traceback", bridge.log())

    async def test_deadline(self) -> None:
        """What is not answered within ``stop_timeout`` is given up."""
        bridge = await self.bridge(
            "[operation]\nstop_timeout = 0.5\n[upstream.timeouts]\nclose = 1"
        )
        self.server.stop()
        call = within(bridge.ask("/call", {"rpc": "echo"}))
        call.addErrback(lambda _: None)
        await deferLater(reactor, 0.3, lambda: None)
        bridge.signal("TERM")
        self.assertIn(ENDED, await bridge.ended())
        self.assertIn("1 requests and 0 publishes are given up", bridge.log())
        self.server.cont()
        await call


class CrossbarClientTests(BridgeTestCase):
    """A client that was written for Crossbar, with signed requests."""

    KEY = (
        '[[http.keys]]\nname = "myapp1"\nscheme = "signed"\nsecret = { env = "SIGNING" }\n'
        'channels = ["com.myapp.*"]\nprocedures = ["echo"]\n'
    )

    async def run_client(self, bridge: Bridge, secret: str) -> list[str]:
        """What it prints."""
        out, err, status = await within(
            getProcessOutputAndValue(
                sys.executable, ["-W", "ignore", "-c", CLIENT, bridge.url, secret], reactor=reactor
            )
        )
        self.assertEqual(status, 0, err)
        return out.decode().splitlines()

    async def test_crossbarhttp(self) -> None:
        """It publishes and calls; with another secret it does neither."""
        bridge = await self.bridge(self.KEY, SIGNING="kkjH68GiuUZ")
        heard = await self.listener("com.myapp.topic1")
        lines = await self.run_client(bridge, "kkjH68GiuUZ")
        self.assertEqual([line.split()[0] for line in lines], ["id", "id", "echo"])
        self.assertEqual(lines[2], "echo [1, 2]")
        await heard.until(2)
        self.assertEqual(heard, [(["Hello, world!", 23],), ({"greeting": "hello"},)])
        [refused] = await self.run_client(bridge, "wrong")
        self.assertIn("401", refused)
        self.assertEqual(len(heard), 2)


class DocumentationTests(InteropTestCase):
    """The pages' commands, as printed, but for the ports."""

    programs: tuple[str, ...] = ("curl",)

    async def test_commands(self) -> None:
        """``examples/bridge.toml`` with a server and ``curl``."""
        temporary = tempfile.TemporaryDirectory(prefix="txtokensock-docs-")
        self.addCleanup(temporary.cleanup)
        server = await self.started(Serve())
        bridge = HttpBridge(directory=Path(temporary.name))
        text = (ROOT / "examples" / "bridge.toml").read_text()
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
        (bridge.directory / "bridge.toml").write_text(text.replace("8090", str(bridge.port)))
        await self.started(bridge)
        await bridge.until_ready()
        reader = await self.started(Reader(f"{bridge.url}/events?channel=news"))
        for page in ("bridge-http.rst", "bridge.rst"):
            for command, answer in commands((ROOT / "docs" / page).read_text()):
                if "not connected" in answer:
                    await server.kill()
                    await bridge.until_ready(503)
                out, _, status = await within(
                    getProcessOutputAndValue(
                        "sh", ["-c", command.replace(":8090", f":{bridge.port}")], reactor=reactor
                    )
                )
                self.assertEqual(status, 0, command)
                self.assertEqual(out.decode() if answer else "", answer, command)
        self.assertEqual(reader.messages(), ["it rains", "it rains"])


def commands(page: str) -> list[tuple[str, str]]:
    """The calls of ``curl`` that end, and what they print where that is shown."""
    found = []
    lines = page.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("   $ curl ") and " -N " not in line:
            follows = lines[number + 1].strip() if number + 1 < len(lines) else ""
            answer = "" if follows.startswith("$") else follows
            found.append((line.removeprefix("   $ "), f"{answer}\n" if answer else ""))
    return found
