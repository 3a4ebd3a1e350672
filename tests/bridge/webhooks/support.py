"""
What the tests of webhooks share: a bridge's side between two servers in memory, and a real
SQLite file that answers in another turn of the clock.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.common import collect_garbage
from txtokensock.bridge.config.webhooks import CallRule, ChannelRule, WebhooksConfig, problems
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.shares import Shares
from txtokensock.bridge.webhooks.database import connect
from txtokensock.bridge.webhooks.schema import Cursor
from txtokensock.bridge.webhooks.webhooks_side import WebhooksSide
from txtokensock.server import TokenSocketServer
from txtokensock.testing import MemoryNetwork, MemoryServer

URL = "http://hooks.test/in"
EPOCH = 1_700_000_000.0


class Webhook(Resource):
    """
    A webhook in memory.

    :ivar bodies: of the requests so far, decoded.
    :ivar requests: (method, path, headers by lower-case name, body) of them.
    :ivar answer: makes the answer to each, given the decoded body: a status, or (status,
        headers, body), or None for none at all, or "half" for a body that does not end.
    :ivar reachable: whether connections are accepted.
    :ivar held: the requests that got no answer yet.
    """

    isLeaf = True

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.bodies: list[Any] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[Any], Any] = lambda body: 204
        self.reachable = True
        self.held: list[Request] = []
        self.network = MemoryNetwork(clock, Site(self, reactor=clock, timeout=None))
        self.agent = self.network.agent(lambda: self.reachable)

    def render(self, request: Request) -> Any:
        body = request.content.read()
        headers = {
            name.decode().lower(): values[0].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.requests.append((request.method.decode(), request.uri.decode(), headers, body))
        self.bodies.append(json.loads(body))
        answer = self.answer(self.bodies[-1])
        if answer == "half":
            request.setHeader("Content-Length", "100")
            request.write(b"half")
        if answer in (None, "half"):
            self.held.append(request)
            return NOT_DONE_YET
        status, headers, content = answer if isinstance(answer, tuple) else (answer, {}, b"")
        request.setResponseCode(status)
        for name, value in headers.items():
            request.setHeader(name, value)
        return content

    @property
    def messages(self) -> list[Any]:
        """What was published, as it came."""
        return [body["message"] for body in self.bodies]

    @property
    def ids(self) -> list[str]:
        """``Webhook-Id`` of each request."""
        return [headers["webhook-id"] for _, _, headers, _ in self.requests]


class MemoryDatabase:
    """
    A real SQLite file; each transaction is done in a later turn of the clock.

    :ivar stuck: while it is set, no transaction begins.
    :ivar full: while it is set, no change can be committed, for there is no room for the log.
    :ivar transactions: how many were committed.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.connection = connect(path)
        self.stuck = False
        self.full = False
        self.transactions = 0
        self._clock = clock
        self._stuck_calls: list[Callable[[], None]] = []

    def run(self, function: Callable[[Cursor], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def transact() -> None:
            if self.stuck:
                self._stuck_calls.append(transact)
                return
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                changes = self.connection.total_changes
                result = function(self.connection.cursor())
                if self.full and self.connection.total_changes > changes:
                    raise sqlite3.OperationalError("database or disk is full")
                self.connection.execute("COMMIT")
            except sqlite3.Error:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                done.errback()
            else:
                self.transactions += 1
                done.callback(result)

        self._clock.callLater(0, transact)
        return done

    def unstick(self) -> None:
        """The disk answers again."""
        self.stuck = False
        calls, self._stuck_calls = self._stuck_calls, []
        for call in calls:
            self._clock.callLater(0, call)

    def fill(self) -> None:
        """The disk is full: the file can grow no more."""
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        self.connection.execute(f"PRAGMA max_page_count = {pages}")

    def grow(self) -> None:
        """There is room again."""
        self.connection.execute("PRAGMA max_page_count = 1000000")

    def close(self) -> None:
        self.connection.close()


class WebhooksTestCase(SynchronousTestCase):
    """
    With a token-sockjs server and a webhook, both in memory; the side is started by
    :meth:`start`.  After each test neither a timer nor a connection may be left.
    """

    def setUp(self) -> None:
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(lambda request: {"user": "bridge"}, reactor=clock)
        )
        self.clock = self.memory.clock
        self.webhook = Webhook(self.clock)
        self.counters = Counters()
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-spool-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.spool = self.directory / "spool.sqlite3"
        self.databases: list[MemoryDatabase] = []
        self._sides: list[WebhooksSide] = []
        self.socket = self.memory.client(silence_timeout=None)
        self.socket.startService()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.addCleanup(self._end)

    def _end(self) -> None:
        endings = [side.stopService() for side in self._sides if side.running]
        self.advance(30)
        endings.append(self.socket.end())
        self.advance(30)
        endings.append(self.memory.server.stopService())
        self.advance(30)
        for ending in endings:
            self.successResultOf(ending)
        self.assertEqual(self.memory.open_connections, 0)
        self.assertEqual(self.webhook.network.open, [])
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        collect_garbage()

    # -- configuration

    def rule(self, *channels: str, **fields: Any) -> ChannelRule:
        fields.setdefault("url", URL)
        return ChannelRule(channels=channels or ("orders",), **fields)

    def call(self, action: str = "notify", **fields: Any) -> CallRule:
        fields.setdefault("url", URL)
        return CallRule(action=action, **fields)

    def section(self, *rules: ChannelRule | CallRule, **fields: Any) -> WebhooksConfig:
        fields.setdefault("spool", str(self.spool))
        section = WebhooksConfig(
            channels=tuple(rule for rule in rules if isinstance(rule, ChannelRule)),
            calls=tuple(rule for rule in rules if isinstance(rule, CallRule)),
            **fields,
        )
        self.assertEqual(list(problems(section, "webhooks")), [])
        return section

    # -- the side

    def database(self, path: Path, clock: Clock) -> MemoryDatabase:
        self.databases.append(MemoryDatabase(path, clock))
        return self.databases[-1]

    def side(self, section: WebhooksConfig) -> WebhooksSide:
        """A side that is not started."""
        side = WebhooksSide(
            section,
            socket=self.socket,
            shares=Shares(lambda: self.socket.limits, self.clock.seconds),
            counters=self.counters,
            reactor=self.clock,
            agent=self.webhook.agent,
            database=self.database,
            jitter=lambda: 1.0,
            now=lambda: EPOCH + self.clock.seconds(),
        )
        self._sides.append(side)
        return side

    def start(self, *rules: ChannelRule | CallRule, **fields: Any) -> WebhooksSide:
        """A side that did all that it can without time passing."""
        side = self.side(self.section(*rules, **fields))
        side.startService()
        self.settle()
        return side

    def stop(self, side: WebhooksSide) -> None:
        stopped = side.stopService()
        self.advance(20)
        self.successResultOf(stopped)

    def settle(self) -> None:
        """Let everything happen that can happen without time passing."""
        for _ in range(2000):
            self.memory.settle()
            if not any(
                call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()
            ):
                return
        self.fail("it does not settle")

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.memory.advance(seconds)
        self.settle()

    def publish(self, *messages: Any, channel: str = "orders") -> None:
        """Publish, and let what can happen, happen."""
        for message in messages:
            self.memory.server.publish(channel, message)
        self.settle()

    def count(self, outcome: Any, rule: str = "orders") -> int:
        return self.counters.get("webhooks", rule, outcome)

    def spooled(self, rule: str = "orders") -> int:
        return {name: count for _, name, count in self.counters.spools()}.get(rule, 0)

    def rows(self, table: str) -> list[Any]:
        """Of the database, seen by another process."""
        connection = sqlite3.connect(self.spool)
        try:
            return connection.execute(
                f"SELECT rule, attempts, error, body FROM {table} ORDER BY id"
            ).fetchall()
        finally:
            connection.close()
