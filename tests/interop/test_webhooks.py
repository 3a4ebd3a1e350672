"""Webhooks on the road: a bridge that is killed, a webhook that is not there, real disks."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.kit.certificates import self_signed
from tests.kit.ports import ReservedPort
from tests.kit.processes import EVENT_SECONDS
from txtokensock.bridge.webhooks.inspection import Inspection
from txtokensock.errors import RemoteError

from .embedded import EmbeddedServer
from .support import InteropTestCase, within
from .test_examples import EXAMPLES, Python
from .twistd import Bridge, script

LONGEST = 4 * EVENT_SECONDS
"""How long a thousand deliveries may take on a busy machine."""

CONFIG = """
[upstream]
host = "{upstream}"
backoff = {{ cap = 0.25 }}

[webhooks]
spool = "{spool}"

[[webhooks.channels]]
channels = ["orders"]
url = "{webhook}/orders"
backoff = {{ first = 0.1, cap = 0.25 }}

[[webhooks.channels]]
channels = ["audit"]
url = "{webhook}/audit"
backoff = {{ first = 0.1, cap = 0.25 }}

[[webhooks.calls]]
action = "notify"
url = "{webhook}/notify"
timeout = 1.0
"""


class WebhooksBridge(Bridge):
    """A bridge with webhooks."""

    async def terminate(self) -> None:
        """SIGTERM, and the end that follows from it."""
        self.signal("TERM")
        await self.ended()

    def hang_up(self) -> None:
        """SIGHUP: it reads its configuration again."""
        self.signal("HUP")

    def reported(self) -> int:
        """How many deliveries it said were in flight when it was killed."""
        found = re.findall(r"(\d+) deliveries of \w+ were in flight", "\n".join(self.output))
        return sum(map(int, found))


class Webhook(Resource):
    """
    A web server in the test's process, on a port of its own, also while it does not listen.

    :ivar heard: (path, body, id) of every request, in order.
    :ivar answer: what is answered, given path and body: a status; None for nothing.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._reserved = ReservedPort()
        self.url = f"http://127.0.0.1:{self._reserved.number}"
        self.heard: list[tuple[str, Any, str]] = []
        self.answer: Callable[[str, Any], int | None] = lambda path, body: 204
        self._site = Site(self, reactor=reactor)
        self._port: Any = None

    def render(self, request: Request) -> Any:
        body = json.loads(request.content.read())
        path = request.path.decode().strip("/")
        self.heard.append((path, body, request.getHeader("webhook-id")))
        status = self.answer(path, body)
        if status is None:
            return NOT_DONE_YET
        request.setResponseCode(status)
        request.setHeader("content-type", "application/json")
        return json.dumps(body).encode() if status == 200 else b""

    def messages(self, path: str) -> list[Any]:
        """Those of one path, in the order of coming, duplicates (by id) left out."""
        found = {id: body["message"] for heard, body, id in self.heard if heard == path}
        return list(found.values())

    @property
    def duplicates(self) -> int:
        """How many requests had an id that had come before."""
        return len(self.heard) - len({id for _, _, id in self.heard})

    def listen(self, tls: Any = None) -> None:
        """Be reachable, with ``tls`` by that alone."""
        where = (self._reserved.number, self._site)
        if tls is None:
            self._port = reactor.listenTCP(*where, interface="127.0.0.1")
        else:
            self._port = reactor.listenSSL(*where, tls, interface="127.0.0.1")

    async def close(self) -> None:
        """Listen no more; whoever is connected is dropped by the end of the test's bridge."""
        self._reserved.release()
        if self._port is not None:
            await self._port.stopListening()


class WebhooksTests(InteropTestCase):
    """A server, a bridge and a webhook, each behind a real socket."""

    programs = ()
    timeout = 240

    async def setUp(self) -> None:
        await super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-webhooks-")
        self.addCleanup(directory.cleanup)
        self.spool = str(Path(directory.name, "spool.sqlite3"))
        self.webhook = Webhook()
        self.addCleanup(self.webhook.close)
        self.embedded = EmbeddedServer()
        self.addCleanup(self.embedded.close)
        await self.embedded.start()
        self.config = Path(directory.name, "bridge.toml")
        self.text = CONFIG.format(
            upstream=self.embedded.url, spool=self.spool, webhook=self.webhook.url
        )
        self.config.write_text(self.text)
        self.bridge = await self.started(WebhooksBridge(self.config))
        await self.subscribed()

    # -- waiting

    async def eventually(self, condition: Callable[[], Any], what: str) -> None:
        """It is asked every 20 ms, for nobody tells."""

        async def polling() -> None:
            while not condition():
                await deferLater(reactor, 0.02)

        try:
            await Deferred.fromCoroutine(polling()).addTimeout(LONGEST, reactor)
        except Exception:
            self.fail(f"not within {LONGEST:g} s: {what}\n{self.bridge.log()}")

    async def subscribed(self) -> None:
        await self.eventually(
            lambda: all(map(self.embedded.server.channel_peers, ("orders", "audit"))),
            "subscriptions",
        )

    def waiting(self, kind: Any = "waiting") -> int:
        return Inspection(self.spool).total(kind, None)

    async def stored(self, count: int) -> None:
        await self.eventually(lambda: self.waiting() == count, f"{count} messages in the spool")

    async def restart(self) -> None:
        """kill -9, and a new life that listens again."""
        if self.bridge.running:
            await self.bridge.kill()
        await self.eventually(lambda: not self.embedded.server.peers(), "end upstream")
        await self.bridge.start()
        await self.subscribed()

    def publish(self, numbers: range) -> None:
        for number in numbers:
            self.embedded.server.publish("orders", number)
            self.embedded.server.publish("audit", {"n": number})

    # -- tests

    async def test_killed(self) -> None:
        """
        1000 messages; the webhook is down, the bridge is killed while they come in, while
        deliveries are in flight, and at any moment: all arrive, in order for each rule, and
        those that arrive twice are no more than the bridge said.
        """
        self.publish(range(250))
        await self.stored(500)
        await self.restart()
        self.publish(range(250, 500))
        await self.stored(1000)
        # An attempt that nobody hears is an attempt: it may have been under way at the kill.
        unheard = self.bridge.reported()

        self.webhook.answer = lambda path, body: None if len(self._of(path)) > 100 else 204
        self.webhook.listen()
        await self.eventually(lambda: len(self.webhook.heard) == 202, "202 requests")
        await self.bridge.kill()
        self.webhook.answer = lambda path, body: 204
        await self.restart()
        self.assertEqual(self.bridge.reported() - unheard, 2)

        await self.eventually(lambda: len(self.webhook.heard) >= 600, "600 requests")
        self.assertTrue(self.waiting())
        await self.restart()
        await self.stored(0)
        self.assertEqual(self.webhook.messages("orders"), list(range(500)))
        self.assertEqual(self.webhook.messages("audit"), [{"n": n} for n in range(500)])
        reported = self.bridge.reported() - unheard
        print(f"delivered twice: {self.webhook.duplicates}, reported: {reported} + {unheard}")
        self.assertTrue(2 <= self.webhook.duplicates <= reported <= 4)
        self.assertEqual(self.waiting("dead"), 0)

    def _of(self, path: str) -> list[Any]:
        return [heard for heard in self.webhook.heard if heard[0] == path]

    async def test_terminated(self) -> None:
        """A bridge that is asked to end finishes what is in flight, and keeps the rest."""
        self.webhook.listen()
        self.publish(range(100))
        await self.eventually(lambda: len(self.webhook.heard) >= 50, "50 requests")
        await self.bridge.terminate()
        await self.bridge.start()
        await self.stored(0)
        self.assertEqual(self.webhook.messages("orders"), list(range(100)))
        self.assertEqual((self.webhook.duplicates, self.bridge.reported()), (0, 0))

    async def test_calls(self) -> None:
        """The server's calls are answered by the webhook, or in time with an error."""
        self.webhook.listen()
        self.webhook.answer = lambda path, body: 200 if body["data"] == 1 else None
        (peer,) = self.embedded.server.peers()
        answer = await within(peer.rpc("notify", 1))
        self.assertEqual(answer, {"action": "notify", "data": 1})
        failed = await self.assertFailure(within(peer.rpc("notify", 2)), RemoteError)
        self.assertIn("no answer within 1 seconds", failed.error["message"])

    async def test_spool_command(self) -> None:
        """Dead letters are listed, sent again while the bridge runs, and dropped."""
        self.webhook.listen()
        self.webhook.answer = lambda path, body: 422
        self.publish(range(2))
        await self.eventually(lambda: self.waiting("dead") == 4, "dead letters")
        out, err, status = await self.command("list", "--rule", "orders")
        self.assertEqual((err, status), ("tokensock: 2 dead, 0 waiting\n", 0))
        first, second = map(json.loads, out.splitlines())
        self.assertEqual(first["body"], {"channel": "orders", "message": 0})
        self.assertEqual((first["error"], first["attempts"]), ("answered 422", 1))
        self.webhook.answer = lambda path, body: 204
        _, err, status = await self.command("retry", second["id"])
        self.assertEqual((err, status), ("tokensock: 1 to be sent again\n", 0))
        await self.eventually(lambda: len(self.webhook.heard) == 5, "the dead letter")
        self.assertEqual(self.webhook.heard[4][2], second["id"])
        _, err, status = await self.command("drop", "--all")
        self.assertEqual((err, status), ("tokensock: 3 dead dropped\n", 0))
        self.assertEqual(self.waiting("dead"), 0)

    async def command(self, what: str, *arguments: str) -> tuple[str, str, int]:
        """``tokensock bridge-spool``: what it printed, said, and its exit status."""
        out, err, status = await within(
            getProcessOutputAndValue(
                script("tokensock"),
                ("bridge-spool", what, self.spool, *arguments),
                reactor=reactor,
            )
        )
        return out.decode(), err.decode(), status

    async def test_reload(self) -> None:
        """
        A rule that is taken out leaves what waits where it is; it goes on when the rule is
        back.  The connection upstream stays.
        """
        self.publish(range(3))
        await self.stored(6)
        (peer,) = self.embedded.server.peers()
        self.config.write_text(re.sub(r'channels = \["orders"\]', 'channels = ["o"]', self.text))
        self.bridge.hang_up()
        await self.eventually(lambda: self.embedded.server.channel_peers("o"), "the new rule")
        self.webhook.listen()
        await self.stored(3)
        self.assertEqual(self.webhook.messages("orders"), [])
        self.config.write_text(self.text)
        self.bridge.hang_up()
        await self.stored(0)
        self.assertEqual(self.webhook.messages("orders"), list(range(3)))
        self.assertEqual(self.embedded.server.peers(), [peer])

    async def test_tls(self) -> None:
        """A certificate that nobody vouches for is refused, until the authority is named."""
        certificate, key = self_signed("127.0.0.1").write(self.config.parent)
        self.webhook.listen(DefaultOpenSSLContextFactory(str(key), str(certificate)))
        text = self.text.replace(self.webhook.url, self.webhook.url.replace("http:", "https:"))
        self.config.write_text(text)
        self.bridge.hang_up()
        await self.bridge.until(
            lambda: any("reloaded" in line for line in self.bridge.output), what="reload"
        )
        self.publish(range(2))
        await self.bridge.until(
            lambda: any("127.0.0.1 is self-signed" in line for line in self.bridge.output),
            what="refusal of the certificate",
        )
        self.assertEqual(self.webhook.heard, [])
        self.config.write_text(f'{text}\n[webhooks.tls]\nauthorities = "{certificate}"\n')
        self.bridge.hang_up()
        await self.stored(0)
        self.assertEqual(self.webhook.messages("orders"), [0, 1])

    async def test_corrupt_spool(self) -> None:
        """A spool that was damaged ends the start with one line, and is left alone."""
        self.publish(range(100))
        await self.stored(200)
        await self.bridge.terminate()
        damaged = Path(self.spool).read_bytes()[:8192] + b"\xff" * 8192
        Path(self.spool).write_bytes(damaged)
        await self.assertFailure(Deferred.fromCoroutine(self.bridge.start()), AssertionError)
        self.assertRegex(self.bridge.log(), "twistd tokensock: the spool .* (corrupt|malformed)")
        self.assertNotIn("Traceback", self.bridge.log())
        self.assertEqual(Path(self.spool).read_bytes(), damaged)

    async def test_two_bridges(self) -> None:
        """A second bridge on the same spool ends at once, with a line that says why."""
        second = WebhooksBridge(self.config)
        self.addCleanup(second.close)
        await self.assertFailure(Deferred.fromCoroutine(second.start()), AssertionError)
        self.assertIn("is in use by another bridge", second.log())
        self.assertNotIn("Traceback", second.log())

    async def test_upstream_restart(self) -> None:
        """After a restart of the server messages go on as before."""
        self.webhook.listen()
        self.publish(range(3))
        await self.stored(0)
        await self.embedded.restart()
        await self.subscribed()
        self.publish(range(3, 6))
        await self.eventually(lambda: len(self.webhook.heard) == 12, "all messages")
        self.assertEqual(self.webhook.messages("orders"), list(range(6)))


class ExampleTests(InteropTestCase):
    """The example of the documentation, save for its addresses."""

    programs = ()

    async def test_example(self) -> None:
        """A signed message and a call reach the receiver, and its answer comes back."""
        embedded = EmbeddedServer()
        self.addCleanup(embedded.close)
        await embedded.start()
        reserved = ReservedPort()
        self.addCleanup(reserved.release)
        secret = "whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxl"
        receiver = await self.started(
            Python(
                "webhook_receiver.py",
                EXAMPLES / "webhook_receiver.py",
                reserved.number,
                ready="listening",
                WEBHOOK_SECRET=secret,
            )
        )
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-webhooks-")
        self.addCleanup(directory.cleanup)
        text = (EXAMPLES / "webhooks.toml").read_text()
        text = text.replace("http://127.0.0.1:8080", embedded.url)
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{reserved.number}")
        text = text.replace("webhooks.sqlite3", f"{directory.name}/webhooks.sqlite3")
        config = Path(directory.name, "webhooks.toml")
        config.write_text(text)
        bridge = await self.started(WebhooksBridge(config, WEBHOOK_SECRET=secret))
        await embedded.asked.until(1)
        (peer,) = embedded.server.peers()
        self.assertEqual(await within(peer.rpc("price", {"pieces": 2})), {"price": 10})
        embedded.server.publish("orders", {"order": 1})
        await receiver.line("received {'order': 1}")
        await bridge.terminate()
